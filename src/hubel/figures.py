"""Figures as people write them: shares, intervals, times, counts."""

TOO_WIDE = 0.6  # an interval of a share that is wider says next to nothing
TOO_FEW = "too few pictures"


def percent(share: float, digits: int = 1) -> str:
    """A share in [0, 1] with so many decimals; what is not quite all or nothing never looks it.

    >>> percent(0.98765), percent(1.0), percent(0.99999), percent(0.002, 0)
    ('98.8 %', '100 %', '>99.9 %', '<1 %')
    """
    last = 10.0**-digits
    if share in (0.0, 1.0):
        return f"{100 * share:.0f} %"
    if 1 - last / 200 < share < 1:
        return f">{100 - last:.{digits}f} %"
    if 0 < share < last / 200:
        return f"<{last:.{digits}f} %"
    return f"{100 * share:.{digits}f} %"


def tells(bounds: tuple[float, float]) -> bool:
    """Whether an interval of a share narrows it down: one that leaves most of it open does not.

    Wilson's does not of 2 pictures or fewer, nor of 6 or fewer that are not all alike.

    >>> tells((0.57, 1.0)), tells((0.0, 1.0))
    (True, False)
    """
    return bounds[1] - bounds[0] <= TOO_WIDE


def interval(bounds: tuple[float, float], digits: int = 1) -> str:
    """Two shares as one range, its ends rounded to decimals; or that it would tell nothing.

    >>> interval((0.9717, 0.9957)), interval((0.0, 1.0))
    ('97.2 to 99.6 %', 'too few pictures')
    """
    if not tells(bounds):
        return TOO_FEW
    return f"{100 * bounds[0]:.{digits}f} to {100 * bounds[1]:.{digits}f} %"


def within(bounds: tuple[float, float], digits: int = 1) -> str:
    """The interval with its name.

    >>> within((0.9717, 0.9957)), within((0.0, 1.0))
    ('95 % interval 97.2 to 99.6 %', 'too few pictures for an interval')
    """
    return (
        f"95 % interval {interval(bounds, digits)}"
        if tells(bounds)
        else f"{TOO_FEW} for an interval"
    )


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


def chance(p: float) -> str:
    """A p-value, without more digits than it has meaning.

    >>> chance(0.0421), chance(1e-9), chance(1.0)
    ('0.042', '<0.001', '1')
    """
    return "<0.001" if p < 0.001 else f"{p:.2g}"
