"""kornia's equivalent of the recipe `finetune`'s changes, drawn for each picture of a batch."""

import json
import sys
import time

import kornia.augmentation as K
import torch

told = json.loads(sys.argv[1])
change = K.AugmentationSequential(
    K.RandomHorizontalFlip(p=0.5),
    K.RandomResizedCrop((224, 224), scale=(0.5, 1.0), p=1.0, cropping_mode=told["cropping"]),
    K.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, p=1.0),
)
pixels = torch.rand(told["batch"], 3, 224, 224, device=told["device"])
times = []
for _ in range(4):
    if told["device"] == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    change(pixels.clone())
    if told["device"] == "cuda":
        torch.cuda.synchronize()
    times.append(time.perf_counter() - began)
print(json.dumps({"seconds": min(times[1:])}))
