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


@pytest.mark.parametrize("what", ["import hubel", "import hubel.cli", "import hubel.data.decoding"])
def test_importing_imports_no_torch_and_changes_nothing(what: str) -> None:
    program = f"import os, sys; before = dict(os.environ); {what}; " + (
        "print('torch' in sys.modules, dict(os.environ) == before)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert said.split() == ["False", "True"]
