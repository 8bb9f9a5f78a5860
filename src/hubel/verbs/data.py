"""The data sets that hubel knows: which are at hand, and how to get the others."""

from typing import Any

from hubel.data.download import get_dataset
from hubel.data.sources import SOURCES, is_here
from hubel.verbs.watch import Watch


def list_data() -> list[dict[str, Any]]:
    """One mapping for each known data set: name, what, here (whether its files are at hand).

    >>> import hubel.verbs.data
    >>> [row["here"] for row in hubel.verbs.data.list_data() if row["name"] == "digits"]
    [True]
    """
    return [
        {"name": name, "what": source.what, "here": is_here(name)}
        for name, source in SOURCES.items()
    ]


def get_data(name: str, *, watch: Watch | None = None) -> str:
    """Download a data set into HUBEL_HOME (resumed where it stopped); gives back where it is."""
    watch = watch or Watch()
    folder = get_dataset(
        name, progress=lambda done, total: watch.progress("download", done, total, name)
    )
    return str(folder)
