"""The sentences that the page and the model card share."""

import math
from collections.abc import Iterator, Mapping, Sequence

from hubel.figures import chance, counted, duration, percent, within
from hubel.report.results import TrainingReport, TrialFigures
from hubel.results import (
    FEWEST,
    STRANGE,
    Beside,
    Calibration,
    Evaluation,
    Group,
    Inspection,
    why_kept,
)


def facts(mapping: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as rows of text, a nested one under its dotted name.

    >>> list(facts({"lr": 1e-3, "flip": None, "arguments": {"widths": (16, 32), "bias": True}}))
    [('lr', '0.001'), ('flip', 'none'), ('arguments.widths', '16, 32'), ('arguments.bias', 'yes')]
    """
    for key, value in mapping.items():
        if isinstance(value, Mapping) and value:
            yield from facts(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _said(value)


def inspected(found: Inspection) -> str:
    """One or two sentences: what was looked at, and what it is like."""
    total = sum(sum(counts.values()) for counts in found.counts.values())
    text = (
        f"{counted(total, 'picture')} in {counted(len(found.classes), 'class', 'classes')}, "
        f"{found.sizes}; {found.balance}."
    )
    if found.copies is None:
        return text
    across = sum(pair.splits[0] != pair.splits[1] for pair in found.copies)
    said = f"{counted(len(found.copies), 'pair')} of copies" if found.copies else "No copies"
    return f"{text} {said} {'was' if len(found.copies) == 1 else 'were'} found" + (
        f", {across:,} of them across splits." if across else "."
    )


def learned(results: TrainingReport) -> str:
    """One sentence: what learned what, from how much, in what time."""
    pictures = counted(results.splits.get("train", 0), "picture")
    before = f"went on from {results.start} and " if results.start else ""
    classes = counted(len(results.classes), "class", "classes")
    count = counted(results.learned, "learned number")
    if results.learned < results.parameters:
        count = f"{results.learned:,} of its {counted(results.parameters, 'number')} learned here"
    return (
        f"The network {results.network} ({count}) "
        f"{before}was trained on {pictures} in {duration(results.seconds)} to tell apart {classes} "
        f"of {results.data}."
    )


def ended(results: TrainingReport) -> str:
    """One sentence: how the training ended and which weights were kept."""
    epochs = counted(len(results.history), "epoch")
    end = (
        f"Training ran its full {epochs}"
        if results.stopped == "finished"
        else f"Training ended after {epochs} ({results.stopped})"
    )
    if results.best_epoch == 0:
        return f"{end}, and no epoch's weights were chosen."
    if results.validation is None:
        return f"{end}; the weights after epoch {results.best_epoch} were kept."
    return (
        f"{end}; the weights after epoch {results.best_epoch} were kept, "
        f"{why_kept(results.history, results.best_epoch)} ({percent(results.validation.accuracy)})."
    )


def tested(results: TrainingReport) -> str:
    """One sentence: how good it is on new pictures, or that nothing here says so."""
    if results.test is None:
        why = (
            "The test pictures were not looked at yet (hubel evaluate does it)"
            if results.splits.get("test")
            else "There were no test pictures"
        )
        return (
            f"{why}, so nothing here measures how good it is on new ones: "
            "the validation pictures chose the epoch, and their figure flatters it."
        )
    test = results.test
    return (
        f"Of {counted(test.n, 'test picture')} that it had never seen it named "
        f"{percent(test.accuracy)} correctly ({within(test.interval)})."
    )


def unbeaten(found: Evaluation, others: Sequence[Beside]) -> list[str]:
    """A plain sentence for each of the others that the network is not known to beat."""
    said = []
    for row in others:
        if row.beaten:
            continue
        theirs = f"{row.name} ({percent(row.accuracy)})"
        if found.accuracy <= row.accuracy:
            said.append(f"The network ({percent(found.accuracy)}) does not beat {theirs}.")
        else:
            said.append(
                f"The network's lead over {theirs} may be chance: of the "
                f"{counted(row.only_ours + row.only_theirs, 'picture')} on which they differ it "
                f"named {row.only_ours:,} rightly (p = {chance(row.p)}). More test pictures would "
                "tell."
            )
    return said


def believed(found: Calibration) -> str:
    """One sentence: how far the probabilities are off, and to which side."""
    total = sum(row.n for row in found.bins)
    excess = sum((row.confidence - row.accuracy) * row.n for row in found.bins) / max(total, 1)
    side = "too sure" if excess > 0 else "not sure enough"
    return (
        f"Its probabilities are off by {percent(found.error)} on average (expected calibration "
        f"error, {counted(total, 'picture')})"
        + (f", mostly {side}." if abs(excess) > found.error / 2 else ", to either side.")
    )


def uneven(groups: Sequence[Group]) -> list[str]:
    """A sentence for each kind of thirds of which one is worse than another beyond chance."""
    said = []
    for of in dict.fromkeys(row.of for row in groups):
        rows = [row for row in groups if row.of == of]
        worst = min(rows, key=lambda row: row.accuracy)
        best = max(rows, key=lambda row: row.accuracy)
        if worst.interval[1] < best.interval[0]:
            said.append(
                f"Pictures with a {of} of {worst.label} are named worse "
                f"({percent(worst.accuracy)}) than those of {best.label} "
                f"({percent(best.accuracy)}): more than chance explains."
            )
    return said


def strangeness(results: TrainingReport) -> list[str]:
    """How a picture is told to be unlike the training pictures, and how many tested ones are."""
    known, test = results.familiar, results.test
    if known is None:
        return []
    if known.validation < FEWEST:
        return [
            "It says of no picture whether it is unlike the training pictures: that takes "
            f"{FEWEST} validation pictures, and there {'was' if known.validation == 1 else 'were'} "
            f"{known.validation}."
        ]
    said = [
        "A picture counts as unlike the training pictures when its features lie farther from those "
        f"of {known.training:,} of them than {percent(STRANGE, 0)} of {known.validation:,} "
        "validation pictures do, which the network had not learned from either: so do about "
        f"{percent(1 - STRANGE, 0)} of pictures of the same kind."
    ]
    bounds = known.interval
    if test is not None and test.strange is not None and bounds is not None:
        said.append(
            f"Of the {counted(test.n, 'test picture')} {test.strange:,} "
            f"{'does' if test.strange == 1 else 'do'} ({percent(test.strange / test.n)}; "
            f"{within(bounds)})"
            + (
                ": more than chance explains, so these are not quite of the kind that it learned "
                "from."
                if bounds[0] > 1 - STRANGE
                else "."
            )
        )
    return said


def tried(trials: Sequence[TrialFigures]) -> str:
    """One sentence: the mean and spread of the trials, and which was kept."""
    rows = [trial.validation_accuracy for trial in trials]
    mean = sum(rows) / len(rows)
    spread = math.sqrt(sum((x - mean) ** 2 for x in rows) / max(len(rows) - 1, 1))
    kept = next((trial.number for trial in trials if trial.kept), 0)
    return (
        f"Validation accuracy {100 * mean:.1f} ± {100 * spread:.1f} % (mean ± standard deviation); "
        f"trial {kept} was kept."
    )


def certainty(n: int) -> str:
    """What the interval means, and what it does not."""
    return (
        f"The 95 % interval (Wilson's) says how far chance can move a figure that rests on {n:,} "
        "pictures: in 95 of 100 such tests, an interval made this way holds the accuracy on "
        "all pictures of the same kind. It promises nothing for pictures of another kind."
    )


def _said(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(map(_said, value)) or "none"
        case Mapping():
            return "none"
    return str(value)
