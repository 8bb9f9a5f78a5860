"""Published weights: what is opened and what is not, and what is said of files that do not fit."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

import hubel
from hubel.fetch import hashed
from hubel.mistakes import Failure, Mistake
from hubel.networks import catalogue, weights
from hubel.networks.checkpoint_names import published_name

State = dict[str, Tensor]


def state(name: str, **changes: Any) -> State:
    """A network of ours, just drawn, under its publisher's names."""
    torch.manual_seed(0)
    network = catalogue.build(name, classes=1000, channels=3, size=(224, 224), **changes)
    names = weights.PUBLISHED[name].names
    return {published_name(key, names): value for key, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def resnet18() -> State:
    return state("resnet18")


def old(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("save", [torch.save, old, safetensors.torch.save_file])
def test_every_kind_of_file(save: Callable[..., None], resnet18: State, tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"  # the content decides, not the name
    save(resnet18, path)
    classifier = weights.load("resnet18", path)
    assert not classifier.training
    own = classifier.network.state_dict()
    assert torch.equal(own["conv2_x.1.bn2.weight"], resnet18["layer1.1.bn2.weight"])
    assert torch.equal(
        own["conv3_x.0.shortcut.conv.weight"], resnet18["layer2.0.downsample.0.weight"]
    )
    assert torch.equal(own["fc.weight"], resnet18["fc.weight"])
    assert all(p.requires_grad for p in classifier.network.parameters())
    assert classifier.provenance["sha256"] == hashed(path)
    assert "mine.pth" in classifier.provenance["weights"]
    assert classifier.blueprint is not None
    again = catalogue.build(classifier.blueprint.name, **classifier.blueprint.arguments)
    again.load_state_dict(own)


def test_counters_may_be_missing_and_numbers_of_another_size(
    resnet18: State, tmp_path: Path
) -> None:
    """Files from before torch 0.4.1 count no batches; some are saved in half precision."""
    kept = {k: v.half() for k, v in resnet18.items() if not k.endswith("num_batches_tracked")}
    torch.save(kept, tmp_path / "half.pth")
    own = weights.load("resnet18", tmp_path / "half.pth").network.state_dict()
    assert own["fc.weight"].dtype == torch.float32
    assert torch.equal(own["fc.weight"], resnet18["fc.weight"].half().float())
    assert own["bn1.num_batches_tracked"].item() == 0


def test_what_is_loaded_shares_nothing(resnet18: State, tmp_path: Path) -> None:
    tied = resnet18 | {"layer1.0.bn1.weight": resnet18["bn1.weight"]}
    torch.save(tied, tmp_path / "tied.pth")
    own = weights.load("resnet18", tmp_path / "tied.pth").network.state_dict()
    places = [tensor.data_ptr() for tensor in own.values()]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("heads", [True, False])
def test_googlenet_with_the_heads_that_its_file_has(heads: bool, tmp_path: Path) -> None:
    torch.save(state("googlenet-bn", heads=heads), tmp_path / "googlenet.pth")
    classifier = weights.load("googlenet-bn", tmp_path / "googlenet.pth")
    assert (classifier.network.aux1 is not None) == heads
    assert classifier.blueprint is not None
    assert classifier.blueprint.arguments["heads"] is heads
    logits = classifier(torch.rand(1, 3, 224, 224))
    assert logits.shape == (1, 1000)


def said(name: str, content: Any, path: Path) -> str:
    torch.save(content, path)
    with pytest.raises(Failure) as failed:
        weights.load(name, path)
    sentence = str(failed.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


def test_a_checkpoint_of_another_network(resnet18: State, tmp_path: Path) -> None:
    sentence = said("resnet34", resnet18, tmp_path / "a.pth")
    assert sentence.count("is missing") == 5  # of the 80 tensors that are not counters of batches
    assert "layer1.2.conv1.weight is missing" in sentence
    assert "(and 75 more)" in sentence
    extra = resnet18 | {"layer1.2.conv1.weight": torch.zeros(1)}
    sentence = said("resnet18", extra, tmp_path / "a.pth")
    assert sentence.endswith("is no checkpoint of resnet18: layer1.2.conv1.weight is unknown.")


def test_a_checkpoint_with_another_head(resnet18: State, tmp_path: Path) -> None:
    tuned = resnet18 | {"fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}
    sentence = said("resnet18", tuned, tmp_path / "a.pth")
    assert "fc.weight is (10, 512), expected (1000, 512); fc.bias is (10,)" in sentence
    assert "other classes" in sentence
    assert "other classes" not in said(
        "resnet18", tuned | {"bn1.bias": torch.zeros(1)}, tmp_path / "a.pth"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: {"model": s, "epoch": 3}, "under 'model', 'epoch': save its 'model' alone"),
        (lambda s: list(s.values()), "holds a list"),
        (lambda s: {}, "holds a dict and no tensors"),
        (lambda s: s | {"conv1.weight": s["conv1.weight"].to_sparse()}, "'conv1.weight'"),
        (lambda s: s | {"conv1.weight": s["conv1.weight"].to("meta")}, "'conv1.weight'"),
        (lambda s: s | {"conv1.weight": s["conv1.weight"].long()}, "torch.int64, expected torch.f"),
    ],
    ids=["nested", "list", "empty", "sparse", "hollow", "integers"],
)
def test_what_is_no_state_dict(
    change: Callable[[State], Any], expected: str, resnet18: State, tmp_path: Path
) -> None:
    assert expected in said("resnet18", change(resnet18), tmp_path / "a.pth")


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize(
    "save", [torch.save, old, lambda c, path: path.write_bytes(pickle.dumps(c))]
)
def test_nothing_in_a_file_is_run(save: Callable[..., Any], tmp_path: Path) -> None:
    ran, path = tmp_path / "ran", tmp_path / "evil.pth"
    save({"conv1.weight": torch.zeros(1), "x": Evil(ran)}, path)
    with pytest.raises(Failure, match="nothing of it was run"):
        weights.load("resnet18", path)
    assert not ran.exists()
    if save is torch.save:  # it would have run
        torch.load(path, weights_only=False)
        assert ran.exists()


@pytest.mark.parametrize("save", [torch.save, old, safetensors.torch.save_file])
def test_a_file_that_was_cut_short(
    save: Callable[..., None], resnet18: State, tmp_path: Path
) -> None:
    path = tmp_path / "cut.pth"
    save(resnet18, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Failure, match=r"cut\.pth (is damaged|holds no safetensors)"):
        weights.load("resnet18", path)


@pytest.mark.parametrize("content", [b"", b"text, no weights", bytes(1000), b"<html></html>"])
def test_files_that_are_something_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(Failure, match=r"a\.pth (is damaged|asks for more than tensors)"):
        weights.load("resnet18", tmp_path / "a.pth")


def test_files_that_are_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.pth", "w") as archive:
        archive.writestr("a", "b")
    os.mkfifo(tmp_path / "pipe")
    for name, match in (("z.pth", "is damaged"), (".", "found something else"),
                        ("pipe", "found something else"), ("none", "No such file")):  # fmt: skip
        with pytest.raises(Failure, match=match):
            weights.load("resnet18", tmp_path / name)


def test_a_hash_in_the_name_is_held_against_the_file(resnet18: State, tmp_path: Path) -> None:
    torch.save(resnet18, tmp_path / "a.pth")
    digest = hashed(tmp_path / "a.pth")
    right = (tmp_path / "a.pth").rename(tmp_path / f"resnet18-{digest[:8]}.pth")
    weights.load("resnet18", right)
    wrong = right.rename(tmp_path / "resnet18-f37072fd.pth")
    with pytest.raises(Failure, match=f"begins {digest[:8]}, expected f37072fd. It was not opened"):
        weights.load("resnet18", wrong)


def test_weights_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path))
    assert not weights.is_here("vgg16")
    assert weights.is_here("efficientnet-lite0")
    with pytest.raises(Failure) as failed:
        hubel.load("vgg16")
    for part in ("553 MB", "https://download.pytorch.org/models/vgg16-397923af.pth",
                 str(tmp_path / "weights"), "hubel predict vgg16 PICTURE --download"):  # fmt: skip
        assert part in str(failed.value)
    assert list(tmp_path.iterdir()) == []  # asked is not fetched
    with pytest.raises(Mistake, match="resnet18"):
        weights.load("resnet20")


def test_every_row() -> None:
    for name, row in weights.PUBLISHED.items():
        assert name in catalogue.CATALOGUE
        assert row.pixels.size == (224, 224)
        assert row.pixels.crop_fraction == 224 / 256  # as their accuracies were measured
        assert (row.package is None) != (row.url is None)
