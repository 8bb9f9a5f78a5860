"""The IDX format of MNIST and Fashion-MNIST (LeCun et al., yann.lecun.com/exdb/mnist).

Big-endian: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension's
size as four bytes, then the values in row-major order; gzipped or not.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubel.data.samples import Arrays
from hubel.mistakes import Failure

MOST_BYTES = 2_000_000_000  # no published set of this format comes near


def read(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The array in a file, of so many dimensions. Raises Failure naming the file and the fault."""
    content = _content(path)
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise Failure(f"{path} is no IDX file of bytes: it begins with {content[:4].hex(' ')!r}.")
    found = content[3]
    if found != dimensions:
        raise Failure(f"{path} has {found} dimensions; expected {dimensions}.")
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise Failure(f"{path} is cut short in its header. Fetch it again.")
    shape = tuple(int(n) for n in np.frombuffer(content[4:header], ">u4"))
    expected = int(np.prod(shape, dtype=object))  # exact, whatever a header claims
    if len(content) - header != expected:
        raise Failure(
            f"{path} is cut short or too long: its header says {'×'.join(map(str, shape))} bytes, "
            f"and {len(content) - header:,} follow. Fetch it again."
        )
    # a copy: tensors are made of memory that may be written to
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def samples(images: Path, labels: Path, classes: tuple[str, ...], split: str) -> Arrays:
    """Pictures (N, H, W) and labels (N,) of one split. Raises Failure where they do not agree."""
    pictures, numbers = read(images, dimensions=3), read(labels, dimensions=1)
    if len(pictures) != len(numbers):
        raise Failure(f"{images} has {len(pictures)} pictures, {labels} {len(numbers)} labels.")
    if len(numbers) and numbers.max() >= len(classes):
        raise Failure(f"{labels} has the label {numbers.max()}; they go to {len(classes) - 1}.")
    names = [f"{split}/{i}" for i in range(len(numbers))]
    return Arrays(pictures[..., None], numbers.astype(np.int64), classes, names)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as wrong:
        raise Failure(f"{path} cannot be read: {wrong}. Fetch it again.") from None
    if len(content) > MOST_BYTES:
        raise Failure(f"{path} unpacks to more than {MOST_BYTES:,} bytes; it was not opened.")
    return content
