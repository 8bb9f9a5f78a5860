"""Class images: so many, all in one batch or one by one, and how long one of them takes."""

import json
import sys
import time

from torch import nn

import hubel
from hubel import entrance
from hubel.networks import catalogue
from hubel.training.initialisation import initialise
from hubel.understanding.maximise import maximise
from hubel.understanding.objectives import Objective

CLASSES = 10

told = json.loads(sys.argv[1])
entrance.enter()


def model() -> nn.Module:
    """With published weights, or fresh ones of He's."""
    if told["network"] == "efficientnet-lite0":
        return hubel.load("efficientnet-lite0")
    size = (told["pixels"], told["pixels"])
    network = catalogue.build(
        told["network"], classes=CLASSES, channels=told["channels"], size=size
    )
    initialise(network, "he", seed=0)
    return network.eval()


def made(objectives: list[Objective], steps: int) -> list[float]:
    """The scores that the images reach."""
    shape = (told["channels"], told["pixels"], told["pixels"])
    return maximise(network, objectives, shape=shape, steps=steps).final.tolist()


network = model()
objectives = [Objective(i % CLASSES, draw=i // CLASSES) for i in range(told["images"])]
groups = [objectives[i : i + told["each"]] for i in range(0, told["images"], told["each"])]
made(groups[0], 1)
began = time.perf_counter()
scores = [score for group in groups for score in made(group, told["steps"])]
seconds = time.perf_counter() - began
print(json.dumps({"per_image": seconds / told["images"], "scores": scores}))
