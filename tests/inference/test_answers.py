"""Answers against the plain loop, in whatever portions the pictures come."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubel.inference import batch_size as sizes
from hubel.inference.answers import WORTH_PREPARING, Answers
from hubel.inference.batch_size import INPUT_BYTES, SIZES, BatchSize
from hubel.model import Classifier, PixelSpec
from hubel.networks import catalogue


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    network = catalogue.build("small", classes=3, channels=1, size=(8, 8))
    spec = PixelSpec((8, 8), channels=1, mean=(0.4,), std=(0.3,))
    return Classifier(network, classes=("a", "b", "c"), pixels=spec)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "home"))


def pictures(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)


def plain(classifier: Classifier, images: np.ndarray) -> torch.Tensor:
    """The obvious loop: one picture at a time, the network as it is."""
    classifier.eval()
    with torch.no_grad():
        rows = [classifier(torch.from_numpy(i).float()[None] / 255) for i in images]
    return torch.cat([torch.empty(0, 3), *rows])


@given(portions=st.lists(st.integers(0, 40), max_size=6), batch=st.sampled_from([None, 1, 7, 300]))
@settings(max_examples=25)
def test_any_portions(portions: list[int], batch: int | None, classifier: Classifier) -> None:
    n = sum(portions)
    images = pictures(n)
    answers = Answers(classifier, expected=n, batch_size=batch)
    for part in np.split(images, np.cumsum(portions)[:-1] if portions else []):
        answers.add(part)
    found = answers.logits()
    assert found.shape == (n, 3)
    torch.testing.assert_close(found, plain(classifier, images), atol=1e-5, rtol=1e-5)


def test_the_classifier_is_left_as_it_was(classifier: Classifier) -> None:
    classifier.train()
    strides = [p.stride() for p in classifier.parameters()]
    answers = Answers(classifier, expected=WORTH_PREPARING)
    answers.add(pictures(WORTH_PREPARING))
    assert not answers.logits().requires_grad
    assert classifier.training
    assert strides == [p.stride() for p in classifier.parameters()]


def test_progress_counts_what_was_answered(classifier: Classifier) -> None:
    told: list[tuple[int, int]] = []
    answers = Answers(
        classifier, expected=10, batch_size=4, progress=lambda *heard: told.append(heard)
    )
    answers.add(pictures(10))
    answers.logits()
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_the_fastest_size_wins() -> None:
    each = {4: 5.0, 16: 2.0, 64: 1.0, 256: 3.0, 1024: 0.1}
    size = BatchSize((1, 8, 8))
    tried = []
    while True:
        tried.append(size.next)
        if size.took(size.next, size.next * each[size.next]):
            break
    # at 256 the turn is past: 1024 is not tried
    assert tried == [4, 4, 16, 16, 64, 64, 256, 256]
    assert size.next == 64


def test_the_first_batch_of_a_size_may_be_slow() -> None:
    size = BatchSize((1, 8, 8))
    for seconds in (100.0, 4.0):  # setting up, then 1 a picture
        assert size.next == 4
        size.took(4, seconds)
    for _ in range(2):
        size.took(16, 32.0)  # 2 a picture: worse
    assert size.next == 4


def test_a_batch_cut_short_tells_nothing() -> None:
    size = BatchSize((1, 8, 8))
    assert not size.took(3, 1e-9)
    assert size.next == SIZES[0]


def test_large_pictures_come_in_small_batches() -> None:
    size = BatchSize((3, 2048, 2048))
    seen = {size.next}
    while not size.took(size.next, 1.0 / size.next):
        seen.add(size.next)
    assert max(seen) * 4 * 3 * 2048 * 2048 <= INPUT_BYTES
    assert BatchSize((3, 10_000, 10_000)).next == 1


def test_it_is_remembered_for_the_same_job_only(classifier: Classifier) -> None:
    answers = Answers(classifier, expected=5000)
    answers.add(pictures(5000))
    answers.logits()
    cpu = torch.device("cpu")
    kind = sizes.kind(classifier, (1, 8, 8), cpu)
    assert sizes.recall(kind) in SIZES
    other = catalogue.build("linear", classes=3, channels=1, size=(8, 8))
    assert sizes.recall(sizes.kind(other, (1, 8, 8), cpu)) is None
    assert sizes.recall(sizes.kind(classifier, (1, 9, 8), cpu)) is None


@pytest.mark.parametrize("content", ["", "[]", '{"k": "many"}', '{"k": -3}', '{"k": 1e9}', "\xff"])
def test_a_damaged_memory_is_measured_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "batch-sizes.json").write_text(content, encoding="latin-1")
    assert sizes.recall("k") is None
    sizes.remember("k", 16)
    assert sizes.recall("k") == 16


def test_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HUBEL_HOME", str(tmp_path / "file" / "below"))
    sizes.remember("k", 16)
    assert sizes.recall("k") is None


def test_a_network_that_views_its_maps(classifier: Classifier) -> None:
    """With its channels last it would not run."""

    class Views(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.score = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(144, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.score(self.conv(x).view(len(x), -1))

    viewing = Classifier(Views(), classes=classifier.classes, pixels=classifier.pixels)
    images = pictures(WORTH_PREPARING)
    answers = Answers(viewing, expected=WORTH_PREPARING)
    answers.add(images)
    torch.testing.assert_close(answers.logits(), plain(viewing, images), atol=1e-5, rtol=1e-5)


def test_what_cannot_be_copied_answers_itself(classifier: Classifier) -> None:
    class Holds(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(64, 3)
            self.held = self.linear.weight * 2  # a tensor with a history refuses deepcopy

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.flatten(1))

    stubborn = Classifier(Holds(), classes=classifier.classes, pixels=classifier.pixels)
    images = pictures(WORTH_PREPARING)
    answers = Answers(stubborn, expected=WORTH_PREPARING)
    answers.add(images)
    torch.testing.assert_close(answers.logits(), plain(stubborn, images), atol=1e-5, rtol=1e-5)
