"""Figures as people write them, and the sentences that the page and the model card share."""

from collections.abc import Iterator, Mapping

from hubel.report.results import TrainingReport
from hubel.results import Inspection


def percent(share: float) -> str:
    """A share in [0, 1] with one decimal; what is not quite all or nothing never looks like it.

    >>> percent(0.98765), percent(1.0), percent(0.99999)
    ('98.8 %', '100 %', '>99.9 %')
    """
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    if share > 0.9995:
        return ">99.9 %"
    if share < 0.0005:
        return "<0.1 %"
    return f"{100 * share:.1f} %"


def interval(bounds: tuple[float, float]) -> str:
    """Two shares as one range, its ends rounded to a decimal.

    >>> interval((0.9717, 0.9957))
    '97.2 to 99.6 %'
    """
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def duration(seconds: float) -> str:
    """A time in the two units that matter.

    >>> duration(7.42), duration(42), duration(200), duration(7500)
    ('7.4 s', '42 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(n: int, noun: str, plural: str = "") -> str:
    """A number with its noun, thousands separated.

    >>> counted(1, "picture"), counted(60000, "picture"), counted(2, "class", "classes")
    ('1 picture', '60,000 pictures', '2 classes')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def thousands(n: int) -> str:
    """A number with its thousands separated.

    >>> thousands(60000)
    '60,000'
    """
    return f"{n:,}"


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
    return (
        f"The network {results.network} ({counted(results.parameters, 'trainable number')}) "
        f"learned to tell {counted(len(results.classes), 'class', 'classes')} of {results.data} "
        f"apart from {pictures} in {duration(results.seconds)}."
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
        f"the best on the validation pictures ({percent(results.validation.accuracy)})."
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
        f"{percent(test.accuracy)} correctly (95 % interval {interval(test.interval)})."
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
