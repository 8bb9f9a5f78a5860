"""Fashion-MNIST's files as arrays, for sides that must not import hubel."""

import gzip
import os
from pathlib import Path

import numpy as np

PLACES = (
    Path(os.environ.get("HUBEL_HOME", Path.home() / ".cache" / "hubel")) / "data/fashion-mnist",
    Path("/usr/share/datasets/fashion-mnist"),
)


def folder() -> Path:
    """Where the four files are. Raises SystemExit when they are nowhere."""
    for place in PLACES:
        if (place / "train-images-idx3-ubyte.gz").exists():
            return place
    raise SystemExit("Fashion-MNIST is not here: apt install dataset-fashion-mnist")


def images(split: str) -> np.ndarray:
    """uint8 (N, 28, 28); split is train or t10k."""
    raw = gzip.decompress((folder() / f"{split}-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28).copy()


def labels(split: str) -> np.ndarray:
    """int64 (N,)"""
    raw = gzip.decompress((folder() / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=8).astype(np.int64)
