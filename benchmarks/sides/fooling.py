"""A search for fooling images, or the network alone on the same images; images a second of each.

The search is MAP-Elites as `hubel.breaking.fooling.fool` runs it. Alone, the network answers
batches of the same size that are there already: "plain" as it was built, in evaluation mode;
"folded" the copy that answers for the search, in the pieces in which it does.
"""

import json
import sys
import time

import torch

import hubel
from hubel import entrance
from hubel.breaking.fooling import answering, fool
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec

told = json.loads(sys.argv[1])
entrance.enter()


def model() -> Classifier:
    """With published weights, or fresh ones: how sure a network is does not change its speed."""
    if told["network"] == "efficientnet-lite0":
        return hubel.load("efficientnet-lite0")
    torch.manual_seed(0)
    network = catalogue.build(told["network"], classes=10, channels=1, size=(28, 28))
    names = [str(k) for k in range(10)]
    return Classifier(network.eval(), classes=names, pixels=PixelSpec((28, 28), 1))


classifier, batch = model(), told["offspring"]
seconds, spent = time.perf_counter, time.process_time


def searched() -> tuple[float, float]:
    """Images a second of wall time and of processor time, from the second generation on."""
    for at in fool(
        classifier, told["side"], evaluations=batch * (told["generations"] + 1), offspring=batch
    ):
        if at.number == 1:
            began, used = seconds(), spent()
    n = at.evaluations - batch
    return n / (seconds() - began), n / (spent() - used)


def alone() -> tuple[float, float]:
    spec = classifier.pixels
    images = torch.randint(256, (batch, spec.channels, *spec.size), dtype=torch.uint8)
    answer = answering(classifier, range(len(classifier.classes)))

    def plain() -> None:
        with torch.inference_mode():
            classifier(images.float().div_(255)).softmax(1)

    work = plain if told["side"] == "plain" else lambda: answer(images)
    work()
    began, used = seconds(), spent()
    for _ in range(told["generations"]):
        work()
    n = batch * told["generations"]
    return n / (seconds() - began), n / (spent() - used)


rate, by_processor = alone() if told["side"] in ("plain", "folded") else searched()
print(json.dumps({"rate": rate, "by_processor": by_processor}))
