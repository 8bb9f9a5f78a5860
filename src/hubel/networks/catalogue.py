"""Every network by its name: a plain dict of builders, and what the command line says of them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from hubel.mistakes import Mistake, unknown
from hubel.networks.alexnet import alexnet
from hubel.networks.efficientnet_lite import efficientnet_lite
from hubel.networks.googlenet import googlenet
from hubel.networks.lenet import lenet5
from hubel.networks.linear import linear
from hubel.networks.mlp import mlp
from hubel.networks.resnet import DEPTHS, resnet
from hubel.networks.small import small
from hubel.networks.vgg import vgg

LENET_PAPER = "LeCun et al. 1998, section II.B"
ALEXNET_PAPER = "Krizhevsky et al. 2012"
VGG_PAPER = "Simonyan & Zisserman 2015"
GOOGLENET_PAPER = "Szegedy et al. 2015"
RESNET_PAPER = "He et al. 2015"


@dataclass(frozen=True)
class Entry:
    """A network of the catalogue.

    build: keyword arguments classes, channels, size and the family's own → network. usual: the
    pixels (channels, height, width) and classes of its publication, at which it is listed. fixed:
    whether it takes that size alone. note: what departs from the publication.
    """

    build: Callable[..., nn.Module]
    source: str
    channels: int = 3
    usual_size: tuple[int, int] = (32, 32)
    classes: int = 10
    fixed: bool = False
    note: str = ""

    @property
    def size(self) -> tuple[int, int] | None:
        """The only size that the network takes, None if it takes any."""
        return self.usual_size if self.fixed else None


# for photographs of 1,000 classes
ImageNet = partial(Entry, usual_size=(224, 224), classes=1000)
VGGS = {
    "vgg11": "A", "vgg11-lrn": "A-LRN", "vgg13": "B", "vgg16-1x1": "C", "vgg16": "D", "vgg19": "E",
}  # fmt: skip
SMALL_DEPTHS = [depth for depth, row in DEPTHS.items() if not row.large]

CATALOGUE: dict[str, Entry] = {
    "linear": Entry(linear, "f(x, W) = Wx + b"),
    "mlp": Entry(mlp, "multi-layer perceptron", channels=1, usual_size=(28, 28)),
    "lenet5-1998": Entry(
        partial(lenet5, "1998"),
        LENET_PAPER,
        channels=1,
        fixed=True,
        note="As published, but for the codes of its output units, which are drawn anew. Its own "
        "criterion is the loss `map`.",
    ),
    "lenet5-softmax": Entry(
        partial(lenet5, "softmax"),
        LENET_PAPER,
        channels=1,
        fixed=True,
        note="As published up to F6; a trained linear output for softmax in place of the codes.",
    ),
    "lenet5": Entry(
        partial(lenet5, "modern"),
        f"after {LENET_PAPER}",
        channels=1,
        fixed=True,
        note="The form taught today: ReLU, max pooling, full connections.",
    ),
    "alexnet-2012": ImageNet(
        partial(alexnet, "2012"),
        ALEXNET_PAPER,
        usual_size=(227, 227),
        note="As published, in two groups; the paper prints 224, which does not fit.",
    ),
    "alexnet-2012-one-column": ImageNet(
        partial(alexnet, "2012-one-column"),
        ALEXNET_PAPER,
        usual_size=(227, 227),
        note="The same without groups.",
    ),
    "alexnet-2014": ImageNet(
        partial(alexnet, "2014"),
        "Krizhevsky 2014",
        note="One tower without response normalisation: what most software means by AlexNet.",
    ),
    **{
        name: ImageNet(partial(vgg, variant), f"{VGG_PAPER}, {variant}")
        for name, variant in VGGS.items()
    },
    **{
        f"{name}-bn": ImageNet(
            partial(vgg, VGGS[name], True),
            f"after {VGG_PAPER}, {VGGS[name]}",
            note="With batch normalisation behind every convolution, which is not in the paper.",
        )
        for name in ("vgg11", "vgg13", "vgg16", "vgg19")
    },
    "googlenet-2014": ImageNet(partial(googlenet, "2014"), GOOGLENET_PAPER),
    "googlenet-bn": ImageNet(
        partial(googlenet, "bn"),
        f"after {GOOGLENET_PAPER}",
        note="The widely used form: batch normalisation, 3×3 in place of 5×5, 2×2 in pool4.",
    ),
    **{
        f"resnet{depth}": ImageNet(
            partial(resnet, depth, "B"),
            f"{RESNET_PAPER}, table 1" if depth < 50 else f"after {RESNET_PAPER}, table 1",
            note="Shortcuts by projection (option B)."
            + ("" if depth < 50 else " A bottleneck's stride is in its 3×3; the paper's in 1×1."),
        )
        for depth in (18, 34, 50, 101, 152)
    },
    **{
        f"resnet{depth}-2015": ImageNet(
            partial(resnet, depth, "B", 1),
            f"{RESNET_PAPER}, table 1",
            note="A bottleneck's stride is in its first 1×1, as in the paper.",
        )
        for depth in (50, 101, 152)
    },
    **{
        f"resnet{depth}-a": ImageNet(
            partial(resnet, depth, "A"),
            f"{RESNET_PAPER}, section 4.1",
            note="Shortcuts without parameters (option A), as in the comparison with plain nets.",
        )
        for depth in (18, 34)
    },
    **{
        f"plain{depth}": ImageNet(
            partial(resnet, depth, "none"), f"{RESNET_PAPER}, section 4.1", note="No shortcuts."
        )
        for depth in (18, 34)
    },
    **{
        f"resnet{depth}": Entry(
            partial(resnet, depth, "A"),
            f"{RESNET_PAPER}, section 4.2",
            note="The small-image family, with shortcuts that have no parameters (option A).",
        )
        for depth in SMALL_DEPTHS
    },
    **{
        f"plain{depth}": Entry(
            partial(resnet, depth, "none"),
            f"{RESNET_PAPER}, section 4.2",
            note="The small-image family without shortcuts.",
        )
        for depth in SMALL_DEPTHS
    },
    "small": Entry(
        small,
        "our own",
        channels=1,
        usual_size=(28, 28),
        note="Five convolutions, two of them around shortcuts: the default for small pictures.",
    ),
    "efficientnet-lite0": Entry(
        efficientnet_lite,
        "Tan & Le 2019, Lite form",
        usual_size=(224, 224),
        classes=1000,
        note="ReLU6 in place of swish, no squeeze-and-excitation.",
    ),
}


def entry(name: str) -> Entry:
    """The row of a network. Raises Mistake for an unknown name, with the nearest."""
    if name not in CATALOGUE:
        raise unknown("network", name, CATALOGUE)
    return CATALOGUE[name]


def complete(name: str, **arguments: Any) -> dict[str, Any]:
    """The arguments with the family's defaults beside them: what has to be kept to build it again.

    A saved model must not change when a default does. Raises Mistake for an unknown name, or for
    an argument that the family does not take.
    """
    signature = inspect.signature(entry(name).build)
    taken = {
        key: parameter.default
        for key, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    strange = [key for key in arguments if key not in taken]
    if strange:
        raise Mistake(
            f"The network {name!r} takes no argument {', '.join(map(repr, strange))}; "
            f"it takes {', '.join(taken)}."
        )
    return taken | arguments


def build(name: str, **arguments: Any) -> nn.Module:
    """The network `name` with the arguments classes, channels, size and the family's own.

    Raises Mistake as `complete` does, and for values that no network or not this family takes.

    >>> sum(p.numel() for p in build("linear", classes=10, channels=3, size=(32, 32)).parameters())
    30730
    """
    whole = complete(name, **arguments)
    for key in ("classes", "channels"):
        if not _counts(whole[key]):
            raise Mistake(f"{key} is a whole number, 1 or more, not {whole[key]!r}.")
    size = whole["size"]
    if not (isinstance(size, tuple | list) and len(size) == 2 and all(map(_counts, size))):
        raise Mistake(f"size is (height, width), whole numbers of 1 or more, not {size!r}.")
    return entry(name).build(**whole)


def _counts(value: object) -> bool:
    return isinstance(value, int) and value >= 1
