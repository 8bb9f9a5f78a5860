"""Cue-conflict images in a folder: made one after another, kept as PNG, and used again."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.breaking.cue_conflict import METHODS, Conflict, Painting, Pair, conflicts
from hubel.model import Model
from hubel.output import Output
from hubel.pixels import Unreadable, as_png, decode
from hubel.tensors import pack
from hubel.understanding.style_layers import chosen
from hubel.verbs.interrupt import Request, heeding
from hubel.verbs.shape_sources import as_levels, as_pixels
from hubel.verbs.watch import Watch

IMAGES = "conflicts"  # the folder of images, in the verb's own
NAME = 24  # letters of a class in a file's name


class Work:
    """Images that a folder holds or that are made into it.

    An image is found again by the digest of all that it follows from, which is in its name: the
    two pictures, the method and its settings, and the seed. So the same images serve another model.
    """

    def __init__(
        self,
        folder: Output,
        images: NDArray[np.uint8],
        textures: NDArray[np.uint8],
        pairs: Sequence[Pair],
        classes: Sequence[str],
        *,
        method: str,
        painting: Painting,
        seed: int,
    ) -> None:
        self.folder, self.images, self.textures, self.pairs = folder, images, textures, pairs
        self.method, self.painting, self.seed = method, painting, seed
        settings = json.dumps(_settings(method, painting) | {"seed": seed}).encode()
        self.files = [self._file(settings, pair, classes) for pair in pairs]

    def _file(self, settings: bytes, pair: Pair, classes: Sequence[str]) -> str:
        found = hashlib.sha256(settings)
        for part in (self.images[pair.shape], self.textures[pair.texture]):
            found.update(f"{part.shape}".encode() + part.tobytes())
        shape, texture = (_plain(classes[k]) for k in pair[2:])
        return f"{IMAGES}/{shape}-in-{texture}-{found.hexdigest()[:16]}.png"

    @property
    def names(self) -> list[str]:
        """What the images' files are called, without their folder."""
        return [Path(file).name for file in self.files]

    def cost(self, clock: Callable[[], float]) -> float:
        """Seconds that an image takes to make, by the first that is not there; 0 if all are."""
        for pair, file in zip(self.pairs, self.files, strict=True):
            if self._read(file) is None:
                began = clock()
                next(self._running([pair], self.painting, {}))
                return clock() - began
        return 0.0

    def _running(
        self, pairs: Sequence[Pair], painting: Painting, made: Mapping[int, Tensor]
    ) -> Iterator[Conflict]:
        return conflicts(
            pairs, as_pixels(self.images), as_pixels(self.textures), method=self.method,
            painting=painting, seed=self.seed, made=made,
        )  # fmt: skip

    def make(self, request: Request, watch: Watch) -> NDArray[np.uint8]:
        """All images uint8 (M, C, H, W); after a stop was asked for, those that are whole.

        What the folder has is read; what it lacks is made and written at once.
        """
        there = {i: image for i, file in enumerate(self.files) if (image := self._read(file))
                 is not None}  # fmt: skip
        for i in there:
            self.folder.keep(self.files[i])
        if there and len(there) < len(self.pairs):
            watch.notice(f"{len(there)} of {len(self.pairs)} images are there already.")
        made: list[NDArray[np.uint8]] = []
        running = self._running(
            self.pairs,
            replace(self.painting, on_step=request.heed),
            {i: as_pixels(image) for i, image in there.items()},
        )
        total = len(self.pairs)
        watch.progress("paint", 0, total)
        for each in heeding(running):
            image = as_levels(each.image)
            if each.number not in there:
                self.folder.write(self.files[each.number], as_png(image.transpose(1, 2, 0)))
            made.append(image)
            watch.progress(
                "paint", each.number + 1, total, Path(self.files[each.number]).stem[:-17]
            )
            if request.made and each.number + 1 < total:
                break
        return np.stack(made) if made else self.images[:0]

    def _read(self, name: str) -> NDArray[np.uint8] | None:
        file = self.folder.path / name
        if not file.is_file():
            return None
        try:
            found = decode(file, channels=self.images.shape[1]).transpose(2, 0, 1)
        except Unreadable:
            return None  # it is made again
        return found if found.shape == self.images.shape[1:] else None


def _settings(method: str, painting: Painting) -> dict[str, Any]:
    """What the images of a method follow from, besides the pictures, as JSON values."""
    if not METHODS[method].paints:
        return {"method": method}
    network = painting.network
    return {"method": method} | {
        "network": None if network is None else digest(network),
        "layers": _layers(painting),
        "weights": [painting.style_weight, painting.content_weight, painting.variation_weight],
        "steps": painting.steps,
    }


def _layers(painting: Painting) -> list[dict[str, float]] | None:
    layers = painting.layers
    if layers is None and painting.network is not None:
        spec = painting.network.pixels
        layers, _ = chosen(painting.network, spec.size, channels=spec.channels)
    return None if layers is None else [dict(layers.content), dict(layers.style)]


def digest(model: Model) -> str:
    """SHA-256 of what a model is: its weights and its normalisation."""
    facts = json.dumps([model.pixels.mean, model.pixels.std]).encode()
    with torch.no_grad():
        return hashlib.sha256(pack(model.network.state_dict()) + facts).hexdigest()


def _plain(name: str) -> str:
    """A class's name as part of a file's name.

    >>> _plain("T-shirt/top"), _plain("..")
    ('T-shirt_top', '_')
    """
    return re.sub(r"[^\w-]+", "_", name)[:NAME] or "_"
