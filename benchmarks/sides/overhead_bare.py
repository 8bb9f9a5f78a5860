"""Epochs of `small` in a bare loop over tensors in memory: nothing but the training itself.

As hubel does it by default, it answers the validation pictures after every epoch.
"""

import json
import sys
import time

import clothes
import torch
import torch.nn.functional as F
from small_torch import small

told = json.loads(sys.argv[1])
epochs, batch, layout = told["epochs"], told["batch"], getattr(torch, told["layout"])
pixels = torch.from_numpy(clothes.images("train"))[:, None]
labels = torch.from_numpy(clothes.labels("train"))
train, validation = slice(0, 54_000), slice(54_000, None)
mean, std = 0.286, 0.353
torch.manual_seed(0)
network = small().to(memory_format=layout)
optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, nesterov=True)
ends = [time.perf_counter()]
for _ in range(epochs):
    network.train()
    order = torch.randperm(54_000)
    for chosen in order.split(batch):
        x = ((pixels[train][chosen].float() / 255 - mean) / std).contiguous(memory_format=layout)
        loss = F.cross_entropy(network(x), labels[train][chosen], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    right = 0
    with torch.no_grad():
        for x, y in zip(pixels[validation].split(256), labels[validation].split(256), strict=True):
            x = ((x.float() / 255 - mean) / std).contiguous(memory_format=layout)
            right += int((network(x).argmax(1) == y).sum())
    ends.append(time.perf_counter())
# the first epoch also sets the kernels up
print(json.dumps({"seconds": (ends[-1] - ends[1]) / (epochs - 1), "validation": right / 6000}))
