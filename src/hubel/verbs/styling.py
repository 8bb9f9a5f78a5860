"""A folder of style transfers in the making: painted, saved, and shown."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hubel.mistakes import Failure, Mistake
from hubel.model import Classifier
from hubel.output import Output
from hubel.pixels import Pixels, as_png
from hubel.report.html import Onward
from hubel.report.style import Result, loss_curves, side_by_side, style_page
from hubel.understanding.style import Layers, Step, transfer
from hubel.verbs.interrupt import Request
from hubel.verbs.style_state import HASHED, STATE, Kept, Painting
from hubel.verbs.watch import Watch

PAGE, FACTS, GRID, CURVES = "style.html", "style.json", "grid.png", "curves.png"
LOSSES = ("content", "style", "total_variation")
SAVE_SECONDS = 30  # between two saves


@dataclass(frozen=True)
class Painted:
    """One picture. content, style, total_variation: its losses, unweighted, after `steps`."""

    weight: float
    file: Path
    steps: int
    content: float
    style: float
    total_variation: float

    def as_json(self) -> dict[str, Any]:
        return vars(self) | {"file": str(self.file)}


class Work:
    """A folder that pictures are painted into, one after another.

    pictures: content and style, uint8 (H, W, C). facts: what style.json says besides. end: of the
    page. fresh: whether what stands in the folder is another result, which this one replaces.
    """

    def __init__(
        self, folder: Output, classifier: Classifier, pictures: tuple[Pixels, Pixels],
        layers: Layers, kept: Kept, facts: dict[str, Any], end: Onward, *, fresh: bool,
    ) -> None:  # fmt: skip
        self.folder, self.classifier, self.pictures = folder, classifier, pictures
        self.layers, self.kept, self.facts = layers, kept, facts
        self.end, self.fresh = end, fresh

    def paint(self, painting: Painting, request: Request, watch: Watch) -> None:
        """Step by step, saving; ends after a step where a stop was asked for."""
        steps, detail = self.kept.steps, f"style weight {painting.weight:g}"
        before = steps * self.kept.paintings.index(painting)
        every = steps * len(self.kept.paintings)
        saved = time.monotonic()
        for step in self._steps(painting):
            painting.add(step)
            watch.progress("paint", before + step.number, every, detail)
            if request.made and step.number < steps:
                return
            if time.monotonic() - saved >= SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        painting.ended = painting.steps < steps
        watch.progress("paint", before + steps, every, detail)
        self._write(file_of(painting), as_png(eight_bit(painting.image())))
        self.save()

    def _steps(self, painting: Painting) -> Iterator[Step]:
        content, style = (self._tensor(each) for each in self.pictures)
        settings = self.kept.settings
        try:
            return transfer(
                self.classifier, content, style, layers=self.layers, steps=self.kept.steps,
                style_weight=painting.weight, variation_weight=settings["variation weight"],
                start=settings["start"], seed=settings["seed"], state=painting.state,
            )  # fmt: skip
        except Failure:
            raise
        except RuntimeError as wrong:
            if "memory" in str(wrong).lower():
                raise
            height, width = content.shape[1:]
            raise Mistake(
                f"The network does not take pictures of {width}×{height} up to these layers "
                f"({str(wrong).splitlines()[0]}): give a larger --size, or other layers."
            ) from None

    def _tensor(self, pixels: Pixels) -> Tensor:
        own = torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float().div_(255)
        return own.to(self.classifier.mean.device)

    def save(self) -> None:
        """What is needed to go on, in one file."""
        self._write(STATE, self.kept.packed())

    def _write(self, name: str, content: bytes) -> None:
        self.folder.write_all(({FACTS: self._told(())} if self.fresh else {}) | {name: content})
        self.fresh = False

    def show(self) -> tuple[Painted, ...]:
        """Write all that can be shown of what there is; last of all, that it is finished."""
        begun = [each for each in self.kept.paintings if each.begun]
        if not begun:
            return ()
        self.save()
        images = {each.weight: eight_bit(each.image()) for each in begun}
        made = [
            Painted(each.weight, self.folder.path / file_of(each), each.steps, *each.curve[-1])
            for each in begun
        ]
        for each in made:
            self._write(each.file.name, as_png(images[each.weight]))
        self._write(GRID, side_by_side(*self.pictures, images))
        curves = loss_curves({each.weight: each.curve for each in begun})
        self._write(CURVES, curves)
        self._write(PAGE, self._page(made, images, curves))
        self._write(FACTS, self._told(made))
        if self.kept.unfinished is None:
            self.kept.finished = True
            self.save()
        self.folder.finish()
        return tuple(made)

    def _page(self, made: Sequence[Painted], images: dict[float, Pixels], curves: bytes) -> bytes:
        results = [
            Result(
                each.weight, images[each.weight], each.steps,
                each.content, each.style, each.total_variation,
            )
            for each in made
        ]  # fmt: skip
        return style_page(*self.pictures, results, curves, self._facts(), self.end).encode()

    def _facts(self) -> dict[str, Any]:
        """What holds for all pictures."""
        settings = {
            name.replace(" ", "_"): value
            for name, value in self.kept.settings.items()
            if name not in HASHED
        }
        finished = self.kept.unfinished is None
        return self.facts | settings | {"steps": self.kept.steps, "finished": finished}

    def _told(self, made: Sequence[Painted]) -> bytes:
        curves = {
            each.weight: dict(zip(LOSSES, zip(*each.curve, strict=True), strict=True))
            for each in self.kept.paintings
            if each.begun
        }
        told = self._facts() | {
            "pictures": [
                each.as_json() | {"file": each.file.name, "curves": curves[each.weight]}
                for each in made
            ],
        }  # fmt: skip
        return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()


def file_of(painting: Painting) -> str:
    return f"weight-{painting.weight:g}.png"


def eight_bit(image: Tensor) -> Pixels:
    """(C, H, W) in [0, 1] → uint8 (H, W, C)."""
    levels: Pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return levels
