"""A good file of every kind that hubel reads, small."""

import gzip
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import hubel
from hubel.baselines.shallow import BASELINES
from hubel.breaking.fooling import GRADIENT
from hubel.data import cache, decoding, samples
from hubel.findings import Finding
from hubel.inference import batch_size
from hubel.labs import page
from hubel.model import Blueprint, Classifier
from hubel.networks import catalogue
from hubel.output import Place
from hubel.pixels import PixelSpec
from hubel.run import Run
from hubel.strangeness import reference
from hubel.tensors import pack, seal
from hubel.training import checkpoint, evaluate, optimisers, recipe
from hubel.training.loop import TrainingState
from hubel.verbs import fool_state, machine, restarts, shape, style_state, tested
from tests.conftest import paint
from tests.data.test_formats import idx_bytes

SPEC = PixelSpec((4, 4), channels=1)
CACHED = PixelSpec((5, 6))
CPU = torch.device("cpu")
SHAPE = {"model": "a", "referee": None, "data": "b", "method": "patch", "seed": 0}


def training() -> tuple[Classifier, optimisers.Optimiser]:
    network = catalogue.build("linear", classes=3, channels=1, size=(4, 4))
    blueprint = Blueprint("linear", {"classes": 3, "channels": 1, "size": [4, 4]})
    made = Classifier(network, classes=("a", "b", "c"), pixels=SPEC, blueprint=blueprint)
    return made, optimisers.build(
        network.named_parameters(), kind="sgd", lr=0.1, momentum=0.9, nesterov=True,
        weight_decay=0.0,
    )  # fmt: skip


def photos(root: Path) -> samples.Files:
    paths = sorted((root / "photos").glob("*/*.png"))
    return samples.Files(paths, np.arange(len(paths)) % 2, ("a", "b"), [p.name for p in paths])


def make(root: Path) -> None:
    """A good file of every kind under the root; HUBEL_HOME is root/home."""
    run = Run(root / "run")
    torch.manual_seed(0)
    model, optimiser = training()
    model.reference = reference(torch.rand(9, 16), torch.rand(5, 16))
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
    lecture, test = root / "lecture", Place(root / "shape", shape.FACTS)
    lecture.mkdir()
    (lecture / page.FACTS).write_text(json.dumps({"size": "quick", "seed": 0}))
    with test.held() as folder:
        folder.write(shape.FACTS, json.dumps(SHAPE | {"finished": False, "planned": 40}))


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
    decoding.load(photos(root), CACHED)
    with cache.store(CACHED, 1.0).contents() as (places, _):
        assert len(places) == 6
