"""Every lab by its name: the function that runs it, imported when it is asked for."""

from importlib import import_module

from hubel.labs.lab import Lab
from hubel.labs.lecture import labs
from hubel.mistakes import unknown


def find(name: str) -> Lab:
    """The lab's function: that of its name, in the file of its name. Raises Mistake if unknown."""
    if name not in labs():
        raise unknown("lab", name, labs())
    word = name.replace("-", "_")
    # the name is one of the table above, never a user's
    found: Lab = getattr(import_module(f"hubel.labs.{word}"), word)
    return found
