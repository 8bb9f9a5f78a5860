"""One table of everything that hubel reads: where a good file of each kind lies, and who reads it.

`tests/good_files.py` makes them, and `tests/test_readers.py` damages them; it refuses a place in
the source that reads a file and has no row here.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from hubel import output
from hubel.cli import completion
from hubel.data import cifar, decoding, download, idx
from hubel.data.samples import Row
from hubel.inference import batch_size
from hubel.labs import page
from hubel.labs import run as labs
from hubel.mistakes import Failure
from hubel.model import FACTS, FAMILIAR, WEIGHTS, Classifier
from hubel.networks import catalogue, checkpoints
from hubel.pixels import decode
from hubel.report.results import TrialFigures
from hubel.run import Checkpoint, Run, Status
from hubel.training import checkpoint, recipe
from hubel.training.loop import TrainingState
from hubel.verbs import (
    baselines,
    fool_state,
    machine,
    patches,
    report,
    restarts,
    resume,
    session,
    shape,
    style_state,
    tested,
)
from tests.conftest import Heard
from tests.good_files import CACHED, CPU, SHAPE, photos, training


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    victim: where the good one lies under the root, a pattern with one match. read(path, root): what
    hubel makes of it. reads: the places in the source that read it so, as `places` has them.
    mends: whether reading writes, too. checked: it carries a checksum, so that what is read is what
    was written, or nothing. strange: whether something else than a file in its place is tried, too.
    share: of the mutations, for those that take longer.
    """

    victim: str
    read: Callable[[Path, Path], object]
    reads: tuple[str, ...]
    checked: bool = False
    mends: bool = False
    strange: bool = True
    share: float = 1.0


def _classifier(root: Path) -> Classifier:
    return Classifier.load(root / "run" / "model", build=catalogue.build)


def _known(classifier: Classifier) -> object:
    known = classifier.reference
    return known and (known.features.tolist(), known.distances.tolist())


def _values(tensors: dict[str, torch.Tensor]) -> dict[str, object]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def _state(path: Path) -> TrainingState:
    """A checkpoint's state.json as `restore` reads it, its hash having been right."""
    model, optimiser = training()
    files = checkpoint.save(model, optimiser, TrainingState())
    try:
        return checkpoint.restore(files | {checkpoint.STATE: path.read_bytes()}, model, optimiser)
    except Failure as wrong:
        raise Failure(f"{path}: {wrong}") from None  # as who restores a training names the folder


def _load(root: Path) -> object:
    """A checkpoint's files, by name."""
    found = Run(root / "run").load("last")
    return found and found.files


def _fooled(path: Path) -> object:
    found = fool_state.read(path)
    return found and (found.settings, [_values(each.state) for each in found.searches])


def _painted(path: Path) -> object:
    found = style_state.read(path)
    return found and (found.settings, [_values(each.state) for each in found.paintings])


def _patches(path: Path) -> object:
    found = patches._kept(path, ["conv"], CPU, Heard())
    return found and _values(found.tensors())


def _decoded(root: Path) -> object:
    found = decoding.load(photos(root), CACHED)
    return found.images.tolist()


def _picture(path: Path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata: as all do who read many
        return decode(path)


def _recipe(path: Path) -> object:
    return recipe.resolve(str(path), {"data": "digits"})


def _run(name: str, kind: type) -> Callable[[Path, Path], object]:
    return lambda path, root: Run(root / "run").read_json(name, kind)


def _figures(name: str) -> Callable[[Path, Path], object]:
    return lambda path, root: tested.figures(Run(root / "run"), name)


READERS: dict[str, Reader] = {
    "model.json": Reader(
        f"run/model/{FACTS}", lambda _, root: _classifier(root),
        ("model._Facts", "model.py:_read_folder"), share=0.5,
    ),
    "model.safetensors": Reader(
        f"run/model/{WEIGHTS}", lambda _, root: _values(_classifier(root).state_dict()),
        ("model.py:_read_folder", "tensors.py:unpack"), checked=True,
    ),
    "familiar.safetensors": Reader(
        f"run/model/{FAMILIAR}", lambda _, root: _known(_classifier(root)),
        ("model.py:_familiar", "strangeness.py:Reference.unpacked"), checked=True,
    ),
    "layers that the shell completes": Reader(
        f"run/model/{WEIGHTS}", lambda _, root: list(completion._layers(str(root / "run"))),
        ("cli/completion.py:_layers",),
    ),
    "status.json": Reader("run/status.json", _run("status.json", Status), ("Status",)),
    "environment.json": Reader(
        "run/environment.json",
        lambda _, root: (
            resume.threads_of(Run(root / "run")),
            Run(root / "run").read_json("environment.json", machine.Environment),
        ),
        ("machine.Environment", "verbs/resume._Threads"),
    ),
    "classes.json": Reader(
        "run/classes.json", _run("classes.json", resume._Classes), ("verbs/resume._Classes",)
    ),
    "splits.csv": Reader(
        "run/splits.csv", lambda _, root: Run(root / "run").read_table("splits.csv", Row), ("Row",)
    ),
    "metrics.csv": Reader(
        "run/metrics.csv",
        lambda _, root: report._history(Run(root / "run"), 0),
        ("verbs/report.py:dict[str, float | None]",),
    ),
    "trials.csv": Reader(
        "run/trials.csv",
        lambda _, root: (restarts._read(Run(root / "run")), report._trials(Run(root / "run"))),
        ("Trial", TrialFigures.__name__),
    ),
    "restarts.json": Reader(
        "run/restarts.json", _run("restarts.json", restarts._Kept), ("verbs/restarts._Kept",)
    ),
    "validation.json": Reader(
        "run/validation.json", _figures("validation.json"), ("Evaluation",)
    ),
    "test.json": Reader(
        "run/test.json", lambda _, root: tested.recall(Run(root / "run")),
        ("Evaluation", "verbs/tested.py:dict[str, Any]", "verbs/tested.py:_digest"),
    ),
    "baselines.json": Reader(
        "run/baselines.json", lambda _, root: baselines._kept(Run(root / "run"), 4),
        ("verbs/baselines._File",),
    ),
    "recipe.toml": Reader(
        "run/recipe.toml", lambda _, root: recipe.from_run(root / "run"),
        ("training/recipe.py:read_toml", "training/recipe.py:from_run"),
    ),
    "a recipe of one's own": Reader(
        "own.toml", lambda path, _: _recipe(path),
        ("training/recipe.py:read_toml", "training/recipe.py:resolve", "verbs/rate.py:is_wanted"),
    ),
    "manifest.json": Reader(
        "run/checkpoints/last/manifest.json", lambda _, root: _load(root),
        ("run.py:dict[str, str]", "run.py:_read_checked"), checked=True,
    ),
    "a checkpoint": Reader(
        "run/checkpoints/last/optimiser.safetensors", lambda _, root: _load(root),
        ("run.py:_read_checked",), checked=True,
    ),
    "state.json": Reader(
        "run/checkpoints/last/state.json", lambda path, _: _state(path),
        ("training/checkpoint._Facts", "training/checkpoint.py:restore"), strange=False, share=0.5,
    ),
    "epoch.json": Reader(
        "run/epoch.json",
        lambda path, _: session._epoch_of(Checkpoint("best", {session.EPOCH: path.read_bytes()})),
        ("verbs/session.py:int", "verbs/session.py:_weights_of"), strange=False,
    ),
    "a state of fooling": Reader(
        "fool.safetensors", lambda path, _: _fooled(path),
        ("verbs/fool_state.py:read", "verbs/fool_state._Facts", "tensors.py:unseal"), checked=True,
    ),
    "a state of style": Reader(
        "style.safetensors", lambda path, _: _painted(path),
        ("verbs/style_state.py:read", "verbs/style_state._Facts"), checked=True,
    ),
    "top patches": Reader(
        "patches.safetensors", lambda path, _: _patches(path), ("verbs/patches.py:_kept",),
        checked=True,
    ),
    "batch-sizes.json": Reader(
        "home/batch-sizes.json", lambda _, root: batch_size.recall("kind"),
        ("inference/batch_size.py:dict[str, int]",),
    ),
    "decoded pictures": Reader(
        "home/pictures/*/rows", lambda _, root: _decoded(root), ("data/cache.py:Store.contents",),
        checked=True, mends=True, strange=False, share=0.2,
    ),
    "their index": Reader(
        "home/pictures/*/index", lambda _, root: _decoded(root), ("data/cache.py:Store.contents",),
        checked=True, mends=True, strange=False, share=0.2,
    ),
    "a lab's numbers.json": Reader(
        "lab/numbers.json",
        lambda path, _: (labs.kept("approximation", path.parent, size="quick", seed=0),),
        ("labs/run._Facts", "labs/run.py:kept"),
    ),
    "a lecture's facts": Reader(
        "lecture/*.json", lambda path, _: (page._told(path.parent),),
        ("labs/page.py:dict[str, Any]",),
    ),
    "an unfinished test of shape": Reader(
        "shape/shape.json", lambda path, _: shape._is_same(path.parent, asked=SHAPE),
        ("verbs/shape.py:dict[str, Any]",),
    ),
    "the list of what hubel wrote": Reader(
        "shape/hubel-files.jsonl",
        lambda path, _: (output.kind_of(path.parent), output._read(path.parent)),
        ("output.py:kind_of", "output.py:_read"),
    ),
    "an IDX file": Reader(
        "images", lambda path, _: idx.read(path, dimensions=3), ("data/idx.py:read",)
    ),
    "a zipped IDX file": Reader(
        "labels.gz", lambda path, _: idx.read(path, dimensions=1), ("data/idx.py:read",)
    ),
    "a CIFAR file": Reader(
        "cifar.bin",
        lambda path, _: cifar.samples([path], label_bytes=1, classes=("a", "b"), split="test"),
        ("data/cifar.py:_records",),
    ),
    "names of classes": Reader(
        "names.txt", lambda path, _: cifar.class_names(path, 3), ("data/cifar.py:class_names",)
    ),
    "an archive": Reader(
        "data.tar.gz", lambda path, root: download.unpack(path, root / "unpacked") or True,
        ("data/download.py:unpack", "data/download.py:get_dataset"), share=0.5,
    ),
    "weights of torch": Reader(
        "weights.pth", lambda path, _: checkpoints.read(path),
        ("networks/checkpoints.py:read", "networks/checkpoints.py:_torch"), share=0.5,
    ),
    "weights as safetensors": Reader(
        "weights.safetensors", lambda path, _: checkpoints.read(path),
        ("networks/checkpoints.py:read",),
    ),
    "a PNG": Reader("photos/a/0.png", lambda path, _: _picture(path), ("opening.py:_image",)),
}  # fmt: skip

# What opens a file and is no reader of its own, with the reason.
OTHERS = {
    "atomic.py": "writes",
    "cli/__init__.py": "what a closed stream is replaced by",
    "cli/lab.py": "prints what was written a moment ago",
    "data/cache.py:Store.writing": "writes",
    "data/cache.py:_in_use": "a lock",
    "data/decoding.py": "pictures, which `pixels.decode` reads; a nameless file of its own",
    "data/samples.py:digest": "a hash of any bytes",
    "breaking/": "pictures that were made in memory",
    "entrance.py": "the system's own files",
    "fetch.py": "a hash of any bytes; a download",
    "lock.py:_taken": "a lock",
    "opening.py:head_of": "the first bytes of any file, to say what it is",
    "output.py:_sum": "a hash of any bytes",
    "data/sources.py:_digits_rows": "part of scikit-learn",
    "networks/listed.py:rows": "part of the package",
    "networks/weights.py:imagenet_classes": "part of the package",
    "reading.py": "what all readers read with",
    "report/lecture.py:picture_of": "the size of a picture that was made in memory",
    "run.py:kind": "what other readers read with",
    "tensors.py": "what other readers read with",
    "verbs/machine.py:processor": "the system's own file",
}
