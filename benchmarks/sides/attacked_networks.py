"""The two networks that attacks.py attacks, for every side: plain torch, weights as safetensors.

    attacked_networks.py '{"weights": FOLDER}'

trains them on Fashion-MNIST, unless they are there, and prints their test accuracies.
"""

import json
import sys
from pathlib import Path

import clothes
import torch
from safetensors.torch import load_file, save_file
from torch import nn

EPOCHS, BATCH, RATE = 3, 128, 3e-3


def cnn() -> nn.Module:
    """Two convolutions and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))


NETWORKS = {"cnn": cnn, "linear": linear}


def trained(name: str, folder: Path) -> nn.Module:
    """The network with the weights in the folder, in evaluation mode."""
    network = NETWORKS[name]()
    network.load_state_dict(load_file(folder / f"{name}.safetensors"))
    return network.eval()


def pictures(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels (N, 1, 28, 28) in [0, 1] and labels (N,)."""
    pixels = torch.from_numpy(clothes.images(split))[:, None].float().div_(255)
    return pixels, torch.from_numpy(clothes.labels(split))


def train(network: nn.Module) -> None:
    """Adam, one cycle."""
    pixels, labels = pictures("train")
    network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters())
    steps = len(pixels) // BATCH
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pixels))[: steps * BATCH].view(steps, BATCH):
            loss = nn.functional.cross_entropy(network(pixels[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()


def named(network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """The classes that the network names, (N,)."""
    with torch.no_grad():
        return torch.cat([network(part).argmax(1) for part in pixels.split(500)])


if __name__ == "__main__":
    folder = Path(json.loads(sys.argv[1])["weights"])
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, build in NETWORKS.items():
        place = folder / f"{name}.safetensors"
        if not place.exists():
            torch.manual_seed(0)
            network = build()
            train(network)
            beside = place.with_suffix(".part")
            save_file({k: v.contiguous() for k, v in network.state_dict().items()}, beside)
            beside.rename(place)
        pixels, labels = pictures("t10k")
        found[name] = float((named(trained(name, folder), pixels) == labels).double().mean())
    print(json.dumps(found))
