"""The two ways in which hubel says no: one sentence with what was expected, found, and what to do.

Anything else that is raised is a bug of ours and keeps its traceback.
"""

import difflib
from collections.abc import Iterable

MOST = 60  # names that a sentence lists


class Mistake(ValueError):
    """What was asked for is wrong: a name, a value, a shape. The command line exits with 2."""


class Failure(RuntimeError):
    """The world is not as needed: data, files, disk, network. The command line exits with 1."""


def unknown(kind: str, name: str, known: Iterable[str]) -> Mistake:
    """The mistake of naming something that is not there, with the nearest names that are.

    >>> str(unknown("network", "resnet21", ["linear", "resnet20"]))
    "There is no network 'resnet21'. Did you mean 'resnet20'? Known: linear, resnet20."
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    guess = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    more = f", … ({len(names):,} in all)" if len(names) > MOST else ""
    known = f"{', '.join(names[:MOST])}{more}"
    return Mistake(f"There is no {kind} {name!r}.{guess} Known: {known}.")
