"""What the shell completes: names that are known without torch, and runs and layers that are here.

A completion that cannot answer says nothing: it must never get in the way of typing. Labs and verbs
are commands, which typer completes by itself; files the shell does, where nothing here fits.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import typer

P = ParamSpec("P")


def _never_raising(answer: Callable[P, list[str]]) -> Callable[P, list[str]]:
    @wraps(answer)  # typer tells by the signature what to pass
    def answered(*given: P.args, **named: P.kwargs) -> list[str]:
        try:
            return answer(*given, **named)
        except Exception:  # a folder that vanished, a file that nobody may read, …
            return []

    return answered


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


@_never_raising
def networks(incomplete: str) -> list[str]:
    """Every network of the catalogue."""
    from hubel.networks import listed

    return _beginning(incomplete, listed.names())


@_never_raising
def runs(incomplete: str) -> list[str]:
    """The run folders under runs/, the newest first, then whatever begins so."""
    found = sorted(Path("runs").glob("*/recipe.toml"), key=_written, reverse=True)
    return _beginning(incomplete, (path.parent.as_posix() for path in found))


@_never_raising
def models(incomplete: str) -> list[str]:
    """Runs, and networks whose published weights can be had."""
    from hubel.networks import listed

    known = [row["name"] for row in listed.rows() if row["weights"]]
    return runs(incomplete) + _beginning(incomplete, known)


@_never_raising
def recipes(incomplete: str) -> list[str]:
    """The recipes by name, and the TOML files here."""
    from hubel.training.presets import RECIPES

    files = sorted(path.name for path in Path().glob("*.toml"))
    return _beginning(incomplete, [*RECIPES, *files])


@_never_raising
def data_sets(incomplete: str) -> list[str]:
    """The data sets by name, and the folders here."""
    from hubel.data.sources import SOURCES

    folders = sorted(f"{path.name}/" for path in Path().iterdir() if path.is_dir())
    return _beginning(incomplete, [*SOURCES, *(f for f in folders if not f.startswith("."))])


@_never_raising
def published(incomplete: str) -> list[str]:
    """The data sets by name."""
    from hubel.data.sources import SOURCES

    return _beginning(incomplete, SOURCES)


@_never_raising
def layers(context: typer.Context, incomplete: str) -> list[str]:
    """The layers, with those that they are parts of, of the run or model folder that was named
    before, in its order; of the newest run where none was."""
    from hubel import run

    model = context.params.get("model") or run.newest().path
    return _beginning(incomplete, _layers(str(model)))


def _layers(model: str) -> Iterator[str]:
    import safetensors

    for folder in (Path(model), Path(model) / "model"):
        weights = folder / "model.safetensors"
        if not weights.is_file():
            continue
        try:
            with safetensors.safe_open(weights, framework="np") as file:
                names = list(file.offset_keys())
        except (OSError, MemoryError, safetensors.SafetensorError):
            return
        # conv1.weight → conv1; blocks.4.conv.weight → blocks, blocks.4, blocks.4.conv
        found = (name.split(".")[:end] for name in names for end in range(1, name.count(".") + 1))
        yield from dict.fromkeys(map(".".join, found))
        return


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
