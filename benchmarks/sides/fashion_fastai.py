"""fastai's SimpleCNN of 32, 64 and 128 maps on Fashion-MNIST, one cycle.

The pictures are handed to it as tensors in memory: the fastest way it has, with no file to decode.
"""

import json
import random
import sys
import time

import clothes
import torch
import torchvision_operators  # noqa: F401
from fastai.callback.schedule import fit_one_cycle  # noqa: F401
from fastai.data.core import DataLoaders
from fastai.layers import SimpleCNN
from fastai.learner import Learner
from fastai.metrics import accuracy
from torch import nn
from torch.utils.data import TensorDataset

told = json.loads(sys.argv[1])


def tensors(split):
    pixels = torch.from_numpy(clothes.images(split))[:, None].float().div_(255)
    return pixels.sub_(0.286).div_(0.353), torch.from_numpy(clothes.labels(split))


pixels, labels = tensors("train")
train, validation = (
    TensorDataset(pixels[:54_000], labels[:54_000]),
    TensorDataset(pixels[54_000:], labels[54_000:]),
)
torch.manual_seed(told["seed"])
random.seed(told["seed"])  # fastai shuffles with it
data = DataLoaders.from_dsets(train, validation, bs=told["batch"], device="cpu")
data.c = 10
network = nn.Sequential(SimpleCNN((1, 32, 64, 128)), nn.Linear(128, 10))
learner = Learner(data, network, loss_func=nn.CrossEntropyLoss(), metrics=accuracy)
began = time.perf_counter()
learner.fit_one_cycle(told["epochs"], told["rate"])
seconds = time.perf_counter() - began
network.eval()
x, y = tensors("t10k")
with torch.no_grad():
    right = sum(
        int((network(a).argmax(1) == b).sum())
        for a, b in zip(x.split(500), y.split(500), strict=True)
    )
print()
print(json.dumps({"seconds": seconds, "accuracy": right / len(y), "epochs": told["epochs"]}))
