"""A classifier knows its pixels and classes, and its folder carries nothing that can run."""

import ast
import hashlib
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import hubel
from hubel import Blueprint, Classifier, PixelSpec
from hubel.mistakes import Failure, Mistake
from hubel.model import FACTS, FAMILIAR, WEIGHTS, evaluating
from hubel.networks import catalogue
from hubel.strangeness import reference
from hubel.twins import twin

SPEC = PixelSpec((4, 4), channels=1, mean=(0.25,), std=(0.5,))


def build(name: str, *, width: int) -> nn.Module:
    if name != "mine":
        raise Mistake(f"There is no network {name!r}.")
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Flatten(), nn.Linear(4 * width, 2)
    )


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    blueprint = Blueprint("mine", {"width": 3})
    network = build("mine", width=3)
    return Classifier(network, classes=("a", "b"), pixels=SPEC, blueprint=blueprint).eval()


def test_normalisation_happens_inside(classifier: Classifier) -> None:
    pixels = torch.rand(5, 1, 4, 4)
    assert torch.equal(classifier(pixels), classifier.network((pixels - 0.25) / 0.5))


def test_round_trip_is_bit_equal(classifier: Classifier, tmp_path: Path) -> None:
    folder = classifier.save(tmp_path / "model")
    again = Classifier.load(folder, build=build)
    pixels = torch.rand(5, 1, 4, 4)
    assert torch.equal(classifier(pixels), again(pixels))
    assert (again.classes, again.pixels) == (("a", "b"), SPEC)
    assert again.blueprint == classifier.blueprint
    assert not again.training
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]  # nothing half-written beside


def test_channels_last_weights_are_saved_in_plain_order(
    classifier: Classifier, tmp_path: Path
) -> None:
    plain = classifier.files()[WEIGHTS]
    classifier.to(memory_format=torch.channels_last)
    assert classifier.files()[WEIGHTS] == plain


def test_saving_again_replaces(classifier: Classifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "model")
    with torch.no_grad():
        classifier.network[3].bias += 1
    classifier.save(tmp_path / "model")
    again = Classifier.load(tmp_path / "model", build=build)
    assert torch.equal(again.network[3].bias, classifier.network[3].bias)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was run')",)


def test_a_pickle_offered_as_weights_is_never_run(classifier: Classifier, tmp_path: Path) -> None:
    folder = classifier.save(tmp_path / "model")
    for content in (pickle.dumps(Bomb()), pickle.dumps(Bomb(), protocol=2)):
        (folder / WEIGHTS).write_bytes(content)
        with pytest.raises(Failure, match="pickle"):
            Classifier.load(folder, build=build)
    torch.save({"x": Bomb()}, folder / WEIGHTS)
    with pytest.raises(Failure, match="pickle"):
        Classifier.load(folder, build=build)


def test_flipped_and_cut_weights_are_named(classifier: Classifier, tmp_path: Path) -> None:
    folder = classifier.save(tmp_path / "model")
    whole = (folder / WEIGHTS).read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    for content, said in (
        (bytes(flipped), "SHA-256"),
        (whole[:-9], "safetensors"),
        (b"", "safetensors"),
    ):
        (folder / WEIGHTS).write_bytes(content)
        with pytest.raises(Failure, match=said) as caught:
            Classifier.load(folder, build=build)
        assert WEIGHTS in str(caught.value)
    (folder / WEIGHTS).write_bytes(whole)
    Classifier.load(folder, build=build)  # the positive control


def test_unknown_networks_other_tasks_and_missing_files(
    classifier: Classifier, tmp_path: Path
) -> None:
    folder = classifier.save(tmp_path / "model")
    facts = json.loads((folder / FACTS).read_text())
    for change, said in (
        ({"network": {"name": "os.system", "arguments": {}}}, "os.system"),
        ({"network": {"name": "mine", "arguments": {"depth": 3}}}, "depth"),
        ({"task": "detect"}, "detect"),
        ({"pixels": {}}, "pixel specification"),
    ):
        (folder / FACTS).write_text(json.dumps(facts | change))
        with pytest.raises(Failure, match=said):
            Classifier.load(folder, build=build)
    (folder / FACTS).write_text("{")
    with pytest.raises(Failure, match=FACTS):
        Classifier.load(folder, build=build)
    with pytest.raises(Failure, match="no model folder"):
        Classifier.load(tmp_path, build=build)


def test_weights_of_another_network_name_the_difference(
    classifier: Classifier, tmp_path: Path
) -> None:
    folder = classifier.save(tmp_path / "model")
    facts = json.loads((folder / FACTS).read_text())
    facts["network"]["arguments"]["width"] = 4
    (folder / FACTS).write_text(json.dumps(facts))
    with pytest.raises(Failure, match=r"0\.weight is \(3, 1, 3, 3\), expected \(4, 1, 3, 3\)"):
        Classifier.load(folder, build=build)


def test_classes_must_be_two_and_differ() -> None:
    with pytest.raises(Mistake, match="two classes"):
        Classifier(nn.Flatten(), classes=("cat",), pixels=SPEC)
    with pytest.raises(Mistake, match="cat"):
        Classifier(nn.Flatten(), classes=("cat", "cat"), pixels=SPEC)


def test_read_gives_the_models_own_pixels(classifier: Classifier) -> None:
    colour = np.zeros((9, 6, 3), np.uint8)
    pixels = classifier.read(colour)
    assert pixels.shape == (1, 4, 4)
    assert pixels.dtype == torch.float32
    assert float(classifier.read(np.full((4, 4), 255, np.uint8)).min()) == 1.0


def test_empty_batch(classifier: Classifier) -> None:
    assert classifier.probabilities(torch.empty(0, 1, 4, 4)).shape == (0, 2)


def test_whoever_asks_for_evaluation_mode_takes_what_is_given() -> None:
    """`with evaluating(network):` alone would run the network in the mode that it is in."""
    for path in Path(hubel.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for item in node.items if isinstance(node, ast.With) else []:
                call = item.context_expr
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "evaluating":
                    assert item.optional_vars is not None, f"{path}:{node.lineno}"


def test_evaluating_changes_no_mode_of_a_shared_network(classifier: Classifier) -> None:
    classifier.train()
    classifier.network[1].eval()  # frozen by its owner
    before = [m.training for m in classifier.modules()]
    with pytest.raises(ZeroDivisionError), evaluating(classifier) as own:  # noqa: PT012
        assert not any(m.training for m in own.modules())
        assert [m.training for m in classifier.modules()] == before
        assert not torch.is_grad_enabled()
        _ = 1 / 0
    assert [m.training for m in classifier.modules()] == before
    assert torch.is_grad_enabled()


def resealed(folder: Path, **changes: object) -> None:
    facts = json.loads((folder / FACTS).read_text())
    sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / FACTS).write_text(json.dumps(facts | {"sha256": sha256} | changes))


def test_as_many_outputs_as_classes_and_channels_as_the_pixels_have(tmp_path: Path) -> None:
    arguments = {"classes": 3, "channels": 1, "size": (4, 4)}
    network = catalogue.build("linear", **arguments)
    spec = PixelSpec((4, 4), channels=1)
    made = Classifier(
        network, classes=("a", "b", "c"), pixels=spec, blueprint=Blueprint("linear", arguments)
    )
    folder = made.save(tmp_path / "model")
    Classifier.load(folder, build=catalogue.build)
    for changes, said in (
        ({"classes": ["a", "b"]}, r"network\.arguments\.classes is 3, and the model has 2"),
        (
            {"pixels": PixelSpec((4, 4)).as_json()},
            r"network\.arguments\.channels is 1, and the model has 3",
        ),
    ):
        resealed(folder, **changes)
        with pytest.raises(Failure, match=rf"model\.json is damaged: {said}"):
            Classifier.load(folder, build=catalogue.build)


def test_a_network_that_does_not_fit_its_weights_is_never_built(
    classifier: Classifier, tmp_path: Path
) -> None:
    folder = classifier.save(tmp_path / "model")
    built = []

    def building(name: str, **arguments: object) -> nn.Module:
        network = build(name, **arguments)
        built.append(next(network.parameters()).device.type)
        return network

    Classifier.load(folder, build=building)
    assert built == ["meta", "cpu"]
    resealed(folder, network={"name": "mine", "arguments": {"width": 10**9}})
    with pytest.raises(Failure, match="belongs to another network"):
        Classifier.load(folder, build=building)
    assert built == ["meta", "cpu", "meta"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(
    classifier: Classifier, tmp_path: Path, value: float
) -> None:
    with torch.no_grad():
        classifier.network[3].bias[0] = value
    folder = classifier.save(tmp_path / "model")
    with pytest.raises(Failure, match=r"model\.safetensors is of no use: 3\.bias"):
        Classifier.load(folder, build=build)


def test_statistics_are_finite(classifier: Classifier, tmp_path: Path) -> None:
    folder = classifier.save(tmp_path / "model")
    for name, value in (("mean", math.nan), ("std", math.inf), ("std", 1e-300), ("mean", 1e300)):
        resealed(folder, pixels=SPEC.as_json() | {name: [value]})
        with pytest.raises(Failure, match=r"model\.json is damaged: .*eviation"):
            Classifier.load(folder, build=build)


def test_what_is_familiar_goes_with_the_folder_and_a_model_does_without(
    classifier: Classifier, tmp_path: Path
) -> None:
    assert set(classifier.files()) == {WEIGHTS, FACTS}
    assert Classifier.load(classifier.save(tmp_path / "without"), build=build).reference is None
    known = classifier.reference = reference(torch.rand(7, 12), torch.rand(5, 12))
    assert known is not None
    assert twin(classifier).reference is known
    folder = classifier.save(tmp_path / "with")
    again = Classifier.load(folder, build=build)
    assert again.reference is not None
    assert torch.equal(again.reference.features, known.features)
    assert torch.equal(again.reference.distances, known.distances)
    assert again.files() == classifier.files()
    whole = (folder / FAMILIAR).read_bytes()
    (folder / FAMILIAR).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(Failure, match=rf"{FAMILIAR} is damaged: its SHA-256"):
        Classifier.load(folder, build=build)
    (folder / FAMILIAR).unlink()  # whoever passes a model on may keep that to himself
    assert Classifier.load(folder, build=build).reference is None
