"""One network, ours and torchvision's, in one process, step by step in turn.

The wheel of torchvision is taken from the peer's environment into this process, so that both run on
the very same torch. Their answers for the same weights are compared as well.
"""

import json
import statistics
import sys
import time

import torch
import torchvision_operators  # noqa: F401 - before torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hubel import entrance
from hubel.model import Heads
from hubel.networks import catalogue

told = json.loads(sys.argv[1])
sys.path.append(told["packages"])
from torchvision import models  # noqa: E402 - from the path above

if told["allocator"]:
    entrance.enter()
layout = torch.channels_last if told["channels_last"] else torch.contiguous_format
torch.manual_seed(0)
heads = {"init_weights": False} if told["theirs"] == "googlenet" else {}
theirs = getattr(models, told["theirs"])(**heads)
ours = catalogue.build(told["ours"], classes=1000, channels=3, size=(224, 224))
sides: dict[str, nn.Module] = {"ours": ours, "theirs": theirs}
for network in sides.values():
    network.to(memory_format=layout)
# the layers stand in the same order, whatever their names
pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
aligned = all(a.shape == b.shape for a, b in pairs)
if aligned:
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
pixels = torch.rand(told["batch"], 3, 224, 224).contiguous(memory_format=layout)
labels = torch.randint(0, 1000, (told["batch"],))


def forward(network: nn.Module) -> torch.Tensor:
    network.eval()
    with torch.no_grad():
        return network(pixels)


def train(network: nn.Module) -> None:
    network.train()
    made = network(pixels)
    loss = nn.functional.cross_entropy
    if isinstance(made, Heads):
        beside = [loss(logits, labels) for logits in made.auxiliary]
        value = loss(made.logits, labels) + 0.3 * (beside[0] + beside[1])
    elif isinstance(made, tuple):  # torchvision's GoogLeNet
        value = loss(made.logits, labels) + 0.3 * (
            loss(made.aux_logits1, labels) + loss(made.aux_logits2, labels)
        )
    else:
        value = loss(made, labels)
    network.zero_grad()
    value.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.sub_(parameter.grad, alpha=1e-4)


difference = float("nan")
if aligned:
    a, b = forward(ours), forward(theirs)
    difference = float((a - b).abs().max() / (b.max() - b.min()))
result: dict[str, float] = {"difference": difference}
for name, step in (("forward", forward), ("train", train)):
    with FlopCounterMode(display=False) as counter:
        step(ours)
    step(theirs)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(told["turns"]):
        order = list(sides) if turn % 2 else list(sides)[::-1]
        for side in order:
            began = time.perf_counter()
            step(sides[side])
            seconds[side].append(time.perf_counter() - began)
    result[f"{name}_gflop"] = counter.get_total_flops() / 1e9
    for side, found in seconds.items():
        result[f"{name}_{side}"] = statistics.median(found)
print(json.dumps(result))
