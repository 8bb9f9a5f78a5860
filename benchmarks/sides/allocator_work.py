"""Answering or training under a given bound of retained memory; what it took and what it kept."""

import ctypes
import json
import resource
import sys
import time

told = json.loads(sys.argv[1])
if told["kept"] is not None:
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in ((-4, 0), (-2, min(2**26, told["kept"])), (-1, told["kept"])):
        assert mallopt(parameter, value) == 1

import torch  # noqa: E402
from pictures import cuts  # noqa: E402
from small_torch import small  # noqa: E402

import hubel  # noqa: E402
from hubel.inference.folding import folded  # noqa: E402


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def resident() -> float:
    """MB of this process's memory now, and not at its highest."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1000


if told["work"] == "train":
    network = small().to(memory_format=torch.channels_last)
    pixels, labels = torch.rand(128, 1, 28, 28), torch.randint(0, 10, (128,))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(network(pixels), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    each, repeats = 128, 20
else:
    network = folded(hubel.load("efficientnet-lite0").network, torch.empty(1, 3, 224, 224))
    network = network.to(memory_format=torch.channels_last)
    each, repeats = told["batch"], max(3, 64 // told["batch"])
    pixels = torch.from_numpy(cuts(each)).to(memory_format=torch.channels_last).float() / 255

    def step() -> None:
        with torch.inference_mode():
            network(pixels)


before = resident()
step()
best, first = float("inf"), faults()
for _ in range(repeats):
    began = time.perf_counter()
    step()
    best = min(best, time.perf_counter() - began)
print(
    json.dumps(
        {
            "ms": 1000 * best / each,
            "faults": (faults() - first) / repeats / each,
            "kept_mb": resident() - before,
        }
    )
)
