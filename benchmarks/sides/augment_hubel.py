"""One batch's augmentation as the recipe `finetune` has it, or one training step on it."""

import json
import sys
import time

import numpy as np
import torch

from hubel import entrance

told = json.loads(sys.argv[1])
entrance.enter()

from hubel.data.augment.compose import EFFECTS, augmentation  # noqa: E402
from hubel.networks import catalogue  # noqa: E402
from hubel.training.recipe import resolve  # noqa: E402

recipe = resolve("finetune", {"data": "stamps", "flip": True})
n, device = told["batch"], told["device"]
pixels = torch.rand(n, 3, 224, 224, device=device)  # as batches come; a step turns their layout
times = []
if told["what"] == "augment":
    change = augmentation({name: float(getattr(recipe, name) or 0) for name in EFFECTS})
    assert change is not None
else:
    network = catalogue.build("efficientnet-lite0", classes=10, channels=3, size=(224, 224))
    network.to(device, memory_format=torch.channels_last)
    labels = torch.arange(n, device=device) % 10
for step in range(4):
    if device == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    if told["what"] == "augment":
        change(pixels.clone(), np.arange(n) + n * step, 0, 0)
    else:
        turned = pixels.contiguous(memory_format=torch.channels_last)
        torch.nn.functional.cross_entropy(network(turned), labels).backward()
    if device == "cuda":
        torch.cuda.synchronize()
    times.append(time.perf_counter() - began)
print(json.dumps({"seconds": min(times[1:])}))
