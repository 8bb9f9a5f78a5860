"""EfficientNet-Lite0 in a plain PyTorch loop, as anybody writes it: eval, no_grad, batches."""

import json
import sys
import time

import numpy as np
import torch
from pictures import cuts

import hubel  # for the network and its weights; nothing of hubel runs in the loop

told = json.loads(sys.argv[1])
device, batch = told.get("device", "cpu"), told["batch"]
model = hubel.load("efficientnet-lite0").eval().to(device)
images = torch.from_numpy(cuts(told["n"]))
best = float("inf")
for _ in range(told["passes"]):
    parts = []
    began = time.perf_counter()
    with torch.no_grad():
        for x in images.split(batch):
            parts.append(model(x.to(device).float() / 255).cpu())
    best = min(best, time.perf_counter() - began)
if "logits" in told:
    np.save(told["logits"], torch.cat(parts).numpy())
print(json.dumps({"ms": 1000 * best / told["n"]}))
