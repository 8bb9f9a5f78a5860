"""Published networks, one family a file, every variant a row of a table."""

from hubel.networks.alexnet import alexnet
from hubel.networks.catalogue import CATALOGUE, Entry, build
from hubel.networks.efficientnet_lite import efficientnet_lite
from hubel.networks.googlenet import googlenet
from hubel.networks.lenet import lenet5
from hubel.networks.linear import linear
from hubel.networks.mlp import mlp
from hubel.networks.resnet import resnet
from hubel.networks.small import small
from hubel.networks.vgg import vgg

__all__ = [
    "CATALOGUE",
    "Entry",
    "alexnet",
    "build",
    "efficientnet_lite",
    "googlenet",
    "lenet5",
    "linear",
    "mlp",
    "resnet",
    "small",
    "vgg",
]
