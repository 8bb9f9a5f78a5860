"""How many pictures a time budget pays for, by what the first few of them took."""

from hubel.mistakes import Mistake

MINUTES = 3.0  # that a way of breaking may take, unless it is told otherwise
LEAST, MOST, VALUES = 4, 32, 2**20  # pictures that are timed, by the numbers in them


def check_minutes(minutes: float) -> None:
    """Raises Mistake for none."""
    if not minutes > 0:
        raise Mistake(f"--minutes is above 0, not {minutes:g}.")


def few(values: int) -> int:
    """How many pictures of so many numbers are timed: enough to be worked on together."""
    return min(MOST, max(LEAST, VALUES // values))


def afforded(seconds: float, each: float, *, least: int, most: int) -> int:
    """So many pictures of `each` seconds fit into these seconds; at least and at most so many.

    >>> afforded(60, 0.5, least=20, most=200), afforded(60, 10, least=20, most=200)
    (120, 20)
    """
    if each <= 0:
        return most
    return min(most, max(least, int(seconds / each)))
