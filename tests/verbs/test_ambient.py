"""Classifiers of any precision, and what is switched on around a call: verbs work, or say no."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet
from PIL import Image
from torch import nn

import hubel
from hubel.breaking.carlini_wagner import carlini_wagner
from hubel.breaking.gradient import pgd
from hubel.breaking.norms import L2
from hubel.breaking.search import search
from hubel.breaking.szegedy import box_lbfgs
from hubel.mistakes import Mistake
from hubel.model import Classifier
from hubel.pixels import PixelSpec
from hubel.run import Run
from hubel.understanding.occlusion import occlude
from hubel.verbs import machine
from hubel.verbs import train as training

SIDE = 8
CLASSES = ("bright", "dark")


@contextmanager
def wide() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


AROUND: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


def made() -> Classifier:
    """A network with a batch norm, of weights that do not hang on torch's default."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
        parameter.data = drawn.to(parameter)
    spec = PixelSpec((SIDE, SIDE), 3, mean=(0.5,) * 3, std=(0.25,) * 3)
    return Classifier(network, classes=CLASSES, pixels=spec).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name, low in zip(CLASSES, (120, 0), strict=True):
        (root / name).mkdir()
        for i in range(12):
            pixels = rng.integers(low, low + 120, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def looked(model: Classifier, data: Path, out: Path) -> list[float]:
    found = hubel.look(model, data / "dark" / "0.png", trust=False, out=out)
    return [share for _, share in sorted(found.looks[0].predictions)]


def attacked(model: Classifier, data: Path, out: Path) -> list[float]:
    names = ("fgsm", "pgd", "deepfool")
    found = hubel.attack(
        model, data, attacks=names, epsilons=(0.05,), steps=3, images=3, checks=False, out=out
    ).found
    assert {row.attack for row in found.rows} == set(names)
    return [row.accuracy.share for row in found.rows]


def corrupted(model: Classifier, data: Path, out: Path) -> list[float]:
    found = hubel.corrupt(model, data, corruptions=("brightness",), severities=(3,), out=out)
    return [found.found.clean.share]


VERBS: dict[str, Callable[[Classifier, Path, Path], list[float]]] = {
    "predict": lambda model, data, _: [
        dict(row.classes)["dark"] for row in hubel.predict(model, data)
    ],
    # in batches of one size: the fastest goes by the clock, and the last digits with it
    "predict many": lambda model, data, _: [
        dict(row.classes)["dark"] for row in hubel.predict(model, [data] * 6, batch_size=64)
    ],
    "evaluate": lambda model, data, _: [hubel.evaluate(model, data).loss],
    "look": looked,
    "attack": attacked,
    "corrupt": corrupted,
    "occlude": lambda model, *_: occlude(
        model, torch.linspace(0, 1, 3 * SIDE**2, dtype=torch.float32).view(3, SIDE, SIDE), 1,
        layer="3",
    ).probability.flatten().tolist(),
}  # fmt: skip


@pytest.fixture(scope="module")
def usual(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """What the verbs find of the network in float32, with nothing around them."""
    out = tmp_path_factory.mktemp("usual")
    return {name: verb(made(), folder, out / name) for name, verb in VERBS.items()}


def some(verbs: Iterable[str]) -> list[ParameterSet]:
    """All of them; `look`, which takes seconds, in `make slow`, and below in any case."""
    return [pytest.param(v, marks=pytest.mark.slow if v == "look" else ()) for v in verbs]


@pytest.mark.parametrize("verb", some(VERBS))
@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.float64], ids=str)
def test_a_classifier_of_any_precision(
    dtype: torch.dtype, verb: str, usual: dict[str, list[float]], folder: Path, tmp_path: Path
) -> None:
    model = made().to(dtype)
    found = VERBS[verb](model, folder, tmp_path / "out")
    if verb != "attack":  # whether a picture on the boundary is fooled is a matter of rounding
        atol = {torch.half: 0.01, torch.bfloat16: 0.08, torch.float64: 1e-5}[dtype]
        np.testing.assert_allclose(found, usual[verb], atol=atol)
    assert {each.dtype for each in model.parameters()} == {dtype}  # and it is left as it was


@pytest.mark.parametrize("dtype", [torch.half, torch.float64], ids=str)
def test_attacks_that_take_their_time(dtype: torch.dtype) -> None:
    x = torch.linspace(0, 1, 3 * SIDE**2, dtype=torch.float32).view(1, 3, SIDE, SIDE)
    model = made().to(dtype)
    labels = model(x).argmax(1)
    made_by = {
        "search": search(model, x, labels, epsilon=0.1, queries=4),
        "lbfgs": box_lbfgs(model, x, labels, steps=2, rounds=1).images,
        "cw": carlini_wagner(model, x, labels, steps=2, rounds=1).images,
        "pgd-l2": pgd(model, x, labels, epsilon=1.0, norm=L2, steps=2, restarts=2, seed=0),
    }
    for name, images in made_by.items():
        assert images.dtype == torch.float32, name
        assert images.shape == x.shape, name


@pytest.mark.parametrize("verb", some(name for name in VERBS if name != "occlude"))
@pytest.mark.parametrize("around", AROUND)
def test_what_is_switched_on_around_a_verb_changes_nothing(
    around: str, verb: str, usual: dict[str, list[float]], folder: Path, tmp_path: Path
) -> None:
    with AROUND[around]():  # the classifier, too, is made inside
        found = VERBS[verb](made(), folder, tmp_path / "out")
    np.testing.assert_allclose(found, usual[verb], rtol=1e-6)


@pytest.mark.parametrize("verb", VERBS)
def test_a_default_of_float64(
    verb: str, usual: dict[str, list[float]], folder: Path, tmp_path: Path
) -> None:
    with wide():
        model = made()
        found = VERBS[verb](model, folder, tmp_path / "out")
    assert next(model.parameters()).dtype == torch.float64
    if verb not in ("attack", "corrupt"):  # what is drawn is drawn with other bits
        np.testing.assert_allclose(found, usual[verb], atol=1e-5)


REFUSES: dict[str, Callable[[Path, Path], object]] = {
    "train": lambda data, out: hubel.train(data, network="linear", size=SIDE, epochs=1, out=out),
    "fool": lambda _, out: hubel.fool(made(), evaluations=4, offspring=4, out=out),
    "shape": lambda data, out: hubel.shape_bias(made(), data, method="patch", out=out),
    "lab": lambda _, out: hubel.run_lab("approximation", size="quick", out=out),
    "inspect": lambda data, out: hubel.inspect(data, out=out),
    "atlas": lambda data, out: hubel.atlas(made(), "0", data, out=out),
}


@pytest.mark.parametrize("verb", REFUSES)
def test_what_follows_from_a_seed_asks_for_float32(verb: str, folder: Path, tmp_path: Path) -> None:
    with wide(), pytest.raises(Mistake, match=r"torch\.set_default_dtype\(torch\.float32\) first"):
        REFUSES[verb](folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def trained(data: Path, out: Path) -> dict[str, torch.Tensor]:
    found = hubel.train(data, recipe="fast", network="linear", size=SIDE, epochs=1, out=out)
    return found.classifier.state_dict()


def test_what_is_switched_on_around_a_training_changes_no_bit(folder: Path, tmp_path: Path) -> None:
    alone = trained(folder, tmp_path / "alone")
    for name, around in AROUND.items():
        with around():
            found = trained(folder, tmp_path / name)
        assert all(torch.equal(found[key], value) for key, value in alone.items()), name
        assert not any(each.is_inference() for each in found.values())


@pytest.mark.parametrize("stage", ["begin", "save", "write_report"])
def test_a_training_that_fails_says_so_in_its_run(
    stage: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the sky has fallen")

    monkeypatch.setattr(training, stage, fails)
    with pytest.raises(RuntimeError, match="the sky has fallen"):
        trained(folder, tmp_path / "run")
    status = Run.find(tmp_path / "run").read_json("status.json", dict[str, Any])
    assert (status["state"], status["why"]) == ("failed", "the sky has fallen")


def test_a_refused_resumption_leaves_the_run_as_it_was(folder: Path, tmp_path: Path) -> None:
    trained(folder, tmp_path / "run")
    before = (tmp_path / "run" / "status.json").read_bytes()
    environment = tmp_path / "run" / "environment.json"
    environment.write_text(environment.read_text().replace('"torch": "', '"torch": "0.'))
    with pytest.raises(hubel.Failure):
        hubel.train(resume=tmp_path / "run")
    assert (tmp_path / "run" / "status.json").read_bytes() == before


def test_undisturbed_is_for_the_inside_alone() -> None:
    @machine.undisturbed
    def inside() -> tuple[bool, bool, bool]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), _casting()

    for around in (nullcontext, *AROUND.values()):
        with around():
            before = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), _casting()
            assert inside() == (True, False, False)
            after = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), _casting()
            assert before == after


def _casting() -> bool:
    return torch.is_autocast_enabled("cpu")
