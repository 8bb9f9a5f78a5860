"""One table of everything that hubel reads: a good file of each kind, and who reads it.

`tests/test_readers.py` damages each of them, and refuses a place in the source that reads a file
and has no row here.
"""

import ast
import gzip
import io
import json
import re
import tarfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import hubel
from hubel.baselines.shallow import BASELINES
from hubel.breaking.fooling import GRADIENT
from hubel.data import cache, cifar, decoding, download, idx, samples
from hubel.data.samples import Row
from hubel.findings import Finding
from hubel.inference import batch_size
from hubel.labs import run as labs
from hubel.model import FACTS, WEIGHTS, Classifier
from hubel.networks import catalogue, checkpoints
from hubel.pixels import PixelSpec, decode
from hubel.report.results import TrialFigures
from hubel.run import Checkpoint, Run, Status
from hubel.tensors import pack, seal
from hubel.training import checkpoint, evaluate, optimisers, recipe
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
    style_state,
    tested,
)
from tests.conftest import Heard, paint
from tests.data.test_formats import idx_bytes

SPEC = PixelSpec((4, 4), channels=1)
CACHED = PixelSpec((5, 6))
CPU = torch.device("cpu")


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


def _values(tensors: dict[str, torch.Tensor]) -> dict[str, object]:
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def _training() -> tuple[Classifier, optimisers.Optimiser]:
    network = catalogue.build("linear", classes=3, channels=1, size=(4, 4))
    blueprint = hubel.model.Blueprint("linear", {"classes": 3, "channels": 1, "size": [4, 4]})
    made = Classifier(network, classes=("a", "b", "c"), pixels=SPEC, blueprint=blueprint)
    return made, optimisers.build(
        network.named_parameters(), kind="sgd", lr=0.1, momentum=0.9, nesterov=True,
        weight_decay=0.0,
    )  # fmt: skip


def _state(path: Path) -> TrainingState:
    """A checkpoint's state.json as `restore` reads it, its hash having been right."""
    model, optimiser = _training()
    files = checkpoint.save(model, optimiser, TrainingState())
    return checkpoint.restore(files | {checkpoint.STATE: path.read_bytes()}, model, optimiser)


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
    found = decoding.load(_photos(root), CACHED)
    return found.images.tolist()


def _photos(root: Path) -> samples.Files:
    paths = sorted((root / "photos").glob("*/*.png"))
    return samples.Files(paths, np.arange(len(paths)) % 2, ("a", "b"), [p.name for p in paths])


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
        lambda _, root: Run(root / "run").read_table("metrics.csv", dict[str, float | None]),
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
        lambda _, root: (
            labs.kept("approximation", root / "lab", size="quick", seed=0),
            labs._is_a_labs(root / "lab"),
        ),
        ("labs/run._Facts", "labs/run.py:kept", "labs/run.py:dict[str, Any]"),
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
    "a PNG": Reader("photos/a/0.png", lambda path, _: _picture(path), ("pixels.py:_opened",)),
}  # fmt: skip

# What opens a file and is no reader of its own, with the reason.
OTHERS = {
    "atomic.py": "writes",
    "cli/__init__.py": "what a closed stream is replaced by",
    "cli/lab.py": "prints what was written a moment ago",
    "data/cache.py:Store.writing": "writes",
    "data/cache.py:_in_use": "a lock",
    "data/decoding.py": "pictures, which `pixels.decode` reads; a nameless file of its own",
    "data/headers.py": "pictures: None for what cannot be read",
    "data/samples.py:digest": "a hash of any bytes",
    "breaking/": "pictures that were made in memory",
    "entrance.py": "the system's own files",
    "fetch.py": "a hash of any bytes; a download",
    "foreign.py": "the first bytes of any file, to say what it is",
    "networks/weights.py:imagenet_classes": "part of the package",
    "reading.py": "what all readers read with",
    "report/lecture.py:picture_of": "the size of a picture that was made in memory",
    "run.py:Run.locked": "a lock",
    "run.py:Run.log": "writes",
    "run.py:kind": "what other readers read with",
    "tensors.py": "what other readers read with",
    "verbs/machine.py:processor": "the system's own file",
    "verbs/shape_sources.py:opacity": "pictures, which `pixels.read` has read",
}

TYPED = {"reading.record", "reading.parsed", "reading.table", "read_json", "read_table"}
READS = {
    *("reading.opened", "reading.content", "reading.text"),
    *("open", "read_text", "read_bytes", "fromfile", "memmap", "load_file", "safe_open", "loadtxt"),
    *("unseal", "read_toml", "unpack", "genfromtxt", "deserialize"),
    *("json.load", "json.loads", "tomllib.load", "tomllib.loads", "csv.reader", "csv.DictReader"),
    *("torch.load", "np.load", "safetensors.torch.load", "os.read", "pickle.load"),
}


def _of_kind(file: str, kind: str) -> str:
    if kind[0] == "_":
        return f"{file.removesuffix('.py')}.{kind}"
    return kind if kind[0].isupper() or kind == "machine.Environment" else f"{file}:{kind}"


def places(root: Path) -> Iterator[str]:
    """Where the source reads files: "Status", a record that has a name of its own, "model._Facts",
    a file's private one, and else "run.py:Run.log", the function.
    """
    called = re.compile("|".join(rf"\b{re.escape(name)}\(" for name in sorted(TYPED | READS)))
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if called.search(text):  # a tree takes much longer
            yield from _in(ast.parse(text), path.relative_to(root).as_posix(), "")


def _in(node: ast.AST, file: str, function: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        here = function
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            here = f"{function}.{child.name}" if function else child.name
        if isinstance(child, ast.Call):
            called = (
                ast.unparse(child.func) if isinstance(child.func, ast.Attribute | ast.Name) else ""
            )
            names = {called, called.rpartition(".")[2]}
            if names & TYPED:
                yield _of_kind(file, ast.unparse(child.args[1]))
            elif names & READS:
                yield f"{file}:{here}"
        yield from _in(child, file, here)


def make(root: Path) -> None:
    """A good file of every kind under the root; HUBEL_HOME is root/home."""
    run = Run(root / "run")
    torch.manual_seed(0)
    model, optimiser = _training()
    model.save(run.path / "model")
    state = TrainingState(epoch=1, history=[{"epoch": 1.0, "loss": 0.5}], best_epoch=1)
    run.save("last", checkpoint.save(model, optimiser, state))
    run.write("epoch.json", "1")
    run.status("finished", epoch=1, best_epoch=1, seconds=2.5, notices=["A notice."])
    run.write_json("environment.json", machine.environment(CPU))
    run.write_json("classes.json", {"classes": ["a", "b", "c"]})
    rows = [{"split": "train", "name": f"{i}.png", "class": "a", "digest": "0" * 64} for i in "12"]
    run.write_table("splits.csv", rows)
    run.write_table("metrics.csv", [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "accuracy": 0.25}])
    trial = restarts.Trial(1, 0.5, 0.75, 0.25, 3.5)
    run.write_table("trials.csv", [vars(trial), vars(replace(trial, number=2, kept=True))])
    run.write_json("restarts.json", {"restarts": 2, "keep": "validation", "threads": None})
    logits, labels = torch.eye(3).repeat(4, 1), torch.arange(12) % 3
    found = evaluate.evaluation(logits, labels, ("a", "b", "c"))
    run.write_json("validation.json", found.as_json())
    tested.keep(run, found)
    row = {"name": next(iter(BASELINES)), "right": [True, False, True, True], "trained_on": 9}
    run.write_json("baselines.json", {"baselines": [row]})
    told = recipe.resolve("fast", {"data": "digits", "network": "linear"})
    run.write("recipe.toml", told.as_toml())
    (root / "own.toml").write_text('recipe = "fast"\nlr = 0.1\n[arguments]\ndropout = 0.5\n')
    _make_states(root)
    _make_data(root)


def _make_states(root: Path) -> None:
    evolved = {
        "confidences": torch.rand(3), "evaluations": torch.tensor(9),
        "generation": torch.tensor(2), "curve": torch.rand(2, 3),
    }  # fmt: skip
    searches = [fool_state.Search(GRADIENT, evolved)]
    fooling = fool_state.Kept({"network": "0" * 64, "seed": 1}, {"torch": "2"}, 90, searches)
    (root / "fool.safetensors").write_bytes(fooling.packed())
    painting = style_state.Painting(
        1.0, {"parameters": torch.rand(3, 4, 4), "number": torch.tensor(1)}, [(1.0, 2.0, 3.0)] * 2
    )
    style = style_state.Kept({"style": "0" * 64, "size": 4}, {"torch": "2"}, 9, [painting])
    (root / "style.safetensors").write_bytes(style.packed())
    whole = {"values": torch.rand(2, 9), "pictures": torch.arange(18).view(2, 9)}
    whole |= {"rows": torch.zeros(2, 9).long(), "columns": torch.zeros(2, 9).long()}
    tensors = {f"conv/{name}": part for name, part in whole.items()} | {"seen": torch.tensor(30)}
    (root / "patches.safetensors").write_bytes(seal(tensors, {}))
    state = {"conv.weight": torch.rand(2, 3, 3, 3), "conv.bias": torch.rand(2)}
    torch.save(state, root / "weights.pth")
    (root / "weights.safetensors").write_bytes(pack(state))
    (root / "lab").mkdir()
    facts = {
        "lab": "approximation", "size": "quick", "seed": 0, "options": {}, "seconds": 1.5,
        "hubel": hubel.__version__, "torch": torch.__version__, "drawings": {}, "lines": ["a"],
        "findings": [vars(Finding("L7", "It was measured.", True, "9 cases"))],
        "numbers": {"x": [1, 2.5]},
    }  # fmt: skip
    (root / "lab" / "numbers.json").write_text(json.dumps(facts, indent=2))


def _make_data(root: Path) -> None:
    rng = np.random.default_rng(0)
    (root / "images").write_bytes(idx_bytes(rng.integers(0, 256, (2, 3, 3), dtype=np.uint8)))
    labels = rng.integers(0, 9, (40,), dtype=np.uint8)
    (root / "labels.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    record = rng.integers(0, 256, (2, 3073), dtype=np.uint8)
    record[:, 0] = (0, 1)
    (root / "cifar.bin").write_bytes(record.tobytes())
    (root / "names.txt").write_text("apple\nbear\ncar\n")
    with tarfile.open(root / "data.tar.gz", "w:gz") as tar:
        for name in ("one.bin", "two.bin"):
            about = tarfile.TarInfo(f"folder/{name}")
            about.size = 300
            tar.addfile(about, io.BytesIO(rng.bytes(300)))
    for i in range(6):
        paint(root / "photos" / "ab"[i % 2] / f"{i}.png", i, 60 + 20 * i)
    batch_size.remember("kind", 64)
    decoding.load(_photos(root), CACHED)
    assert len(cache.store(CACHED, 1.0).contents()[0]) == 6
