"""Where the verbs' results go, and what a second one leaves alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hubel
from hubel.model import Classifier
from hubel.networks import catalogue
from hubel.pixels import PixelSpec
from hubel.verbs.networks import draw, layers
from tests.conftest import Command

MINE = ("mynotes/thesis.txt", ".git/HEAD", "my-own-photo.png")


def styled(out: Path | None) -> Path:
    network = catalogue.build("small", classes=2, channels=3, size=(12, 12), widths=[2, 2, 2])
    classifier = Classifier(network, classes=("a", "b"), pixels=PixelSpec((12, 12), 3))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    return hubel.style(*pictures, network=classifier, size=16, steps=1, out=out).folder


def lab(out: Path | None) -> Path:
    return hubel.run_lab("convolution", size="quick", out=out, options={"size": 8}).folder


VERBS: dict[str, tuple[Callable[[Path | None], Path], str]] = {
    "style": (styled, "style"),
    "lab": (lab, "labs/convolution"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_is_replaced_unasked_and_nothing_of_the_users_ever(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, usual = VERBS[verb]
    first = make(None)
    assert first == tmp_path / usual
    assert make(None) == tmp_path / f"{usual}-2"
    for name in MINE:
        (first / name).parent.mkdir(exist_ok=True)
        (first / name).write_text("years of work")
    assert make(first) == first
    assert all((first / name).read_text() == "years of work" for name in MINE)


@pytest.mark.slow
def test_results_lie_in_the_run(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        words = ("--network", "linear", "--epochs", 2, "--threads", 1)
        assert hubel_command("train", "digits", *words, "--out", name).code == 0
    little = ("--images", 20, "--attack", "fgsm", "--epsilon", "0.2", "--no-checks", "--threads", 1)
    for name, place in (("one", "break"), ("two", "break"), ("one", "break-2")):
        told = hubel_command("break", name, *little)
        assert told.code == 0, told.err
        assert f"Page  {tmp_path / name / place / 'attack.html'}" in told.out
    # and a run with results in it is a run as before
    assert hubel_command("train", "--resume", "one").code == 0


def test_a_picture_of_a_network_replaces_none(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_text("mine")
    with pytest.raises(hubel.Mistake, match="is there already"):
        draw("lenet5", layers("lenet5"), tmp_path / "cat.png")
    assert (tmp_path / "cat.png").read_text() == "mine"


def test_a_model_is_saved_over_a_model_alone(tmp_path: Path) -> None:
    network = catalogue.build("linear", classes=2, channels=3, size=(4, 4))
    classifier = Classifier(network, classes=("a", "b"), pixels=PixelSpec((4, 4), 3))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(hubel.Mistake, match="holds something that is no model"):
        classifier.save(tmp_path / "mine")
    classifier.save(tmp_path / "model")
    (tmp_path / "model" / "card.md").write_text("mine")
    classifier.save(tmp_path / "model")
    assert (tmp_path / "model" / "card.md").read_text() == "mine"
