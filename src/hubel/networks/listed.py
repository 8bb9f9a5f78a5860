"""The catalogue as `hubel networks` lists it, without torch: what was counted is kept in a file.

Building and tracing fifty networks takes a quarter of a minute, and their figures never change:
`make counts` writes them anew where the catalogue does, and a test counts again and compares.
"""

import json
from importlib.resources import files
from typing import Any

COUNTED = "counted.json"


def rows() -> list[dict[str, Any]]:
    """The rows of `hubel.verbs.networks.networks`, in the catalogue's order.

    >>> rows()[0]["name"], rows()[0]["parameters"]
    ('linear', 30730)
    """
    found: list[dict[str, Any]] = json.loads(files("hubel.networks").joinpath(COUNTED).read_bytes())
    return found


def names() -> list[str]:
    """The names of all networks."""
    return [row["name"] for row in rows()]
