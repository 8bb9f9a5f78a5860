"""What the papers state of their networks: the figures that `hubel networks NAME --verify` holds
against what was built, the published errors, and where a network is known to depart.

Nothing here is measured.
"""

from dataclasses import replace

from hubel.networks.paper import Paper, Printed, Published
from hubel.networks.papers_resnet import RESNETS

_CODES = "The codes of the output are drawn anew in the manner of the paper's figure 3."
_TABLE_I = (
    "C3 is computed with zeros where table I has no connection: 240,000 multiply-adds in place of "
    "the 150,000 that its connections need."
)
_LENET = Paper(
    parameters=Printed("60000"),
    exact=60_000,
    shapes={"C1": (6, 28, 28), "S2": (6, 14, 14), "C3": (16, 10, 10), "S4": (16, 5, 5),
            "C5": (120, 1, 1), "F6": (84,), "output": (10,)},
    parts={"C1": 156, "S2": 12, "C3": 1_516, "S4": 32, "C5": 48_120, "F6": 10_164, "output": 0},
    published=(
        Published(0.95, None, "MNIST test, section III.B"),
        Published(0.8, None, "MNIST test, trained with distorted pictures too, section III.B"),
    ),
    departures=(_CODES, _TABLE_I),
)  # fmt: skip
_SIZE_224 = (
    "The paper prints pictures of 224×224, of which its first layer would make "
    "(224 − 11)/4 + 1 = 54.25; only 227×227 gives its 55."
)
_ALEXNET_UNITS = (
    "Section 3.5 counts 253,440 units for the first layer, which is 55×55×96 = 290,400 everywhere "
    "else; with these there are 659,272, the paper's 650,000."
)
_ALEXNET = Paper(
    parameters=Printed("60", "million"),
    exact=60_965_224,
    layers=8,
    units=Printed("650000"),
    kernels={"11×11": 1, "5×5": 1, "3×3": 3},
    modules={"Conv2d": 5, "Linear": 3, "LocalResponseNorm": 2, "MaxPool2d": 3, "Dropout": 2},
    shapes={"conv1": (96, 55, 55), "pool1": (96, 27, 27), "conv2": (256, 27, 27),
            "pool2": (256, 13, 13), "conv3": (384, 13, 13), "conv4": (384, 13, 13),
            "conv5": (256, 13, 13), "pool5": (256, 6, 6), "fc6": (4096,), "fc7": (4096,),
            "fc8": (1000,)},
    norm=(5, 1e-4, 0.75, 2.0),
    published=(
        Published(40.7, 18.2, "ImageNet 2012 validation, one network, table 2"),
        Published(38.1, 16.4, "ImageNet 2012 validation, five networks averaged, table 2"),
        Published(None, 15.3, "ImageNet 2012 test, seven networks, two of them pre-trained on "
                              "ImageNet 2011, table 2"),
    ),
    departures=("The two halves on two GPUs are one network with groups of two.",),
    errata=(
        _SIZE_224,
        _ALEXNET_UNITS,
        "16.4 % is an average of five networks; one alone has 18.2 %.",
        "It is often called the first use of ReLU: Jarrett et al. 2009 and Nair & Hinton 2010 "
        "are earlier.",
    ),
)  # fmt: skip


def _vgg(column: str, millions: str, exact: int, layers: int, top1: float, top5: float) -> Paper:
    small = 3 if column == "C" else 0
    widths = (64, 128, 256, 512, 512)
    crops = [
        Published(24.4, best, "ImageNet 2012 validation, several scales and crops, table 5")
        for name, best in (("D", 7.2), ("E", 7.1))
        if name == column
    ]
    return Paper(
        parameters=Printed(millions, "million"),
        exact=exact,
        layers=layers,
        kernels={"3×3": layers - 3 - small} | ({"1×1": small} if small else {}),
        modules={"Conv2d": layers - 3, "Linear": 3, "MaxPool2d": 5},
        shapes={f"pool{i}": (width, 224 >> i, 224 >> i) for i, width in enumerate(widths, 1)}
        | {"fc6": (4096,), "fc7": (4096,), "fc8": (1000,)},
        published=(
            Published(top1, top5, "ImageNet 2012 validation, one scale, table 3"),
            *crops,
            Published(None, 7.3, "ImageNet 2014 test, seven networks of the family, table 7"),
        ),
        departures=("Weights are drawn after Glorot & Bengio 2010, not taken from a trained A.",),
        errata=(
            "'Only 3×3' is said of the family: column C has three 1×1 convolutions.",
            "11.2 % to 7.3 %, the winner of 2013 to these networks, is an average of seven.",
        ),
    )  # fmt: skip


def _with_norm(paper: Paper, exact: int) -> Paper:
    """A batch-normalised form: what the paper states but for the parameters of the norms."""
    norm = "A batch normalisation stands behind every convolution; the paper has none."
    return replace(
        paper,
        exact=exact,
        modules={**paper.modules, "BatchNorm2d": paper.modules["Conv2d"]},
        published=(),
        departures=(norm, *paper.departures),
    )


_INCEPTION = {
    "3a": (256, 28, "128"), "3b": (480, 28, "304"), "4a": (512, 14, "73"), "4b": (512, 14, "88"),
    "4c": (512, 14, "100"), "4d": (528, 14, "119"), "4e": (832, 14, "170"), "5a": (832, 7, ""),
    "5b": (1024, 7, "71"),
}  # fmt: skip
_GOOGLENET = Paper(
    exact=6_998_552,
    with_heads=13_378_280,
    layers=22,
    # one 1×1 before conv2, four in each module, one in each head
    kernels={"7×7": 1, "1×1": 1 + 4 * 9 + 2, "3×3": 1 + 9, "5×5": 9},
    modules={"Inception": 9, "LocalResponseNorm": 2},
    shapes={"conv1": (64, 112, 112), "pool1": (64, 56, 56), "conv2": (192, 56, 56),
            "pool2": (192, 28, 28), "pool3": (480, 14, 14), "pool4": (832, 7, 7),
            "pool5": (1024, 1, 1), "fc": (1000,)}
    | {f"inception{name}": (maps, side, side) for name, (maps, side, _) in _INCEPTION.items()},
    products={f"inception{name}": Printed(ops, "million")
              for name, (_, _, ops) in _INCEPTION.items() if ops}
    | {"fc": Printed("1", "million")},
    published=(
        Published(None, 10.07, "ImageNet 2014 validation, one network, one crop, table 3"),
        Published(None, 7.89, "ImageNet 2014 validation, one network, 144 crops, table 3"),
        Published(None, 6.67, "ImageNet 2014 test, seven networks, 144 crops each"),
    ),
    departures=("The paper gives no constants for its response normalisation: AlexNet's are taken.",
                "Poolings round sizes up, which gives the sizes of table 1.",
                "Weights are drawn after He et al. 2015, which the paper could not know."),
    errata=(
        "Table 1 prints 2.7K parameters and 34M operations for the first layer; 7×7×3×64 weights "
        "are 9,408, and 118M multiply-adds.",
        "Table 1 prints 1072K parameters and 54M operations for 5a; its widths come to 1,043,456 "
        "and 51M. Of the others its operations agree, its parameters only for 3a and 3b.",
    ),
)  # fmt: skip

_VGGS = {
    "vgg11": _vgg("A", "133", 132_863_336, 11, 29.6, 10.4),
    "vgg13": _vgg("B", "133", 133_047_848, 13, 28.7, 9.9),
    "vgg16-1x1": _vgg("C", "134", 133_638_952, 16, 27.3, 8.8),
    "vgg16": _vgg("D", "138", 138_357_544, 16, 25.6, 8.1),
    "vgg19": _vgg("E", "144", 143_667_240, 19, 25.5, 8.0),
}

_WITH_NORM = {
    "vgg11": 132_868_840, "vgg13": 133_053_736, "vgg16": 138_365_992, "vgg19": 143_678_248,
}  # fmt: skip

PAPERS: dict[str, Paper] = {
    "lenet5-1998": _LENET,
    "lenet5-softmax": replace(
        _LENET,
        parameters=None,
        exact=60_850,
        layers=5,
        parts={**_LENET.parts, "output": 850},
        published=(),
        departures=("A trained linear output stands in place of the codes.", _TABLE_I),
    ),
    "lenet5": Paper(
        exact=61_706,
        layers=5,
        shapes={**_LENET.shapes, "C5": (120,)},
        modules={"MaxPool2d": 2, "ReLU": 4, "Conv2d": 2, "Linear": 3},
        departures=("ReLU, max pooling and full connections, where the paper has scaled tanh, "
                    "trained sub-sampling, table I and radial basis functions.",),
    ),
    "alexnet-2012": _ALEXNET,
    "alexnet-2012-one-column": replace(
        _ALEXNET,
        parameters=None,
        exact=62_378_344,
        published=(),
        departures=("Without the paper's two groups: all maps see all maps before them.",),
    ),
    "alexnet-2014": replace(
        _ALEXNET,
        parameters=None,
        exact=61_100_840,
        units=None,
        modules={"Conv2d": 5, "Linear": 3, "LocalResponseNorm": 0, "MaxPool2d": 3, "Dropout": 2},
        shapes={
            **_ALEXNET.shapes,
            "conv1": (64, 55, 55), "pool1": (64, 27, 27), "conv2": (192, 27, 27),
            "pool2": (192, 13, 13), "conv4": (256, 13, 13),
        },
        norm=None,
        published=(),
        departures=("The last maps are averaged to 6×6, whatever the picture's size, as widely "
                    "used and not in the paper.",),
        errata=(),
    ),
    **_VGGS,
    "vgg11-lrn": replace(
        _VGGS["vgg11"],
        modules={**_VGGS["vgg11"].modules, "LocalResponseNorm": 1},
        norm=(5, 1e-4, 0.75, 2.0),
        differs=("vgg11", "LocalResponseNorm"),
        published=(Published(29.7, 10.5, "ImageNet 2012 validation, one scale, table 3"),),
    ),
    **{
        f"{name}-bn": _with_norm(_VGGS[name], exact) for name, exact in _WITH_NORM.items()
    },
    "googlenet-2014": _GOOGLENET,
    "googlenet-bn": replace(
        _GOOGLENET,
        exact=6_624_904,
        with_heads=13_004_888,
        kernels={**_GOOGLENET.kernels, "3×3": 1 + 9 + 9, "5×5": 0},
        modules={"Inception": 9, "LocalResponseNorm": 0},
        products={},
        published=(),
        departures=(
            "Batch normalisation behind every convolution, which then has no bias, and no response "
            "normalisation.",
            "3×3 in place of the 5×5 of the modules' third branch, and pool4 of 2×2.",
            "Poolings round sizes up, which gives the sizes of table 1.",
        ),
        errata=(),
    ),
    **RESNETS,
    "efficientnet-lite0": Paper(
        parameters=Printed("4.7", "million"),
        exact=4_652_008,
        modules={"MBConv": 16},
        published=(Published(24.9, None, "ImageNet validation: the table of its authors"),),
        errata=("Its authors' table counts 407 million multiply-adds, more than its convolutions "
                "and its linear layer have (385 million).",),
    ),
}  # fmt: skip
