"""The shallow baselines on a run's own split, beside its network; kept in the run folder."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubel.baselines import shallow
from hubel.baselines.shallow import BASELINES, Part, baselines
from hubel.data.decoding import load
from hubel.data.samples import Samples, Splits
from hubel.mistakes import Failure
from hubel.pixels import PixelSpec
from hubel.results import Beside
from hubel.run import Run
from hubel.training.comparison import beside
from hubel.verbs.watch import Watch

FILE = "baselines.json"


@dataclass(frozen=True)
class _Row:
    """A baseline's answers to the test pictures: which were right; None: it did not converge."""

    name: str
    right: list[bool] | None
    trained_on: int


@dataclass(frozen=True)
class _File:
    """`baselines.json`."""

    baselines: list[_Row]


def beside_baselines(
    run: Run,
    splits: Splits,
    spec: PixelSpec,
    right: NDArray[np.bool_],
    *,
    seed: int,
    workers: int,
    watch: Watch,
) -> list[Beside]:
    """What the baselines make of the test pictures, beside the network's `right` answers (N,).

    They are trained once for a run, on its training pictures at SIDE pixels or less.
    """
    rows = _kept(run, len(right))
    if rows is None:
        rows = []
        longest = max(spec.size)
        height, width = (max(1, side * min(longest, shallow.SIDE) // longest) for side in spec.size)
        small = replace(spec, size=(height, width))
        chosen = shallow.some(splits.train.labels, seed)
        train = _part(splits.train.subset(chosen), small, workers)
        held_out = splits.validation
        some = shallow.some(held_out.labels, seed)  # they choose a single number
        validation = _part(held_out.subset(some), small, workers)
        test = _part(splits.test, small, workers)
        if len(test.labels) != len(right):
            raise Failure("The test pictures changed while they were measured: measure again.")
        watch.progress("baselines", 0, len(BASELINES))
        for row in baselines(train, validation, test, seconds=shallow.SECONDS):
            good = None if row.answers is None else (row.answers == test.labels).tolist()
            rows.append({"name": row.name, "right": good, "trained_on": row.trained_on})
            watch.progress("baselines", len(rows), len(BASELINES), row.name)
        try:
            run.write_json(FILE, {"baselines": rows})
        except Failure as wrong:
            watch.notice(f"The baselines will be measured again next time: {wrong}")
    late = [row["name"] for row in rows if row["right"] is None]
    if late:
        watch.notice(
            f"Not compared with {' and '.join(late)}: not trained to the end, for which all of "
            f"them together have {shallow.SECONDS:g} s. A rival that was cut short says nothing."
        )
    return [
        beside(row["name"], np.array(row["right"], bool), right, trained_on=row["trained_on"])
        for row in rows
        if row["right"] is not None
    ]


def _part(samples: Samples, spec: PixelSpec, workers: int) -> Part:
    loaded = load(samples, spec, workers=workers, max_unreadable=None)
    return Part(loaded.images, loaded.labels)


def _kept(run: Run, n: int) -> list[dict[str, Any]] | None:
    """The answers of an earlier evaluation, if they are for as many pictures."""
    if not (run.path / FILE).is_file():
        return None
    try:
        rows = run.read_json(FILE, _File).baselines
    except Failure:  # damaged: they are measured anew
        return None
    fit = rows and all(
        (row.right is None or len(row.right) == n) and row.name in BASELINES for row in rows
    )
    return [vars(row) for row in rows] if fit else None
