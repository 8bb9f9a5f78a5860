"""What is kept of a search for fooling images, so that it can go on: one file of tensors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hubel import reading
from hubel.breaking.fooling import GOAL, GRADIENT, WAYS
from hubel.breaking.map_elites import ended
from hubel.mistakes import Failure, Mistake
from hubel.tensors import seal, unseal

STATE = "state.safetensors"
HASHED = ("network",)  # settings that are SHA-256 digests
NEEDED = {"confidences", "evaluations", "generation", "curve"}


@dataclass
class Search:
    """One way of fooling, and where it stands; state: what `breaking.fooling.fool` goes on from."""

    way: str
    state: dict[str, Tensor]

    @property
    def evaluations(self) -> int:
        return int(self.state["evaluations"]) if self.state else 0

    def done(self, evaluations: int, patience: int | None = None) -> bool:
        """Whether nothing is left: by gradient, once every class has an image.

        patience: where the search may end before its evaluations, see `Kept`.
        """
        if not self.state:
            return False
        if self.way == GRADIENT:
            return not bool(self.state["confidences"].isnan().any())
        goal = None if patience is None else GOAL
        return ended(self.state, evaluations, goal, patience)


@dataclass
class Kept:
    """All that goes into the file.

    settings: what the images follow from, JSON values. evaluations: how many were asked for, of
    each way that evolves. finished: whether all ways are done, and all else is written. patience:
    nobody asked for just so many, so that a way ends where every class is at GOAL, or where nothing
    has changed for so many evaluations; None: neither matters.
    """

    settings: dict[str, Any]
    environment: dict[str, Any]
    evaluations: int
    searches: list[Search]
    finished: bool = False
    patience: int | None = None

    @property
    def unfinished(self) -> Search | None:
        """The first way that is not done."""
        return next((each for each in self.searches if not self.done(each)), None)

    def done(self, search: Search) -> bool:
        """Whether nothing is left of one way."""
        return search.done(self.evaluations, self.patience)

    def packed(self) -> bytes:
        """As a sealed file, the settings in its header."""
        tensors = {
            f"{each.way}/{name}": value
            for each in self.searches
            for name, value in each.state.items()
        }
        facts = {
            "settings": self.settings,
            "environment": self.environment,
            "evaluations": self.evaluations,
            "finished": self.finished,
            "ways": [each.way for each in self.searches],
            "patience": self.patience,
        }
        return seal(tensors, facts)


@dataclass(frozen=True)
class _Facts:
    """What stands in the file's header."""

    settings: dict[str, Any]
    environment: dict[str, Any]
    evaluations: int
    finished: bool
    ways: list[str]
    patience: int | None = None  # which files had not, once


def read(path: Path) -> Kept | None:
    """What the file holds; None where there is none. Raises Failure where it is damaged."""
    if not path.is_file():
        return None
    tensors, text = unseal(path)
    facts = reading.parsed(text, _Facts, path)
    searches = {way: Search(way, {}) for way in facts.ways}
    for name, tensor in tensors.items():
        way, _, part = name.partition("/")
        if way not in searches:
            raise reading.damaged(path, f"it does not say what {name} is of")
        searches[way].state[part] = tensor
    for each in searches.values():
        if each.way not in WAYS or (each.state and NEEDED - each.state.keys()):
            raise reading.damaged(path, f"what it holds of {each.way} is not whole")
    return Kept(
        facts.settings, facts.environment, facts.evaluations, list(searches.values()),
        facts.finished, facts.patience,
    )  # fmt: skip


def is_same(folder: Path, *, asked: Kept, resume: bool) -> bool:
    """Whether the result of a folder is the one to go on with, where none was named."""
    if resume:
        return True
    try:
        return going_on(read(folder / STATE), asked, folder, resume=False)[1]
    except (Mistake, Failure):
        return False


def going_on(found: Kept | None, asked: Kept, folder: Path, *, resume: bool) -> tuple[Kept, bool]:
    """What to work on, and whether it goes on with what the folder holds.

    An unfinished search of the same settings is gone on with, of others refused; a finished one
    is begun anew unless `resume` asks for more evaluations or ways. Raises Mistake.
    """
    if found is None:
        if resume:
            raise Mistake(f"{folder} holds no search to go on with: leave out --resume.")
        return asked, False
    if found.finished and not resume:
        return asked, False
    other = [
        f"another {key}" if key in HASHED else f"{key} was {found.settings.get(key)}, now {value}"
        for key, value in asked.settings.items()
        if found.settings.get(key) != value
    ]
    ways = [each.way for each in asked.searches]
    gone = [each.way for each in found.searches if each.way not in ways]
    if gone:
        other.append(f"{', '.join(gone)} is not asked for")
    if other:
        what = "a search" if found.finished else "an unfinished search"
        raise Mistake(
            f"{folder} holds {what} of other settings: {'; '.join(other)}. Go on with the same "
            "ones, or give another folder with --out."
        )
    most = max((each.evaluations for each in found.searches if each.way != GRADIENT), default=0)
    if asked.evaluations < min(most, found.evaluations):
        raise Mistake(
            f"{folder} is at {most:,} evaluations already: ask for more than {asked.evaluations:,}."
        )
    have = {each.way: each for each in found.searches}
    searches = [have.get(each.way, each) for each in asked.searches]
    return Kept(
        asked.settings, asked.environment, asked.evaluations, searches, patience=asked.patience
    ), True
