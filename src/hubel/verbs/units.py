"""The units of a layer, worked up for its atlas."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.data.decoding import Loaded
from hubel.data.samples import Samples
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.report.atlas import Unit, unit_sheet
from hubel.understanding.crops import Box, crop, held, seen
from hubel.understanding.deconvnet import project
from hubel.understanding.maximise import OnStep, maximise
from hubel.understanding.objectives import Objective
from hubel.understanding.outputs import Handed, handed_on
from hubel.understanding.patches import TopPatches
from hubel.verbs.interrupt import Request, Stopped
from hubel.verbs.watch import Watch

TOGETHER = 16  # units that are worked on at a time
STEPS = 128  # of gradient ascent
STARTS = 3  # of an image whose unit stays at 0, until it is given up
JITTER = 14  # of what a unit sees, one part: a shift that it hardly notices
LARGEST = 96  # side of an image made for a unit; a larger field is not filled


class Units:
    """The units of a layer, worked up for its atlas: what is known of them, as drawings."""

    def __init__(
        self, classifier: Classifier, layer: Handed, top: TopPatches, loaded: Loaded,
        samples: Samples, rule: str,
    ) -> None:  # fmt: skip
        self.classifier, self.layer, self.rule = classifier, layer, rule
        self.top, self.loaded, self.samples = top, loaded, samples
        self.size = classifier.pixels.size
        self.field = self.size
        if layer.field is not None and len(layer.shape) == 4:
            box = seen(layer.field, 0, 0, self.size)
            self.field = box.bottom - box.top, box.right - box.left
        self.shape = self._image_shape()

    def made(self, chosen: Sequence[int], request: Request, watch: Watch) -> Iterator[list[Unit]]:
        """Some at a time; after a request to stop, no more, those at work included."""
        for start in range(0, len(chosen), TOGETHER):
            some = chosen[start : start + TOGETHER]

            def on_step(
                number: int, *_: Tensor, before: int = start, some: Sequence[int] = some
            ) -> None:
                request.heed()
                done = before + len(some) * number / (STEPS + 1)
                watch.progress("units", done, len(chosen), self.layer.name)

            watch.progress("units", start, len(chosen), self.layer.name)
            try:
                request.heed()
                made = self._some(some, on_step)
            except Stopped:
                return
            yield made
        watch.progress("units", len(chosen), len(chosen), self.layer.name)

    def _some(self, numbers: Sequence[int], on_step: OnStep) -> list[Unit]:
        made = dict[int, tuple[Tensor, float]]()
        for start in range(STARTS):
            left = [number for number in numbers if number not in made]
            if not left:
                break
            for number, image, final in self._images(left, start, on_step):
                if final > 0 or start == STARTS - 1:
                    made[number] = image, final
        return [self._unit(number, *made[number]) for number in numbers]

    def _images(
        self, numbers: Sequence[int], start: int, on_step: OnStep
    ) -> Iterator[tuple[int, Tensor, float]]:
        """An image for each unit, and the activation that it ends with."""
        measure = "centre" if len(self.layer.shape) == 4 else "score"
        wanted = [
            Objective(number, layer=self.layer.name, measure=measure, draw=start)
            for number in numbers
        ]
        made = maximise(
            self.classifier, wanted, shape=self.shape, steps=STEPS,
            jitter=min(*self.field, *self.shape[1:]) // JITTER, on_step=on_step,
        )  # fmt: skip
        yield from zip(numbers, made.images, made.final.tolist(), strict=True)

    def _unit(self, number: int, image: Tensor, final: float) -> Unit:
        top = TopPatches(*(part[number] for part in self.top))
        # what leaves the unit at 0, behind a ReLU, does not excite it
        excites = (top.pictures >= 0) & (top.values != 0)
        found = TopPatches(*(part[excites] for part in top))
        there = found.pictures.tolist()
        places = list(zip(found.rows.tolist(), found.columns.tolist(), strict=True))
        pixels = torch.from_numpy(self.loaded.images[there]).to(image.device).float() / 255
        projected = project(
            self.classifier, pixels, self.layer.name, number, places=places, rule=self.rule
        ).pixels
        boxes = [self._box(row, column) for row, column in places]
        patches = [_array(crop(each, box)) for each, box in zip(pixels, boxes, strict=True)]
        # beyond the picture a projection is 0, as mid-grey is
        signed = [_array(crop(each, box, 0.0)) for each, box in zip(projected, boxes, strict=True)]
        part = self._shown(signed)
        patches, signed = ([each[part] for each in some] for some in (patches, signed))
        names: list[str] = []
        if len(self.samples.classes) > 1:
            labels = self.samples.labels[self.loaded.kept[there]]
            names = [self.samples.classes[label] for label in labels]
        return Unit(
            number,
            unit_sheet(patches, signed, _array(image) if final > 0 else None),
            found.values.tolist(),
            [self.loaded.names[i] for i in there],
            names,
            final,
            patches[0].shape[:2] if patches else (0, 0),
        )

    def _shown(self, signed: Sequence[NDArray[np.float32]]) -> tuple[slice, slice]:
        """Of what a unit sees, the part that counts: the rim hardly does."""
        height, width = self.field
        box = Box(0, 0, height, width)
        if len(signed) and height == width and self.field != self.size:
            box = held(np.stack(signed))
        return slice(box.top, box.bottom), slice(box.left, box.right)

    def _box(self, row: int, column: int) -> Box:
        if self.layer.field is None or len(self.layer.shape) == 2:
            return Box(0, 0, *self.size)
        return seen(self.layer.field, row, column, self.size)

    def _image_shape(self) -> tuple[int, int, int]:
        """As small as shows all: what a unit sees; behind linear layers, what they demand."""
        channels = self.classifier.pixels.channels
        small = [min(side, max(LARGEST // 3, min(field, LARGEST)))
                 for side, field in zip(self.size, self.field, strict=True)]  # fmt: skip
        shape = (channels, small[0], small[1])
        if len(self.layer.shape) == 4:
            return shape
        try:
            handed_on(self.classifier, next(self.classifier.parameters()).new_zeros(1, *shape))
        except (RuntimeError, Mistake):
            return (channels, *self.size)
        return shape


def _array(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.detach().float().permute(1, 2, 0).cpu().numpy()
    return found
