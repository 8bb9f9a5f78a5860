"""Published checkpoints: every name and shape, and logits against a second way of computing them.

`published_names.json` holds the names, shapes and files of torchvision 0.28.0's models. The second
way knows the publisher's names alone: it is driven by them, in functional calls, in float64.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import hubel
from hubel.networks import catalogue, checkpoints, weights

PUBLISHED: dict[str, Any] = json.loads(
    Path(__file__).with_name("published_names.json").read_text(encoding="utf-8")
)["models"]
OURS = {"alexnet": "alexnet-2014", "googlenet": "googlenet-bn"}
MEAN = torch.tensor((0.485, 0.456, 0.406), dtype=torch.float64).view(3, 1, 1)
STD = torch.tensor((0.229, 0.224, 0.225), dtype=torch.float64).view(3, 1, 1)
State = dict[str, Tensor]


def ours(theirs: str) -> str:
    return OURS.get(theirs, theirs.replace("_", "-"))


@pytest.mark.parametrize("theirs", PUBLISHED)
def test_names_shapes_and_order_are_the_publishers(theirs: str) -> None:
    name = ours(theirs)
    row = weights.PUBLISHED[name]
    with torch.device("meta"):
        network = catalogue.build(name, classes=1000, channels=3, size=(224, 224))
    state = {
        checkpoints.published_name(key, row.names): list(value.shape)
        for key, value in network.state_dict().items()
    }
    assert list(state.items()) == list(PUBLISHED[theirs]["state"].items())


def test_the_files_are_the_publishers() -> None:
    fetched = {name: row for name, row in weights.PUBLISHED.items() if row.url is not None}
    assert {name: row.file for name, row in fetched.items()} == {
        ours(theirs): row["file"] for theirs, row in PUBLISHED.items()
    }
    for row in fetched.values():
        assert row.url == f"https://download.pytorch.org/models/{row.file}"
        assert len(row.sha256) == 8
        assert row.file.endswith(f"-{row.sha256}.pth")


def conv(s: State, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(x, s[f"{name}.weight"].double(), _bias(s, name), stride, padding)


def linear(s: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, s[f"{name}.weight"].double(), _bias(s, name))


def _bias(s: State, name: str) -> Tensor | None:
    return s[f"{name}.bias"].double() if f"{name}.bias" in s else None


def norm(s: State, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    mean, var, scale, shift = (
        s[f"{name}.{part}"].double().view(-1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + eps).sqrt() * scale + shift


def alexnet(s: State, x: Tensor) -> Tensor:
    for place, stride, padding, pooled in (
        (0, 4, 2, True), (3, 1, 2, True), (6, 1, 1, False), (8, 1, 1, False), (10, 1, 1, True),
    ):  # fmt: skip
        x = F.relu(conv(s, f"features.{place}", x, stride, padding))
        x = F.max_pool2d(x, 3, 2) if pooled else x
    x = F.adaptive_avg_pool2d(x, 6).flatten(1)
    x = F.relu(linear(s, "classifier.1", x))
    return linear(s, "classifier.6", F.relu(linear(s, "classifier.4", x)))


def vgg_bn(s: State, x: Tensor) -> Tensor:
    places = [
        int(key.split(".")[1])
        for key, value in s.items()
        if key.startswith("features.") and value.dim() == 4
    ]
    for place, after in zip(places, [*places[1:], 0], strict=True):
        x = conv(s, f"features.{place}", x, padding=1)
        x = F.relu(norm(s, f"features.{place + 1}", x))
        if after != place + 3:  # something without weights stands between: a pooling
            x = F.max_pool2d(x, 2)
    x = F.relu(linear(s, "classifier.0", x.flatten(1)))
    return linear(s, "classifier.6", F.relu(linear(s, "classifier.3", x)))


def googlenet(s: State, x: Tensor, eps: float = 0.001, up: bool = True) -> Tensor:
    def unit(name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        return F.relu(norm(s, f"{name}.bn", conv(s, f"{name}.conv", x, stride, padding), eps))

    # the publisher's transform_input, on what is standardised as for the other networks
    x = x * (STD / 0.5) + (MEAN - 0.5) / 0.5
    x = F.max_pool2d(unit("conv1", x, 2, 3), 3, 2, ceil_mode=up)
    x = F.max_pool2d(unit("conv3", unit("conv2", x), 1, 1), 3, 2, ceil_mode=up)
    for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        if module == "4a":
            x = F.max_pool2d(x, 3, 2, ceil_mode=up)
        if module == "5a":
            x = F.max_pool2d(x, 2, 2, ceil_mode=up)
        at = f"inception{module}"
        branches = [unit(f"{at}.branch1", x)]
        for i in (2, 3):
            branches.append(unit(f"{at}.branch{i}.1", unit(f"{at}.branch{i}.0", x), 1, 1))
        branches.append(unit(f"{at}.branch4.1", F.max_pool2d(x, 3, 1, 1)))
        x = torch.cat(branches, 1)
    return linear(s, "fc", x.mean((2, 3)))


def resnet(s: State, x: Tensor, stride_at: int = 2) -> Tensor:
    x = F.max_pool2d(F.relu(norm(s, "bn1", conv(s, "conv1", x, 2, 3))), 3, 2, 1)
    blocks = dict.fromkeys(".".join(key.split(".")[:2]) for key in s if key.startswith("layer"))
    for at in blocks:
        stride = 2 if at in ("layer2.0", "layer3.0", "layer4.0") else 1
        bottleneck = f"{at}.conv3.weight" in s
        strides = [1, 1, 1]
        strides[stride_at - 1 if bottleneck else 0] = stride
        y = x
        for i in (1, 2, 3) if bottleneck else (1, 2):
            y = F.relu(y) if i > 1 else y
            side = s[f"{at}.conv{i}.weight"].shape[2]
            y = conv(s, f"{at}.conv{i}", y, strides[i - 1], side // 2)
            y = norm(s, f"{at}.bn{i}", y)
        if f"{at}.downsample.0.weight" in s:
            x = norm(s, f"{at}.downsample.1", conv(s, f"{at}.downsample.0", x, stride))
        x = F.relu(x + y)
    return linear(s, "fc", x.mean((2, 3)))


def random_state(theirs: str) -> State:
    """Weights of He's size, and statistics that are far from 0 and 1, so that all of it matters.

    Some variances are near zero, where the ε of the normalisation tells.
    """
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in PUBLISHED[theirs]["state"].items():
        uniform = torch.rand(shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif len(shape) > 1:
            fan = uniform[0].numel()
            state[name] = uniform.sub_(0.5).mul_((24 / fan) ** 0.5)
        elif name.endswith("running_var"):
            state[name] = uniform + 0.003
        elif name.endswith("weight"):
            state[name] = uniform * 0.5 + 0.5
        else:
            state[name] = uniform - 0.5
    return state


REFERENCES: dict[str, tuple[Callable[[State, Tensor], Tensor], int]] = {
    "alexnet": (alexnet, 224),
    "vgg11_bn": (vgg_bn, 224),
    "googlenet": (googlenet, 64),
    "resnet18": (resnet, 64),
    "resnet50": (resnet, 64),
}


def converted(
    theirs: str, state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> hubel.Classifier:
    """What `load` makes of this checkpoint, in float64 (half a gigabyte stays off the disk)."""
    (tmp_path / "checkpoint.pth").write_bytes(b"")
    monkeypatch.setattr(checkpoints, "read", lambda _: state)
    classifier = weights.load(ours(theirs), tmp_path / "checkpoint.pth").double()
    for name in ("mean", "std"):  # not as rounded to float32
        value = torch.tensor(getattr(classifier.pixels, name), dtype=torch.float64)
        setattr(classifier, name, value.view(3, 1, 1))
    return classifier


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("theirs", [
    pytest.param(name, marks=pytest.mark.slow if side > 64 else ())
    for name, (_, side) in REFERENCES.items()
])  # fmt: skip
@torch.no_grad()
def test_logits_are_the_publishers(
    theirs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reference, side = REFERENCES[theirs]
    state = random_state(theirs)
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(1, 3, side, side, generator=generator, dtype=torch.float64)
    found = converted(theirs, state, monkeypatch, tmp_path)(pixels)
    expected = reference(state, (pixels - MEAN) / STD)
    assert expected.std() > 0.01
    assert relative(found, expected) < 1e-9


@pytest.mark.parametrize(
    ("theirs", "wrong"),
    [
        ("googlenet", partial(googlenet, eps=1e-5)),
        ("googlenet", partial(googlenet, up=False)),
        ("resnet50", partial(resnet, stride_at=1)),
    ],
    ids=["eps", "ceil_mode", "stride"],
)
@torch.no_grad()
def test_the_comparison_sees_what_implementations_differ_in(
    theirs: str, wrong: Callable[[State, Tensor], Tensor]
) -> None:
    state = random_state(theirs)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 3, 64, 64, generator=generator, dtype=torch.float64)
    assert relative(wrong(state, x), REFERENCES[theirs][0](state, x)) > 1e-3
