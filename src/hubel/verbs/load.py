"""MODEL, wherever a user names one: a run folder, a model folder, or a catalogue name."""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubel.fetch import Progress
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import FACTS, Classifier
from hubel.networks import catalogue, weights
from hubel.pixels import written
from hubel.run import Run
from hubel.verbs import machine
from hubel.verbs.watch import Watch


@machine.undisturbed
def load(
    model: str | os.PathLike[str], *, download: bool = False, progress: Progress | None = None
) -> Classifier:
    """The classifier of a run folder or model folder, or a catalogue network with its weights.

    download: whether published weights that are not here may be fetched, with progress(bytes done,
    bytes in all). Raises Mistake for what is none of these (the nearest name is suggested) and
    Failure for a folder whose files are missing or damaged, and for weights that are not here: it
    says what would be fetched. For a network of your own: `hubel.Classifier.load(folder, build=…)`.

    >>> import hubel
    >>> hubel.load("efficientnet-lite0").classes[285]
    'Egyptian cat'
    """
    name, path = os.fspath(model), Path(model)
    folder = model_folder(path)
    if name in weights.PUBLISHED:
        try:
            return weights.load(name, download=download, progress=progress)
        except Failure as missing:
            if folder is None:
                raise
            raise Failure(f"{missing} Your own folder of that name is ./{name}.") from None
    if folder is not None:
        return Classifier.load(folder, build=catalogue.build)
    if name in catalogue.CATALOGUE:
        raise Mistake(
            f"The network {name!r} has no published weights here, so it cannot answer yet: train "
            f"it (hubel train DATA --network {name}), or name a run."
        )
    if (path / "recipe.toml").is_file():
        raise Failure(
            f"The run {name} has no model yet: it is still training, or was stopped by force. "
            f"Go on with it: hubel train --resume {name}."
        )
    if path.exists():
        raise Mistake(f"{name} is no run and no model folder: it holds no {FACTS}.")
    raise unknown("model or run folder", name, weights.PUBLISHED)


def loaded(
    model: str | os.PathLike[str] | Classifier, *, download: bool, watch: Watch
) -> Classifier:
    """A classifier as it is, or that of a name or folder; what is fetched is told to the watch.

    Of one that was made in inference mode, a copy: nothing can be differentiated through its own
    weights, which torch marks for ever.
    """
    if isinstance(model, Classifier):
        marked = any(each.is_inference() for each in model.state_dict().values())
        return copy.deepcopy(model) if marked else model
    name = os.fspath(model)
    return load(
        name,
        download=download,
        progress=lambda done, total: watch.progress("download", done, total, name),
    )


@contextmanager
def speaking_of(name: str) -> Iterator[None]:
    """What goes wrong inside is told of the model of that name: there are several."""
    try:
        yield
    except Mistake as wrong:
        raise Mistake(f"{name}: {wrong}") from wrong
    except Failure as wrong:
        raise Failure(f"{name}: {wrong}") from wrong


def called(model: str | os.PathLike[str] | Classifier, otherwise: str = "the network") -> str:
    """What to call a model on a page: the last part of its path, or its name."""
    if isinstance(model, Classifier):
        return otherwise
    path = Path(model)
    return written(path.resolve().name if path.exists() else path.name)


def own_run(model: str | os.PathLike[str] | Classifier) -> Run | None:
    """The run that a model's path names, if it is one."""
    if isinstance(model, Classifier) or not (Path(model) / "recipe.toml").is_file():
        return None
    return Run.find(Path(model))


def model_folder(path: Path) -> Path | None:
    """The model folder that a run folder holds, or that the path is; None if neither."""
    for folder in (path, path / "model"):
        if (folder / FACTS).is_file():
            return folder
    return None
