"""The top patches of a model over pictures: found once, kept, and gone on with after a stop."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hubel import atomic
from hubel.inference.layout import lay_out
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.tensors import pack, seal, unseal
from hubel.twins import copied
from hubel.understanding.outputs import Handed
from hubel.understanding.patches import Batch, Strongest, restored, strongest
from hubel.verbs.interrupt import Request
from hubel.verbs.watch import Watch

VERSION = 2  # of what is kept: another one is looked for anew
PIXELS = 1 << 21  # numbers in a batch of pictures, about: layers of theirs are to stay in caches
EVERY = 30.0  # seconds between two savings


def top_patches(
    classifier: Classifier,
    images: NDArray[np.uint8],
    handed: list[Handed],
    kept_in: Path,
    *,
    device: torch.device,
    watch: Watch,
    request: Request,
) -> Strongest:
    """The nine strongest patches of every unit of all these layers, over images (N, C, H, W).

    handed: as `handed_on` has it; those of maps and of units are looked at. kept_in: the folder
    for what was found, under a name made of weights and pictures. A request to stop saves what
    there is and raises KeyboardInterrupt; the next call goes on from there.
    """
    layers = [each.name for each in handed if len(each.shape) in (2, 4)]
    file = kept_in / f"{_name(classifier, images, layers)}.safetensors"
    state = _kept(file, layers, device, watch)
    done = state.seen if state else 0
    if state is not None and done >= len(images):
        return state
    # a copy, as layouts belong to the weights: this one is twice as fast
    network = copied(classifier).eval()
    layout = lay_out(network, classifier.mean.new_zeros(1, *images.shape[1:]))
    saved, before = time.monotonic(), state
    batches = _batches(images, done, device, layout)
    for state in strongest(network, batches, layers, state=before):
        watch.progress("top patches", state.seen, len(images))
        if request.made or time.monotonic() - saved > EVERY:
            _keep(file, state, watch)
            saved = time.monotonic()
        if request.made:
            raise KeyboardInterrupt
    if state is None:
        raise Failure("There are no pictures to look for patches in.")
    _keep(file, state, watch)
    return state


def _batches(
    images: NDArray[np.uint8], start: int, device: torch.device, layout: torch.memory_format
) -> Iterator[Batch]:
    size = max(8, min(256, PIXELS // int(np.prod(images.shape[1:]))))
    for first in range(start, len(images), size):
        part = torch.from_numpy(np.ascontiguousarray(images[first : first + size])).to(device)
        pixels = (part.float() / 255).contiguous(memory_format=layout)
        yield range(first, first + len(part)), pixels


def _name(classifier: Classifier, images: NDArray[np.uint8], layers: list[str]) -> str:
    """Another name for other weights, pixels, pictures or layers."""
    digest = hashlib.sha256(f"{VERSION} {layers} {classifier.pixels.as_json()}".encode())
    digest.update(pack(classifier.network.state_dict()))
    for image in images:
        digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()[:20]


def _kept(file: Path, layers: list[str], device: torch.device, watch: Watch) -> Strongest | None:
    if not file.is_file():
        return None
    try:
        tensors = unseal(file).tensors
        return restored({name: each.to(device) for name, each in tensors.items()}, layers)
    except Failure as wrong:
        watch.notice(f"{wrong} It is made anew.")
        return None


def _keep(file: Path, state: Strongest, watch: Watch) -> None:
    """Save it; what cannot be saved is looked for again another time, and that is all."""
    try:
        atomic.write(file, seal(state.tensors(), {}), within=file.parent.parent)
    except Failure as wrong:
        watch.notice(f"The top patches are not kept. {wrong}")
