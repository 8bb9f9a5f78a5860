"""README.md of a run: the model card, from facts alone.

After Mitchell et al. 2019, "Model Cards for Model Reporting", section 4, as far as a training run
can know: what the model is for and whom it may harm is for its maker to add, and the card says so.
"""

import re
from collections.abc import Iterator

from hubel import figures
from hubel.report import wording
from hubel.report.confusion import worst
from hubel.report.drawing import legible
from hubel.report.results import TrainingReport
from hubel.results import Evaluation

_MOST_CLASSES = 100
_LOADING = """\
```python
import hubel

classifier = hubel.load("PATH/TO/THIS/FOLDER")
pixels = classifier.read("picture.jpg")  # float32 (C, H, W) in [0, 1], upright and resized
probabilities = classifier.probabilities(pixels[None])[0]  # one for each of classifier.classes
```

or, on the command line in this folder, `hubel predict . picture.jpg`."""


def model_card(results: TrainingReport) -> str:
    """The card as Markdown (CommonMark with tables). Names are escaped, and stay on their line."""
    return "\n\n".join(_blocks(results)) + "\n"


def _blocks(results: TrainingReport) -> Iterator[str]:
    yield f"# {_plain(results.title)}"
    for sentence in (wording.learned, wording.tested, wording.ended):
        yield _plain(sentence(results))
    yield from (f"**Note:** {_plain(notice)}" for notice in results.notices)

    yield "## Data"
    yield _table(
        ("split", "pictures"),
        [(_plain(split), f"{n:,}") for split, n in results.splits.items()],
    )
    shown = ", ".join(map(_plain, results.classes[:_MOST_CLASSES]))
    more = len(results.classes) - _MOST_CLASSES
    yield f"Classes: {shown}{f', and {more:,} more' if more > 0 else ''}."

    if results.measured is not None:
        yield "## Figures"
        yield from _figures(results.measured, results.measured_on)

    yield "## Limits"
    yield from _limits(results)

    yield "## How to load it"
    yield _LOADING

    yield "## How it was made"
    yield _table(("recipe", ""), [tuple(map(_plain, row)) for row in wording.facts(results.recipe)])
    yield _table(
        ("environment", ""), [tuple(map(_plain, row)) for row in wording.facts(results.environment)]
    )


def _figures(found: Evaluation, kind: str) -> Iterator[str]:
    yield _table(
        (f"on the {kind} pictures", ""),
        [
            ("accuracy", figures.percent(found.accuracy)),
            ("95 % interval", figures.interval(found.interval)),
            *([("top 5", figures.percent(found.top5))] if found.top5 is not None else []),
            *(
                [("with mirrored pictures' answers averaged in", figures.percent(found.mirrored))]
                if found.mirrored is not None
                else []
            ),
            ("pictures", f"{found.n:,}"),
        ],
    )
    yield wording.certainty(found.n)
    if found.besides:
        yield _table(
            ("on the same pictures", "accuracy", "95 % interval", "p"),
            [
                (
                    *(_plain(row.name), figures.percent(row.accuracy)),
                    *(figures.interval(row.interval), figures.chance(row.p)),
                )
                for row in found.besides
            ],
        )
        unbeaten = wording.unbeaten(found, found.besides)
        yield from (f"**{_plain(sentence)}**" for sentence in unbeaten)
    yield _table(
        ("class", "precision", "recall", "F1", "pictures"),
        [
            (
                *(_plain(row.name), figures.percent(row.precision), figures.percent(row.recall)),
                *(f"{row.f1:.3f}", f"{row.n:,}"),
            )
            for row in found.classes
        ],
    )


def _limits(results: TrainingReport) -> Iterator[str]:
    points = [
        f"It knows {figures.counted(len(results.classes), 'class', 'classes')} and always names "
        "one of them, also for a picture of something else.",
        "Its figures hold for pictures made like those it was tested on. Other cameras, places or "
        "times were not measured.",
        _sureness(results),
        *([" ".join(strange)] if (strange := wording.strangeness(results)) else []),
        "What it is for, and whom its mistakes would harm, no training can know: add it here.",
    ]
    if results.test is None:
        points.insert(0, wording.tested(results))
    if (found := results.measured) is not None:
        points[:0] = map(_plain, wording.uneven(found.groups))
        pairs = worst(found.confusion, [row.name for row in found.classes], most=3)
        said = "; ".join(
            f"{_plain(p.true)} called {_plain(p.predicted)} "
            f"({p.pictures:,}, {figures.percent(p.share)} of the class)"
            for p in pairs
        )
        if said:
            points.insert(0, f"It confuses most often: {said}.")
    yield "\n".join(f"- {point}" for point in points)


def _sureness(results: TrainingReport) -> str:
    """How far its probabilities can be believed."""
    found = results.measured and results.measured.calibration
    measured = f" {wording.believed(found)}" if found else ""
    if results.temperature == 1:
        return (
            "Its probabilities were not calibrated: 90 % need not be right nine times in ten."
            + measured
        )
    return (
        "Its probabilities were calibrated on the validation pictures (temperature "
        f"{results.temperature:.2f})." + measured
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rule = tuple("---" if i == 0 else "---:" for i in range(len(head)))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: its marks, and HTML's, escaped.

    >>> _plain("<b>*net*_1|2")
    '&lt;b>\\\\*net\\\\*\\\\_1\\\\|2'
    """
    escaped = re.sub(r"([\\`*_\[\]#|~!$])", r"\\\1", legible(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
