"""Training steps of one network in several precisions and layouts, in turn: images a second.

All kinds begin with the same weights and see the same pictures; how far the first logits are from
those of the first kind is compared. They share a process, so that they meet the same clock rate.
"""

import copy
import json
import sys
import time

import torch
from torch import Tensor, nn

from hubel.networks import catalogue

told = json.loads(sys.argv[1])
device = torch.device(told["device"])
side = told["side"]
torch.manual_seed(0)
original = catalogue.build(
    told["network"], classes=told["classes"], channels=told["channels"], size=(side, side)
)
pictures = torch.rand(told["batch"], told["channels"], side, side).to(device)
labels = torch.randint(0, told["classes"], (told["batch"],)).to(device)


class Kind:
    """A network of its own, trained in one precision and layout."""

    def __init__(self, precision: str, channels_last: bool, compiled: bool) -> None:
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.precision = precision
        network = copy.deepcopy(original).to(device, memory_format=layout)
        self.network: nn.Module = torch.compile(network) if compiled else network
        self.optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
        self.pixels = pictures.contiguous(memory_format=layout)

    def step(self) -> Tensor:
        tf32 = self.precision != "float32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.network(self.pixels)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return logits.detach().float()


def settled() -> float:
    """The time once everything asked for has been done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peak() -> float:
    """MiB that were in use at most since the last time."""
    if device.type != "cuda":
        return 0.0
    most = torch.cuda.max_memory_allocated() / 2**20
    torch.cuda.reset_peak_memory_stats()
    return most


def rate(kind: Kind) -> float:
    """Images a second, over so many seconds at least."""
    began, steps = settled(), 0
    while settled() - began < told["seconds"]:
        for _ in range(told["steps"]):
            kind.step()
        steps += told["steps"]
    return steps * told["batch"] / (settled() - began)


kinds = [Kind(*each) for each in told["kinds"]]
rows: list[dict[str, object]] = []
reference = None
for kind in kinds:
    began = settled()
    logits = kind.step()
    first = settled() - began
    reference = logits if reference is None else reference
    error = float((logits - reference).abs().max() / (reference.max() - reference.min()))
    kind.step()
    peak()
    kind.step()  # what is in use while all kinds' weights are
    rows.append({"first": first, "error": error, "peak_mib": peak(), "images": []})
for _ in range(told["rounds"]):
    for row, kind in zip(rows, kinds, strict=True):
        row["images"].append(rate(kind))
print(json.dumps({"kinds": rows}))
