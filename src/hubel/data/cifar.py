"""CIFAR-10 and CIFAR-100 in their publisher's binary version (Krizhevsky 2009).

A record is one label byte (CIFAR-100: two, coarse and fine), then 1,024 red, 1,024 green and 1,024
blue bytes, row by row. The Python version, which is a pickle, is never opened.
"""

from pathlib import Path

import numpy as np

from hubel import reading
from hubel.data.samples import Arrays
from hubel.mistakes import Failure

MOST_BYTES = 2_000_000_000  # of a file; the largest that is published has 154 million
PIXELS = 3 * 32 * 32


def samples(paths: list[Path], *, label_bytes: int, classes: tuple[str, ...], split: str) -> Arrays:
    """The records of some files; the last label byte is the class.

    Raises Failure naming a file that is missing, cut short, or has labels out of range.
    """
    parts = [_records(path, label_bytes + PIXELS) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        highest = int(part[:, label_bytes - 1].max(initial=0))
        if highest >= len(classes):
            raise Failure(f"{path} has the label {highest}; they go to {len(classes) - 1}.")
    records = np.concatenate(parts)
    images = records[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    labels = records[:, label_bytes - 1].astype(np.int64)
    names = [f"{split}/{i}" for i in range(len(labels))]
    return Arrays(np.ascontiguousarray(images), labels, classes, names)


def class_names(path: Path, expected: int) -> tuple[str, ...]:
    """The names in batches.meta.txt or fine_label_names.txt, one a line."""
    names = tuple(line.strip() for line in reading.text(path).splitlines() if line.strip())
    if len(names) != expected:
        raise Failure(f"{path} has {len(names)} class names; expected {expected}.")
    return names


def _records(path: Path, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    content = np.frombuffer(reading.content(path, most=MOST_BYTES), np.uint8)
    if len(content) == 0 or len(content) % size:
        raise Failure(
            f"{path} has {len(content):,} bytes, which is no whole number of {size}-byte records: "
            "it is cut short, or not the binary version."
        )
    return content.reshape(-1, size)
