"""The IDX format of MNIST and Fashion-MNIST (LeCun et al., yann.lecun.com/exdb/mnist).

Big-endian: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension's
size as four bytes, then the values in row-major order; gzipped or not.
"""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hubel import reading
from hubel.data.samples import Arrays
from hubel.mistakes import Failure

BLOCK = 1 << 24
MOST_BYTES = 2_000_000_000  # no published set of this format comes near


def read(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The array in a file, of so many dimensions. Raises Failure naming the file and the fault."""
    with reading.opened(path, most=MOST_BYTES) as file:
        try:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return _array(gzip.open(file) if zipped else file, path, dimensions)
        except (OSError, EOFError, zlib.error) as wrong:
            raise Failure(f"{path} cannot be read: {wrong}. Fetch it again.") from None


def samples(images: Path, labels: Path, classes: tuple[str, ...], split: str) -> Arrays:
    """Pictures (N, H, W) and labels (N,) of one split. Raises Failure where they do not agree."""
    pictures, numbers = read(images, dimensions=3), read(labels, dimensions=1)
    if len(pictures) != len(numbers):
        raise Failure(f"{images} has {len(pictures)} pictures, {labels} {len(numbers)} labels.")
    if len(numbers) and numbers.max() >= len(classes):
        raise Failure(f"{labels} has the label {numbers.max()}; they go to {len(classes) - 1}.")
    names = [f"{split}/{i}" for i in range(len(numbers))]
    return Arrays(pictures[..., None], numbers.astype(np.int64), classes, names)


def _blocks(file: BinaryIO | gzip.GzipFile, most: int) -> Iterator[bytes]:
    """At most so many bytes; room is made for no more than there are."""
    while most > 0 and (block := file.read(min(most, BLOCK))):
        most -= len(block)
        yield block


def _array(file: BinaryIO | gzip.GzipFile, path: Path, dimensions: int) -> NDArray[np.uint8]:
    """No more is read than the header says: what unpacks without end costs nothing."""
    magic = file.read(4)
    if magic[:3] != b"\x00\x00\x08" or len(magic) < 4:
        raise Failure(f"{path} is no IDX file of bytes: it begins with {magic.hex(' ')!r}.")
    if magic[3] != dimensions:
        raise Failure(f"{path} has {magic[3]} dimensions; expected {dimensions}.")
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise Failure(f"{path} is cut short in its header. Fetch it again.")
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
    expected = math.prod(shape)
    if expected > MOST_BYTES:
        raise Failure(f"{path} unpacks to more than {MOST_BYTES:,} bytes; it was not opened.")
    content = b"".join(_blocks(file, expected + 1))
    if len(content) != expected:
        raise Failure(
            f"{path} is cut short or too long: its header says {'×'.join(map(str, shape))} bytes, "
            f"and {'more' if len(content) > expected else f'{len(content):,}'} follow. "
            "Fetch it again."
        )
    # a copy: tensors are made of memory that may be written to
    return np.frombuffer(content, np.uint8).reshape(shape).copy()
