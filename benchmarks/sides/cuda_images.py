"""Class images of EfficientNet-Lite0 by gradient ascent: many at once, and one after another.

Whether an image comes out as if it had been made alone is looked at in float64.
"""

import json
import sys
import time

import torch

import hubel
from hubel.understanding.maximise import Maximised, maximise
from hubel.understanding.objectives import Objective

told = json.loads(sys.argv[1])
device = torch.device(told["device"])
classifier = hubel.load("efficientnet-lite0").to(device)
shape = (3, told["size"], told["size"])
chosen = [Objective(1000 * i // told["images"]) for i in range(told["images"])]


def made(objectives: list[Objective], steps: int) -> Maximised:
    """The images, once they are on the processor."""
    found = maximise(classifier, objectives, shape=shape, steps=steps)
    found.images.cpu()
    return found


def seconds(objectives: list[Objective]) -> float:
    """For one image."""
    began = time.perf_counter()
    made(objectives, told["steps"])
    return (time.perf_counter() - began) / len(objectives)


made(chosen[:1], 2)
made(chosen, 2)
if device.type == "cuda":
    torch.cuda.reset_peak_memory_stats()
together = [seconds(chosen) for _ in range(told["rounds"])]
peak = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else 0.0
alone = [seconds([one]) for one in chosen[: told["alone"]]]
classifier = classifier.double()
few = chosen[:3]
company = made(few, 4).images
differences = [
    float((made([one], 4).images[0] - image).abs().max())
    for one, image in zip(few, company, strict=True)
]
print(json.dumps({
    "together": together, "alone": alone, "peak_mib": peak, "difference": max(differences),
}))  # fmt: skip
