"""The pictures that a test of shape against texture starts from: read, cut out, and named."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel import draws
from hubel import pixels as px
from hubel.breaking import cues, masks, sixteen
from hubel.breaking.masks import Masks
from hubel.data.samples import Files, Samples
from hubel.inference.answers import Answers
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.networks.weights import imagenet_classes
from hubel.opening import opened
from hubel.pixels import Pixels, PixelSpec
from hubel.verbs.labelled import Split, flattered, numbered, samples_of
from hubel.verbs.load import own_run
from hubel.verbs.prepare import decode
from hubel.verbs.watch import Watch

AT_ONCE = 64  # pictures that objects are looked for in at a time
OPAQUE = 128  # of 255: from this opacity on a pixel is the object's


@dataclass(frozen=True)
class Namer:
    """A classifier and the classes that it answers among.

    sixteen: whether these are the 16 categories, of which it has the 1,000 classes beneath.
    """

    classifier: Classifier
    classes: tuple[str, ...]
    sixteen: bool
    device: torch.device

    def probabilities(self, images: NDArray[np.uint8]) -> Tensor:
        """uint8 (N, C, H, W), at the classifier's size → (N, K), rows that sum to 1.

        Of the 16 categories, each one's mean over the sum of all sixteen means.
        """
        answers = Answers(self.classifier, expected=len(images), device=self.device)
        answers.add(images)
        found = answers.logits().softmax(1)
        if not self.sixteen:
            return found
        means = sixteen.categories(found)
        return means / means.sum(1, keepdim=True).clamp_min(torch.finfo(means.dtype).tiny)


def namer(classifier: Classifier, classes: Sequence[str], device: torch.device) -> Namer:
    """How a classifier names pictures of these classes: by its own, or by the 16 categories.

    Raises Mistake for classes of which it knows none by name.
    """
    is_imagenet = classifier.classes == imagenet_classes()
    if is_imagenet and sixteen.known(classes):
        return Namer(classifier, sixteen.CATEGORIES, True, device)
    numbered(tuple(classes), classifier.classes)  # which says what is strange
    return Namer(classifier, classifier.classes, False, device)


@dataclass(frozen=True)
class Sources:
    """Pictures uint8 (N, C, H, W) as the model sees them, and what is known of them.

    labels (N,): as the namer numbers classes. masks (N, H, W): where the object is; cut_out (N,):
    by the picture's own alpha channel; doubts (N,): why a mask is uncertain, "" where it is not.
    textures: uint8, as the pictures; patched (N,): whether from a patch of the object. of: how many
    pictures there were to draw from. what: the data in words.
    """

    samples: Samples
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    masks: Masks
    cut_out: NDArray[np.bool_]
    doubts: tuple[str, ...]
    textures: NDArray[np.uint8]
    patched: NDArray[np.bool_]
    what: str
    of: int

    @property
    def certain(self) -> NDArray[np.bool_]:
        return np.array([not doubt for doubt in self.doubts], bool)

    @property
    def dark(self) -> bool:
        """Whether most of the pictures, of some hundreds of them, are on dark grounds."""
        return cues.on_dark(as_pixels(self.images[:: 1 + len(self.images) // 256]))


def samples_for(
    model: str | os.PathLike[str] | Classifier,
    data: str | os.PathLike[str] | None,
    *,
    split: Split | None,
    most: int,
    seed: int,
    watch: Watch,
) -> tuple[Samples, str, int]:
    """(the pictures, the data in words, how many there are): at most so many, all classes alike.

    As `hubel.evaluate` finds them. Raises Mistake for pictures of less than two classes.
    """
    if most < 2:
        raise Mistake(f"--images is 2 or more, not {most}: a conflict takes two pictures.")
    own = own_run(model)
    _, samples, name = samples_of(own, data, split, watch)
    there = np.unique(samples.labels)
    if len(there) < 2:
        raise Mistake(
            "A cue conflict takes the shape of one class and the texture of another; these "
            f"pictures are all of {samples.classes[there[0]]!r}. Name data of two classes or more."
        )
    of = len(samples)
    each = -(-most // len(there))
    chosen = np.concatenate([
        own_of[draws.order(seed, int(k), len(own_of), "shape pictures")[:each]]
        for k in there
        for own_of in [np.flatnonzero(samples.labels == k)]
    ])  # fmt: skip
    if len(chosen) < of:
        samples = samples.subset(np.sort(chosen))
    if own is not None and data is not None:
        flattered(own, own.path.name, samples, watch)
    where = "its own data" if data is None else os.path.basename(os.path.abspath(os.fspath(data)))
    return samples, where if name == "all" else f"{where}, {name}", of


def sources(
    samples: Samples, what: str, of: int, namer: Namer, *, workers: int, watch: Watch
) -> Sources:
    """Decoded, cut out and with a texture each: see `Sources`."""
    spec = namer.classifier.pixels
    loaded = decode(samples, spec, what, workers=workers, watch=watch)
    kept = samples.subset(loaded.kept)
    n, height, width = len(kept), *spec.size
    where, cut_out = np.zeros((n, height, width), bool), np.zeros(n, bool)
    textures, patched = np.empty_like(loaded.images), np.zeros(n, bool)
    doubts: list[str] = []
    for start in range(0, n, AT_ONCE):
        watch.progress("objects", start, n)
        here = slice(start, min(start + AT_ONCE, n))
        pixels = as_pixels(loaded.images[here])
        found = masks.found(pixels.numpy())
        where[here], solid = found.masks, found.solid.copy()
        doubts += found.why
        for i in range(here.start, here.stop):
            alpha = opacity(kept.paths[i], spec) if isinstance(kept, Files) else None
            if alpha is not None:
                where[i], cut_out[i], doubts[i] = alpha, True, ""
                solid[i - start] = alpha
        # of an uncertain mask nothing is cut: the texture is then the picture's middle
        sure = np.array([not doubt for doubt in doubts[here]], bool)
        made = cues.textures(pixels, solid & sure[:, None, None])  # not of what is seen in holes
        textures[here], patched[here] = as_levels(made.pixels), made.inside
    watch.progress("objects", n, n)
    return Sources(
        kept, loaded.images, numbered(samples.classes, namer.classes).numpy()[loaded.labels],
        loaded.names, where, cut_out, tuple(doubts), textures, patched, what, of,
    )  # fmt: skip


def opacity(path: str | os.PathLike[str], spec: PixelSpec) -> Masks | None:
    """Where a picture's file is opaque, (h, w) at the specification's size; None if all of it is.

    A picture laid over black differs from itself over white where it is transparent: read twice by
    the rules of `hubel.pixels`, so that the mask is turned, cut and resized as the picture is.
    """
    try:
        with opened(path, px.written(path)) as image:
            if "A" not in image.getbands() and "transparency" not in image.info:
                return None
        over: list[Pixels] = [
            px.read(path, replace(spec, background=ground), background=ground)
            for ground in (0.0, 1.0)
        ]
    except px.Unreadable:
        return None  # it could be read a moment ago: no reason to stop
    apart = over[1].astype(np.int16) - over[0]
    mask: Masks = apart.max(2) < 255 - OPAQUE
    return mask if 0 < mask.mean() < 1 else None


def as_pixels(images: NDArray[np.uint8]) -> Tensor:
    """uint8 → float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 255


def as_levels(pixels: Tensor) -> NDArray[np.uint8]:
    """Pixels in [0, 1] → uint8."""
    levels: NDArray[np.uint8] = (pixels * 255).round().to(torch.uint8).cpu().numpy()
    return levels
