"""A classifier's pictures under corruptions: which answers are wrong, and the record of it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hubel.breaking.corruption_error import CorruptionError, Estimate, corruption_error
from hubel.breaking.corruptions.table import CORRUPTIONS, corrupt
from hubel.breaking.eight_bit import png
from hubel.findings import Drawing
from hubel.inference.answers import Answers
from hubel.model import Classifier
from hubel.output import Output
from hubel.report.attack import Share
from hubel.report.corruptions import Corruptions, Figure, Row, by_corruption, by_severity
from hubel.report.rows import picture_rows
from hubel.training.evaluate import wilson
from hubel.verbs.afford import few
from hubel.verbs.interrupt import Request, Stopped
from hubel.verbs.labelled import Split, class_folder, labelled
from hubel.verbs.watch import Watch

AT_ONCE = 2**22  # values in a batch that is corrupted
MARGIN = 98  # points for the names of the sheet's rows


@dataclass(frozen=True)
class Measured:
    """A classifier and its pictures uint8 (N, C, H, W), labels (N,); what: the data, of how many.

    names: of the pictures. clean (N,): which answers are wrong on the pictures as they are; sure
    (N,): the probability of the right class there.
    """

    name: str
    classifier: Classifier
    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    clean: NDArray[np.bool_]
    sure: NDArray[np.float32]
    what: str
    of: int


def subject(
    model: str | os.PathLike[str] | Classifier,
    classifier: Classifier,
    data: str | os.PathLike[str] | None,
    *,
    split: Split | None,
    most: int,
    seed: int,
    workers: int,
    watch: Watch,
    name: str = "",
) -> Measured:
    """Read and answer the pictures that `model` is measured on, as `classifier` sees them."""
    found = labelled(
        model, classifier, data, split=split, most=most, seed=seed, workers=workers, watch=watch
    )
    logits = _answers(classifier, [found.images], len(found.labels))
    sure = logits.softmax(1).gather(1, found.labels[:, None])[:, 0].numpy()
    return Measured(
        name, classifier, found.images, found.labels, found.loaded.names,
        (logits.argmax(1) != found.labels).numpy(), sure, found.what, found.of,
    )  # fmt: skip


class Work:
    """What has been measured so far; nothing more is begun where a stop was asked for.

    wrong: corruption → (severities, N); beside: the reference's. of: how many there will be.
    """

    def __init__(
        self,
        own: Measured,
        reference: Measured | None,
        severities: Sequence[int],
        seed: int,
        watch: Watch,
        request: Request,
    ) -> None:
        self.own, self.reference, self.seed = own, reference, seed
        self.severities, self.watch, self.request = tuple(severities), watch, request
        self.of = 1
        self.wrong: dict[str, NDArray[np.bool_]] = {}
        self.beside: dict[str, NDArray[np.bool_]] = {}
        # the picture that is shown: what the network is surest of, a person knows too
        self.shown = int(np.where(own.clean, -1, own.sure).argmax())

    @property
    def rows(self) -> list[str]:
        return list(self.wrong)

    def measure(self, name: str) -> None:
        """One corruption at every severity, of both networks; nothing where a stop comes first."""
        before = len(self.wrong)
        networks = [each for each in (self.own, self.reference) if each is not None]
        under: list[NDArray[np.bool_]] = []
        with suppress(Stopped):
            for at, severity in product(networks, self.severities):
                share = len(under) / (len(networks) * len(self.severities))
                self.watch.progress("corrupt", before + share, self.of, name)
                self.request.heed()
                under.append(self._under(at, name, severity))
            ours, *theirs = np.split(np.stack(under), len(networks))
            self.wrong[name] = ours
            if theirs:
                self.beside[name] = theirs[0]
            self.request.at_once = False  # from here on there is something to keep
            self.watch.progress("corrupt", before + 1, self.of, name)

    def _under(self, at: Measured, name: str, severity: int) -> NDArray[np.bool_]:
        def parts() -> Iterator[Tensor]:
            for part in corrupted(at.images, name, severity, self.seed):
                self.request.heed()
                yield part

        return _wrong(at.classifier, parts(), at.labels)

    def cost(self, names: Sequence[str], clock: Callable[[], float]) -> float:
        """Seconds that a picture takes of all these corruptions, by what a few take."""
        networks = [each for each in (self.own, self.reference) if each is not None]
        some = slice(few(self.own.images[0].numel()))
        middle = self.severities[len(self.severities) // 2]
        began = clock()
        for at in networks:
            for name in names:
                parts = corrupted(at.images[some], name, middle, self.seed)
                _wrong(at.classifier, parts, at.labels[some])
        return (clock() - began) / len(self.own.images[some]) * len(self.severities)

    def found(self) -> Corruptions:
        """The record, with its drawings."""
        own, other = self.own, self.reference
        beside = None if other is None else (other.clean, self.beside)
        counted = corruption_error(own.clean, self.wrong, reference=beside, seed=self.seed)
        theirs = None
        if other is not None:
            theirs = corruption_error(other.clean, self.beside, seed=self.seed)
        rows = [self._row(name, counted, theirs) for name in self.wrong]
        clean, named = share(own.clean), "" if other is None else other.name
        return Corruptions(
            clean=clean,
            mean=_figure(counted.mean),
            above=_figure(counted.above),
            severities=self.severities,
            rows=rows,
            drawings=self._drawings(rows, clean, named),
            picture=_array(own.images[self.shown]),
            pictured=own.names[self.shown],
            reference=named,
            their_clean=None if other is None else share(other.clean),
            their_mean=None if theirs is None else _figure(theirs.mean),
            mce=_known(counted.mce),
            relative_mce=_known(counted.relative_mce),
            lines=["Stopped: the other corruptions were not measured."]
            if self.request.made
            else (),
        )

    def _row(self, name: str, counted: CorruptionError, theirs: CorruptionError | None) -> Row:
        row = CORRUPTIONS[name]
        relative = None if counted.relative is None else counted.relative[name]
        return Row(
            name,
            row.family,
            row.what,
            row.departs,
            [share(each) for each in self.wrong[name]],
            _figure(counted.by_corruption[name]),
            None if theirs is None else _figure(theirs.by_corruption[name]),
            [share(each) for each in self.beside.get(name, ())],
            _known(relative),
            [_array(each) for each in self._shown_under(name)],
        )

    def _shown_under(self, name: str) -> Tensor:
        """The shown picture at every severity, drawn as the picture of its number is."""
        one = self.own.images[self.shown : self.shown + 1]
        return torch.cat(
            [_corrupted(one, name, each, self.seed, [self.shown]) for each in self.severities]
        )

    def _drawings(self, rows: Sequence[Row], clean: Share, reference: str) -> list[Drawing]:
        before = _array(self.own.images[self.shown]) / 255
        tiles = {row.name: [before, *(tile / 255 for tile in row.tiles)] for row in rows}
        sheet = picture_rows(
            tiles, ("as it is", *(f"severity {s}" for s in self.severities)), margin=MARGIN
        )
        return [
            Drawing(
                "by-corruption",
                by_corruption(rows, clean, reference),
                "Wrong answers under each corruption, the mean over its severities, with 95 % "
                "intervals.",
            ),
            Drawing(
                "by-severity",
                by_severity(rows, clean, self.severities),
                "Wrong answers by severity, with 95 % intervals; 0 and the dotted line: on the "
                "pictures as they are.",
            ),
            Drawing("sheet", sheet, f"{self.own.names[self.shown]} under every corruption."),
        ]


def corrupted(images: Tensor, name: str, severity: int, seed: int) -> Iterator[Tensor]:
    """Pictures uint8 (N, C, H, W) corrupted, at 8 bits again, some at a time, by their places."""
    some = max(1, min(256, AT_ONCE // max(1, images[0].numel())))
    for start in range(0, len(images), some):
        part = images[start : start + some]
        yield _corrupted(part, name, severity, seed, range(start, start + len(part)))


def saved(work: Work, folder: Output, inside: str) -> Path:
    """Write the corrupted pictures: inside/corruption/severity/class/picture, each severity a set.

    Ends after a severity where a stop was asked for.
    """
    own, n = work.own, len(work.rows) * len(work.severities)
    kinds = [class_folder(each) for each in own.classifier.classes]
    for k, (name, severity) in enumerate((name, s) for name in work.rows for s in work.severities):
        work.watch.progress("save", k, n, f"{name} {severity}")
        if work.request.made:
            break
        place = 0
        for part in corrupted(own.images, name, severity, work.seed):
            for image in part:
                kind = kinds[int(own.labels[place])]
                file = f"{place:05d}-{Path(own.names[place]).stem[:60]}.png"
                folder.write(f"{inside}/{name}/{severity}/{kind}/{file}", png(image.float() / 255))
                place += 1
    work.watch.progress("save", n, n)
    return folder.path / inside


def share(wrong: NDArray[np.bool_]) -> Share:
    """How many of these answers are wrong, with the interval."""
    part, of = int(wrong.sum()), len(wrong)
    return Share(part, of, wilson(part, of))


def _corrupted(
    images: Tensor, name: str, severity: int, seed: int, numbers: Sequence[int]
) -> Tensor:
    made = corrupt(images.float() / 255, name, severity, seed=seed, indices=numbers)
    return (made * 255).round().byte()


def _wrong(classifier: Classifier, parts: Iterable[Tensor], labels: Tensor) -> NDArray[np.bool_]:
    wrong: NDArray[np.bool_] = (
        _answers(classifier, parts, len(labels)).argmax(1) != labels
    ).numpy()
    return wrong


def _answers(classifier: Classifier, parts: Iterable[Tensor], n: int) -> Tensor:
    """Logits (n, K) of uint8 pictures that come in parts."""
    answers = Answers(classifier, expected=n, device=classifier.mean.device)
    for part in parts:
        answers.add(part.numpy())
    return answers.logits()


def _array(image: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) → (H, W, C)."""
    found: NDArray[np.uint8] = image.permute(1, 2, 0).numpy()
    return found


def _known(found: Estimate | None) -> Figure | None:
    return None if found is None else _figure(found)


def _figure(found: Estimate) -> Figure:
    return Figure(found.value, found.interval)
