"""What the shell completes: names that are known without torch, and runs and layers that are here.

A completion that cannot answer says nothing: it must never get in the way of typing.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import typer


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def networks(incomplete: str) -> list[str]:
    """Every network of the catalogue."""
    from hubel.networks import listed

    return _beginning(incomplete, listed.names())


def runs(incomplete: str) -> list[str]:
    """The run folders under runs/, the newest first, then whatever begins so."""
    found = sorted(Path("runs").glob("*/recipe.toml"), key=_written, reverse=True)
    return _beginning(incomplete, (path.parent.as_posix() for path in found))


def models(incomplete: str) -> list[str]:
    """Runs, and networks whose published weights can be had."""
    from hubel.networks import listed

    known = [row["name"] for row in listed.rows() if row["weights"]]
    return runs(incomplete) + _beginning(incomplete, known)


def recipes(incomplete: str) -> list[str]:
    """The recipes by name, and the TOML files here."""
    from hubel.training.presets import RECIPES

    files = sorted(path.name for path in Path().glob("*.toml"))
    return _beginning(incomplete, [*RECIPES, *files])


def data_sets(incomplete: str) -> list[str]:
    """The data sets by name, and the folders here."""
    from hubel.data.sources import SOURCES

    folders = sorted(f"{path.name}/" for path in Path().iterdir() if path.is_dir())
    return _beginning(incomplete, [*SOURCES, *(f for f in folders if not f.startswith("."))])


def layers(context: typer.Context, incomplete: str) -> list[str]:
    """The layers that hold weights of the model that was named before, in its order."""
    return _beginning(incomplete, _layers(str(context.params.get("model") or "")))


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
        yield from dict.fromkeys(name.rpartition(".")[0] for name in names)
        return


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
