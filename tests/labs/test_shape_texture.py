"""Shape and texture: what is composed and measured, and a verdict that can fail."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hubel.breaking.cue_conflict import Pair
from hubel.breaking.shape_bias import Bias
from hubel.data import scenes
from hubel.figures import percent
from hubel.labs import filled, photo_surfaces, restyled
from hubel.labs import shape_texture as lab
from hubel.labs.filled import CLASSES
from hubel.labs.lab import Setting, Shown
from hubel.labs.photo_surfaces import Photos
from hubel.labs.restyled import TRAININGS, Result, Stimuli
from hubel.mistakes import Failure
from hubel.model import Classifier
from hubel.pixels import PixelSpec


@pytest.fixture(scope="module")
def tested() -> filled.Articles:
    return filled.articles("test", 50, seed=0)


@pytest.fixture(scope="module")
def shown() -> Shown:
    return lab.shape_texture(Setting("quick"))


def test_as_many_of_each_class_and_on_black(tested: filled.Articles) -> None:
    assert torch.bincount(tested.labels).tolist() == [10] * len(CLASSES)
    outside = torch.from_numpy(~tested.shapes)[:, None]
    assert bool((tested.pixels[outside] == 0).all())
    assert torch.equal(tested.pixels[~outside], tested.textures[~outside])
    assert 0.05 < tested.shapes.mean() < 0.7
    again = filled.articles("test", 50, seed=0)
    assert torch.equal(again.pixels, tested.pixels)
    assert not torch.equal(filled.articles("test", 50, seed=1).pixels, tested.pixels)


@pytest.mark.parametrize("split", ["train", "test"])
def test_textures_are_of_their_photograph_and_apart(split: str) -> None:
    found = filled.parts(np.arange(len(CLASSES)), 28, split, seed=0)[:, 0]  # type: ignore[arg-type]
    for part, (name, _) in zip(found.numpy(), CLASSES.values(), strict=True):
        grey = scenes.photographs()[filled.NAMES.index(name)].mean(2, dtype=np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(grey, (28, 28))
        middle, deviation = windows.mean((2, 3)), windows.std((2, 3))
        # where the part's first pixel is, and then all of it: of one mean and one deviation
        even = filled.MEAN + filled.DEVIATION * (windows[:, :, 0, 0] - middle) / deviation
        places = np.argwhere(np.abs(even.clip(0, 1) - part[0, 0]) < 1e-6)
        across = [
            int(x)
            for y, x in places
            if np.allclose(
                (filled.MEAN + filled.DEVIATION * (windows[y, x] - middle[y, x]) / deviation[y, x])
                .clip(0, 1), part, rtol=0, atol=1e-6,
            )
        ]  # fmt: skip
        border = round(filled.APART * grey.shape[1])
        assert len(across) == 1
        assert across[0] + 28 <= border if split == "train" else across[0] >= border


def test_copies_are_exchanged_for_so_many() -> None:
    stock = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1, 1).expand(3, 300, 1, 2, 2) + 250
    pixels, index = torch.zeros(300, 1, 2, 2), np.arange(300)
    every = restyled.exchanged(stock, 1.0)(pixels, index, 0, 0)
    assert sorted((every * 255).round().unique().tolist()) == [250, 251, 252]
    some = restyled.exchanged(stock, 0.5)
    found = some(pixels, index, 0, 0)
    assert 110 < int((found[:, 0, 0, 0] > 0).sum()) < 190
    assert torch.equal(found[7:9], some(pixels[7:9], index[7:9], 0, 0))
    assert not torch.equal(found, some(pixels, index, 0, 1))


def test_a_network_that_knows_the_shape_alone_has_a_bias_of_1(tested: filled.Articles) -> None:
    """And one that knows the texture alone, of 0; corrupted pictures are wrong as they are."""
    shapes = torch.from_numpy(tested.shapes).float()[:, None]
    pairs = tuple(Pair(10 * k, 10 * ((k + 1) % 5), k, (k + 1) % 5) for k in range(5))
    mixed = filled.filled(tested.shapes[[p.shape for p in pairs]],
                          tested.textures[[p.texture for p in pairs]])  # fmt: skip
    wrong = tested.pixels.roll(10, 0)
    stimuli = Stimuli(
        tested, {"original": tested.pixels, "silhouette": shapes, "texture": tested.textures},
        pairs, mixed, {("all", 1): wrong, ("all", 3): tested.pixels},
    )  # fmt: skip
    by_shape = restyled.measured("plain", 0, _nearest(tested, shapes, "shape"), stimuli, 0)
    assert by_shape.right["original"] == 1
    assert by_shape.right["silhouette"] == 1
    assert (by_shape.bias.shape, by_shape.bias.texture, by_shape.bias.value) == (5, 0, 1.0)
    assert by_shape.errors == {"all": 0.5}
    assert by_shape.error == 0.5
    by_texture = restyled.measured("plain", 0, _nearest(tested, shapes, "texture"), stimuli, 0)
    assert by_texture.bias.value == 0
    assert set(by_texture.by_class) == set(CLASSES)


class _Nearest(nn.Module):
    """Answers with the class of the known picture that agrees most, in outline or inside it."""

    def __init__(self, known: torch.Tensor, labels: torch.Tensor, by: str) -> None:
        super().__init__()
        self.known, self.labels, self.by = known, labels, by

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        seen = pixels * 0.5 + 0.5  # as they were, before they were standardised
        if self.by == "shape":
            match = -((seen > 0.002).float()[:, None] - self.known[None]).abs().flatten(2).sum(2)
        else:
            inside = (seen > 0.002).float()[:, None]
            match = -((seen[:, None] - self.known[None]).abs() * inside).flatten(2).sum(2)
        own = self.labels == torch.arange(len(CLASSES))[:, None]
        return torch.stack([match[:, each].max(1).values for each in own], 1)


def _nearest(tested: filled.Articles, shapes: torch.Tensor, by: str) -> Classifier:
    # a black pixel inside an article is the ground, too
    outlines = (tested.pixels > 0.002).float()
    known = torch.cat((outlines, shapes)) if by == "shape" else tested.textures
    labels = tested.labels.repeat(2) if by == "shape" else tested.labels
    spec = PixelSpec((28, 28), 1)
    return Classifier(_Nearest(known, labels, by), classes=tuple(CLASSES), pixels=spec)


def bias(value: float | None, low: float = 0.0, high: float = 1.0) -> Bias:
    if value is None:
        return Bias(0, 0, 10, None, None)
    return Bias(round(100 * value), 100 - round(100 * value), 0, value, (low, high))


def results(plain: list[Bias], stylised: list[Bias], errors: list[tuple[float, float]]) -> tuple:
    network = Classifier(nn.Flatten(), classes=("a", "b"), pixels=PixelSpec((1, 1), 1))
    right = dict.fromkeys(lab.STIMULI, 0.9)
    found = []
    for n, (a, b, (before, after)) in enumerate(zip(plain, stylised, errors, strict=True)):
        for kind, each, error in (("plain", a, before), ("stylised", b, after), ("both", b, after)):
            found.append(Result(kind, n, network, right, each, {}, {"fog": error}))
    return tuple(found)


LOW, HIGH = bias(0.3, 0.2, 0.4), bias(0.8, 0.7, 0.9)
GOOD = results([LOW, LOW], [HIGH, HIGH], [(0.5, 0.3), (0.5, 0.4)])


def photos(plain: Bias) -> Photos:
    right = {name: {"original": 0.9} for name in photo_surfaces.HEADS}
    return Photos(40, right, {"plain": plain, "stylised": HIGH}, {0.6: plain}, (), ())


@pytest.mark.parametrize(("found", "seen", "holds"), [
    (GOOD, None, True),
    (GOOD, photos(LOW), True),
    (GOOD, photos(bias(0.4, 0.3, 0.55)), False),  # it may be one half
    (GOOD, photos(bias(None)), False),
    (results([LOW, HIGH], [HIGH, bias(1.0, 0.9, 1.0)], [(0.5, 0.3)] * 2), None, False),
    (results([LOW, HIGH], [HIGH, bias(1.0, 0.9, 1.0)], [(0.5, 0.3)] * 2), photos(LOW), True),
    (results([LOW, LOW], [HIGH, bias(0.39)], [(0.5, 0.3)] * 2), None, False),  # within it
    (results([LOW, LOW], [HIGH, HIGH], [(0.5, 0.3), (0.5, 0.5)]), None, False),
    (results([LOW, bias(None)], [HIGH, HIGH], [(0.5, 0.3)] * 2), photos(LOW), False),
])  # fmt: skip
def test_the_verdict_can_fail(found: tuple, seen: Photos | None, holds: bool) -> None:
    assert lab.verdict(found, seen) is holds


@pytest.mark.slow
def test_a_quick_lab_says_what_it_measured(shown: Shown) -> None:
    (finding,) = shown.findings
    trainings = shown.numbers["trainings"]
    assert [each["training"] for each in trainings] == list(TRAININGS)
    assert finding.id == "L51"
    for each in trainings:
        assert percent(float(np.mean(list(each["errors"].values())))) in finding.measured
    assert {drawing.name for drawing in shown.drawings} == {"stimuli", "measures", "three-pictures"}
    assert shown.lines[-1] == "Photographs are left out of a quick lab."
    assert shown.numbers["photographs"] is None


def test_without_weights_the_photographs_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise Failure(f"There are no weights of {name}.")

    monkeypatch.setattr(photo_surfaces.weights, "load", missing)
    said = photo_surfaces.photographs(Setting("usual"))
    assert said == "Photographs are left out. There are no weights of efficientnet-lite0."


def test_a_conflict_counts_where_both_sources_are_recognised() -> None:
    labels = torch.tensor([0, 1, 0, 1])
    said = {
        "original": torch.eye(2)[[0, 1, 1, 1]],  # the third object is not recognised
        "texture": torch.eye(2)[[0, 0, 0, 1]],  # nor the second's texture
    }
    pairs = (Pair(0, 3, 0, 1), Pair(2, 3, 0, 1), Pair(0, 1, 0, 1), Pair(1, 0, 1, 0))
    why = photo_surfaces._excluded(said, pairs, labels, np.array([False, True, True, True]))
    assert why == [
        "", "the object is not recognised", "the texture is not recognised",
        "no patch of its texture could be cut out",
    ]  # fmt: skip


def test_the_surest_is_one_that_counts_and_goes_by_texture() -> None:
    pairs = (Pair(0, 1, 0, 1), Pair(1, 0, 1, 0), Pair(0, 1, 0, 1))
    trials = restyled.trials_of([1, 0, 0], pairs, ("a", "b"), ["", "", ""])
    said = {"texture": torch.tensor([[0.9, 0.1], [0.2, 0.8]])}
    assert [trial.cue for trial in trials] == ["texture", "texture", "shape"]
    assert photo_surfaces._surest(said, pairs, trials) == 1
    out = [replace(trial, excluded="no") for trial in trials[:2]]
    assert photo_surfaces._surest(said, pairs, [*out, trials[2]]) == 2
