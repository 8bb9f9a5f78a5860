"""What publishers call the tensors of their checkpoints, family by family.

From our names to theirs: so everything that is said of a file is said in the file's own names.
"""

import re

from hubel.networks.vgg import VARIANTS

# (a pattern in our name, what stands in theirs), applied one after the other
Names = tuple[tuple[str, str], ...]


def published_name(name: str, names: Names) -> str:
    """Our name of a tensor → the publisher's.

    >>> published_name("conv3_x.0.shortcut.bn.running_mean", RESNET)
    'layer2.0.downsample.1.running_mean'
    >>> published_name("conv2_1.bias", vgg("A", batch_norm=True))
    'features.4.bias'
    """
    for pattern, replacement in names:
        name = re.sub(pattern, replacement, name)
    return name


def _layers(places: dict[str, str]) -> Names:
    """Whole layers, ours → theirs."""
    return tuple((rf"^{ours}\.", f"{published}.") for ours, published in places.items())


# torchvision numbers the layers of AlexNet and VGG, those without tensors too.
ALEXNET = _layers(
    {
        **{f"conv{i}": f"features.{n}" for i, n in enumerate((0, 3, 6, 8, 10), 1)},
        **{f"fc{i}": f"classifier.{n}" for i, n in ((6, 1), (7, 4), (8, 6))},
    }
)


def vgg(variant: str, *, batch_norm: bool) -> Names:
    """A column of VGG's table 1: behind each convolution its norm, if any, and a ReLU are counted,
    behind each stage its pooling."""
    counted: list[str] = []
    for stage, convolutions in enumerate(VARIANTS[variant].convolutions, 1):
        for i in range(1, convolutions + 1):
            counted += [f"conv{stage}_{i}", *([f"bn{stage}_{i}"] if batch_norm else []), "relu"]
        counted.append("pool")
    places = {layer: f"features.{n}" for n, layer in enumerate(counted) if "_" in layer}
    return _layers(places | {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"})


GOOGLENET: Names = (
    (r"^conv2\.", "conv3."),  # torchvision counts the reduction before it as a layer
    (r"^conv2_reduce\.", "conv2."),
    (r"\.branch([23])\.reduce\.", r".branch\1.0."),
    (r"\.branch([23])\.conv\.", r".branch\1.1."),
    (r"\.branch4\.project\.", ".branch4.1."),
)

RESNET: Names = (
    *((rf"^conv{i + 1}_x\.", f"layer{i}.") for i in range(1, 5)),
    (r"\.shortcut\.conv\.", ".downsample.0."),
    (r"\.shortcut\.bn\.", ".downsample.1."),
)

EFFICIENTNET_LITE: Names = (
    (r"^stem\.conv\.", "_conv_stem."),
    (r"^stem\.bn\.", "_bn0."),
    (r"^head\.conv\.", "_conv_head."),
    (r"^head\.bn\.", "_bn1."),
    (r"^fc\.", "_fc."),
    (r"^blocks\.", "_blocks."),
    (r"\.expand\.conv\.", "._expand_conv."),
    (r"\.expand\.bn\.", "._bn0."),
    (r"\.depthwise\.conv\.", "._depthwise_conv."),
    (r"\.depthwise\.bn\.", "._bn1."),
    (r"\.project\.conv\.", "._project_conv."),
    (r"\.project\.bn\.", "._bn2."),
)
