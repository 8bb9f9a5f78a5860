"""Training steps of a ResNet on random pictures: images a second."""

import json
import sys
import time

import torch

from hubel.networks import catalogue

told = json.loads(sys.argv[1])
device, batch = torch.device(told["device"]), told["batch"]
dtype = {"bfloat16": torch.bfloat16, "float32": None}[told["precision"]]
layout = torch.channels_last if told["channels_last"] else torch.contiguous_format
side, classes = told["side"], told["classes"]
network = catalogue.build(told["network"], classes=classes, channels=3, size=(side, side))
network = network.to(device, memory_format=layout)
if told.get("compile"):
    network = torch.compile(network)
optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
pixels = torch.rand(batch, 3, side, side, device=device).contiguous(memory_format=layout)
labels = torch.randint(0, classes, (batch,), device=device)


def step() -> None:
    with torch.autocast(device.type, dtype, enabled=dtype is not None):
        logits = network(pixels)
    loss = torch.nn.functional.cross_entropy(logits.float(), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def settled() -> float:
    """The time once everything asked for has been done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


for _ in range(5):
    step()
began, steps = settled(), 0
while settled() - began < told["seconds"]:
    for _ in range(5):
        step()
    steps += 5
seconds = settled() - began
print(json.dumps({"images": steps * batch / seconds}))
