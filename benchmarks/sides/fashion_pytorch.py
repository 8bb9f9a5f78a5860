"""The network and loop of PyTorch's own MNIST example, on Fashion-MNIST.

Two convolutions of 32 and 64 maps, one pooling, dropout, two linear layers; Adadelta at rate 1 with
a factor 0.7 an epoch, batches of 64, torchvision's data set and transforms, and the test pictures
answered after every epoch, as the example does.
"""

import gzip
import json
import sys
import tempfile
import time
from pathlib import Path

import clothes
import torch
import torch.nn.functional as F
import torchvision_operators  # noqa: F401
from torch import nn
from torchvision import datasets, transforms

told = json.loads(sys.argv[1])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = self.dropout1(F.max_pool2d(x, 2)).flatten(1)
        return F.log_softmax(self.fc2(self.dropout2(F.relu(self.fc1(x)))), dim=1)


def accuracy(network, loader):
    network.eval()
    with torch.no_grad():
        right = sum(int((network(x).argmax(1) == y).sum()) for x, y in loader)
    return right / len(loader.dataset)


with tempfile.TemporaryDirectory() as folder:
    raw = Path(folder) / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in clothes.folder().glob("*-ubyte.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.2860,), (0.3530,))]
    )
    train = datasets.FashionMNIST(folder, train=True, transform=transform)
    test = datasets.FashionMNIST(folder, train=False, transform=transform)
torch.manual_seed(told["seed"])
train_loader = torch.utils.data.DataLoader(train, batch_size=told["batch"], shuffle=True)
test_loader = torch.utils.data.DataLoader(test, batch_size=1000)
network = Net()
optimiser = torch.optim.Adadelta(network.parameters(), lr=told["rate"])
schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=1, gamma=told["gamma"])
began = time.perf_counter()
for _ in range(told["epochs"]):
    network.train()
    for x, y in train_loader:
        optimiser.zero_grad()
        F.nll_loss(network(x), y).backward()
        optimiser.step()
    found = accuracy(network, test_loader)
    schedule.step()
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "accuracy": found, "epochs": told["epochs"]}))
