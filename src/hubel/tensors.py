"""Tensors by name as bytes, and back: safetensors, which hold numbers alone and run nothing."""

import hashlib
import json
import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hubel import reading
from hubel.mistakes import Failure

PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK")  # how those files begin
# where a sealed file says its SHA-256; within the text behind it quotes are escaped, so that the
# pattern does not occur there
SEAL = re.compile(rb'"sealed":"([0-9a-f]{64}) ')
NO_SEAL = "0" * 64


class Sealed(NamedTuple):
    """What a sealed file held: the tensors, and the text of the facts beside them (JSON)."""

    tensors: dict[str, Tensor]
    facts: str


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors by name as safetensors; each owns its memory (two names may share one tensor)."""
    return safetensors.torch.save(_own(tensors))


def unpack(content: bytes, source: object) -> dict[str, Tensor]:
    """The inverse of `pack`. Raises Failure, naming the source, for what is no safetensors file."""
    try:
        return safetensors.torch.load(content)
    # an odd shape, or a type that torch does not have, is found only as tensors are made
    except (safetensors.SafetensorError, ArithmeticError, LookupError, RuntimeError, TypeError,
            ValueError) as wrong:  # fmt: skip
        pickled = content[:2] in PICKLED
        why = "it is a pickle, which could run any code; it was not opened" if pickled else wrong
        raise Failure(f"{source} holds no safetensors weights: {why}.") from None


def seal(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """Tensors and facts (JSON values) as one file that knows whether it is whole.

    Its header holds the SHA-256 of the file as it is with zeros in that place: no byte can change
    unseen.
    """
    blank = safetensors.torch.save(_own(tensors), {"sealed": f"{NO_SEAL} {json.dumps(facts)}"})
    place = SEAL.search(blank)
    if place is None:  # nothing of the user's can lead here
        raise RuntimeError("safetensors wrote its header in another way than it did")
    digits = hashlib.sha256(blank).hexdigest().encode()
    return blank[: place.start(1)] + digits + blank[place.end(1) :]


def unseal(path: Path) -> Sealed:
    """What `seal` made. Raises Failure for a file that is not, byte by byte, as it was written."""
    content = reading.content(path)
    header = content[: 8 + int.from_bytes(content[:8], "little")]
    place = SEAL.search(header)
    if place is None:
        raise reading.damaged(path, "it carries no checksum")
    blank = hashlib.sha256(content[: place.start(1)])
    blank.update(NO_SEAL.encode())
    blank.update(memoryview(content)[place.end(1) :])
    if blank.hexdigest().encode() != place[1]:
        raise reading.damaged(path, "its SHA-256 is not the one that it carries")
    tensors = unpack(content, path)
    try:
        facts = json.loads(header[8:])["__metadata__"]["sealed"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise reading.damaged(path, "its header is not ours") from None
    return Sealed(tensors, str(facts).partition(" ")[2])


def check_finite(tensors: Mapping[str, Tensor], learned: Container[str], source: object) -> None:
    """Raises Failure, naming the source, for weights that are not finite.

    learned: the names of those that are parameters; of the others, masks may hold −∞.
    """
    for name, tensor in tensors.items():
        if bool(tensor.isnan().any()) or (name in learned and bool(tensor.isinf().any())):
            raise Failure(
                f"{source} is of no use: {name} holds numbers that are not finite. Train the model "
                "anew, or restore it from a copy."
            )


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
