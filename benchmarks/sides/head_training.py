"""The last layer alone, trained on features kept or made anew each epoch; and its accuracy."""

import json
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from hubel import entrance

told = json.loads(sys.argv[1])
entrance.enter()

import hubel  # noqa: E402
from hubel.data.decoding import load  # noqa: E402
from hubel.data.folder import splits  # noqa: E402
from hubel.transfer.features import headless, pooled  # noqa: E402
from hubel.transfer.probe import probe  # noqa: E402

parts = splits(Path(told["folder"]), validation=0.05, test=None, seed=0)
classifier = hubel.load("efficientnet-lite0")
train, validation, test = (
    load(part, classifier.pixels) for part in (parts.train, parts.validation, parts.test)
)
classes = len(parts.train.classes)
labels = torch.from_numpy(train.labels)
tested = pooled(classifier, test.images)


def by_steps(features: object) -> tuple[Tensor, Tensor]:
    """AdamW in batches of 32: (weights, biases). features: indices → (n, D)."""
    width = tested.shape[1]
    layer = nn.Linear(width, classes)
    optimiser = torch.optim.AdamW(layer.parameters(), told["rate"], weight_decay=0.01)
    for _ in range(told["epochs"]):
        for indices in torch.randperm(len(labels)).split(32):
            loss = nn.functional.cross_entropy(layer(features(indices)), labels[indices])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return layer.weight.detach(), layer.bias.detach()


torch.manual_seed(0)
began = time.perf_counter()
if told["how"] == "anew":
    network = headless(classifier).eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def anew(indices: Tensor) -> Tensor:
        batch = torch.from_numpy(train.images[indices.numpy()]).float() / 255
        return network(batch.contiguous(memory_format=torch.channels_last))

    weights, biases = by_steps(lambda indices: anew(indices).clone())
else:
    kept = pooled(classifier, train.images)
    if told["how"] == "kept":
        weights, biases = by_steps(lambda indices: kept[indices])
    else:
        chosen_on = pooled(classifier, validation.images), torch.from_numpy(validation.labels)
        weights, biases = probe(kept, labels, classes=classes, validation=chosen_on)
seconds = time.perf_counter() - began
right = (tested @ weights.T + biases).argmax(1) == torch.from_numpy(test.labels)
print(json.dumps({"seconds": seconds, "accuracy": right.double().mean().item()}))
