"""Published networks, one family a file, every variant a row of a table."""

from hubel.networks.catalogue import CATALOGUE, Entry, build
from hubel.networks.efficientnet_lite import efficientnet_lite
from hubel.networks.lenet import lenet5
from hubel.networks.linear import linear
from hubel.networks.mlp import mlp
from hubel.networks.resnet import resnet
from hubel.networks.small import small

__all__ = [
    "CATALOGUE",
    "Entry",
    "build",
    "efficientnet_lite",
    "lenet5",
    "linear",
    "mlp",
    "resnet",
    "small",
]
