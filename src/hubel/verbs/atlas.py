"""The atlas of a layer: every unit's top patches, their projections, and an image made for it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hubel
from hubel.data.listing import left_out, listed, within
from hubel.data.samples import MOST_HASHED, Files, Row, Samples
from hubel.data.sources import SOURCES, open_undivided
from hubel.home import home
from hubel.mistakes import Failure, Mistake, unknown
from hubel.model import Classifier
from hubel.output import Output
from hubel.report.atlas import Unit, atlas_page
from hubel.report.html import Onward
from hubel.run import Run
from hubel.training.recipe import from_run
from hubel.understanding.arrangement import MAPS_FIRST, arranged
from hubel.understanding.outputs import Handed, handed_on
from hubel.understanding.rectifying import RULES
from hubel.verbs import machine
from hubel.verbs.interrupt import interruptible
from hubel.verbs.load import called, loaded, own_run
from hubel.verbs.onward import onward
from hubel.verbs.patches import top_patches
from hubel.verbs.place import near, place
from hubel.verbs.prepare import decode, open_data
from hubel.verbs.resume import check_data
from hubel.verbs.units import Units
from hubel.verbs.watch import Watch

PAGE, FACTS = "atlas.html", "atlas.json"
WORDS = {
    "guided": "guided backpropagation (Springenberg et al. 2015)",
    "deconvnet": "a deconvnet (Zeiler & Fergus 2014)",
    "gradient": "its gradient",
}
RULE = "guided"  # its pictures are clear on linear bottlenecks as well, the deconvnet's are not


@dataclass(frozen=True)
class Atlas:
    """The page, and its units; stopped: whether some are missing because a stop was asked for."""

    page: Path
    units: tuple[Unit, ...]
    stopped: bool = False


@machine.undisturbed
def atlas(
    model: str | os.PathLike[str] | Classifier,
    layer: str,
    data: str | os.PathLike[str] | None = None,
    *,
    unit: int | None = None,
    most: int | None = None,
    images: int | None = None,
    rule: str = RULE,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    workers: int = 0,
    download: bool = False,
    watch: Watch | None = None,
) -> Atlas:
    """Every unit of a layer by its nine top patches, their projections, and its image.

    layer: as `hubel.summary` names it, of maps or of units. data: a data set, of which all but the
    test pictures are looked at, or any folder of pictures; a run needs none and is shown its own
    validation pictures. unit: only this one; most: only the first so
    many. images: of the pictures only so many, spread over all of them. rule: a row of
    `rectifying.RULES`, by which activations are taken back to the pixels. out: the folder for
    atlas.html, a JPEG of each unit and atlas.json, where an earlier atlas is replaced; None: a new
    one, atlas in the model's run, or here.

    The patches of all layers are found in one pass and kept, in the run or in HUBEL_HOME. The
    first Ctrl-C ends it within a step, and what is done is written. Raises Mistake for a
    layer or unit that is not there, no pictures, or a folder that holds something else.
    """
    watch = watch or Watch()
    machine.demand_float32()
    if rule not in RULES:
        raise unknown("rule for ReLUs", rule, RULES)
    results = place(out, near(model, "atlas"), FACTS, "atlas")
    where = machine.device(device)
    run = own_run(model)
    samples, told = _samples(run, data, watch)  # before anything is fetched or loaded
    if images is not None and images < len(samples):
        spread = np.linspace(0, len(samples), images, endpoint=False).astype(np.int64)
        samples, told = samples.subset(spread), f"{images:,} of {told}"
    classifier = loaded(model, download=download, watch=watch).to(where)
    name = called(model)
    with machine.threads(threads), results.held() as folder, interruptible(at_once=True) as request:
        spec = classifier.pixels
        blank = torch.full((1, spec.channels, *spec.size), 0.5, device=where)
        handed = [
            each for each in handed_on(classifier, blank) if arranged(each, spec.size) == MAPS_FIRST
        ]
        looked = _layer(handed, layer, unit)
        decoded = decode(samples, spec, told, workers=workers, watch=watch)
        kept_in = (run.path if run else home()) / "patches"
        request.at_once = False  # from here on there is something to save
        state = top_patches(
            classifier, decoded.images, handed, kept_in, device=where, watch=watch, request=request
        )
        chosen = list(range(looked.shape[1]))[:most] if unit is None else [unit]
        work = Units(classifier, looked, state[layer], decoded, samples, rule)
        found = [each for some in work.made(chosen, request, watch) for each in some]
        if not found:
            raise KeyboardInterrupt  # nothing was finished, and what is there stays
        facts = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "hubel": hubel.__version__,
            "torch": torch.__version__,
            "model": name,
            "layer": layer,
            "of": looked.shape[1],
            "pictures": len(decoded.images),
            "data": told,
            "rule": WORDS[rule],
            "field": list(work.field),
        }
        _write(folder, found, facts, onward("atlas", model, folder.path / PAGE))
        return Atlas(folder.path / PAGE, tuple(found), len(found) < len(chosen))


def _write(folder: Output, found: Sequence[Unit], facts: dict[str, Any], end: Onward) -> None:
    files = {each.file: each.sheet for each in found}
    files[PAGE] = atlas_page(found, facts, end).encode()
    text = json.dumps(facts | {"units": [each.as_json() for each in found]}, indent=2)
    files[FACTS] = (text + "\n").encode()
    folder.write_all(files)
    folder.finish()


def _samples(
    run: Run | None, data: str | os.PathLike[str] | None, watch: Watch
) -> tuple[Samples, str]:
    """The pictures to look for patches in, and what they are."""
    if data is None:
        if run is None:
            raise Mistake("This model does not say what it was trained on: name pictures, --data.")
        splits = open_data(from_run(run.path), before=run.read_table("splits.csv", Row))
        check_data(run, splits, "To look at other pictures, name them with --data.")
        return _some(splits.validation, "its validation pictures")
    name = os.fspath(data)
    if name in SOURCES:
        return _some(open_undivided(name)[0]["train"], f"those of {name} that are no test")
    if not os.path.isdir(name):
        raise unknown("data set or folder", name, SOURCES)
    folder = Path(name)
    inside = listed(folder)
    for sentence in left_out([inside], folder):
        watch.notice(sentence)
    paths = inside.pictures
    parents = [within(path.parent, folder) for path in paths]
    classes = tuple(sorted(set(parents)))
    labels = np.array([classes.index(each) for each in parents], np.int64)
    names = [within(path, folder) for path in paths]
    found = Files(paths, labels, classes, names, hashed=len(paths) * 1_000_000 < MOST_HASHED)
    return _some(found, f"the folder {folder.absolute().name}")


def _some(samples: Samples, what: str) -> tuple[Samples, str]:
    if not len(samples):
        raise Failure(f"There are no pictures here ({what}): name others with --data.")
    return samples, what


def _layer(handed: Sequence[Handed], layer: str, unit: int | None) -> Handed:
    """The layer among all that hand on maps or units. Raises Mistake with the nearest names."""
    found = {each.name: each for each in handed if len(each.shape) in (2, 4)}
    if layer not in found:
        raise unknown("layer of maps or units", layer, found)
    known = found[layer].shape[1]
    if unit is not None and not 0 <= unit < known:
        raise Mistake(f"{layer} has no unit {unit}: they are 0 to {known - 1}.")
    return found[layer]
