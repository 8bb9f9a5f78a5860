"""A pass over pictures: the network alone, or the top patches of every unit of every layer."""

import json
import resource
import sys
import time

import torch
from torch import nn

import hubel
from hubel import entrance
from hubel.model import Classifier, evaluating
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.training.initialisation import initialise
from hubel.understanding.outputs import handed_on
from hubel.understanding.patches import strongest

DISTINCT = 500  # pictures; more are their copies, shifted and darkened: the time is the same

told = json.loads(sys.argv[1])
entrance.enter()


def model(name: str, side: int, channels: int) -> nn.Module:
    if name == "efficientnet-lite0":
        return hubel.load(name)
    network = catalogue.build(name, classes=10, channels=channels, size=(side, side))
    initialise(network, "he", seed=0)
    spec = PixelSpec((side, side), channels, (0.5,) * channels, (0.25,) * channels)
    return Classifier(network, classes=tuple(map(str, range(10))), pixels=spec)


def batch(start: int, stop: int) -> torch.Tensor:
    numbers = torch.arange(start, stop)
    factor = 1 - 0.5 * (numbers / told["images"])
    pictures = pixels[numbers % DISTINCT] * factor.view(-1, 1, 1, 1)
    return pictures.contiguous(memory_format=layout)


network = model(told["network"], told["side"], told["channels"]).eval()
layout = torch.channels_last if told["channels_last"] else torch.contiguous_format
network = network.to(memory_format=layout)
shape = told["channels"], told["side"], told["side"]
pixels = torch.rand(DISTINCT, *shape, generator=torch.Generator().manual_seed(0))
starts = range(0, told["images"], told["batch"])
batches = ((range(i, i + told["batch"]), batch(i, i + told["batch"])) for i in starts)
layers = [each.name for each in handed_on(network, pixels[:1]) if len(each.shape) in (2, 4)]
with evaluating(network) as network:
    network(batch(0, told["batch"]))  # what is prepared once
memory, units = [], 0
began = time.perf_counter()
if told["work"] == "plain":
    with evaluating(network) as network:
        for _, each in batches:
            network(each)
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
else:
    for state in strongest(network, batches, layers):
        units = sum(state.units.values())
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
seconds = time.perf_counter() - began
print(json.dumps({
    "seconds": seconds, "layers": len(layers), "units": units,
    "peak_mib": memory[-1] / 1024, "half_mib": memory[len(memory) // 2] / 1024,
}))  # fmt: skip
