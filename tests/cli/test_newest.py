"""MODEL left out: the newest run answers and says so; no model is taken for pictures."""

from pathlib import Path

import pytest
import torch

import hubel
from hubel.cli.newest import settled, settled_on_data
from hubel.mistakes import Failure, Mistake
from hubel.training.evaluate import surest_mistakes
from hubel.verbs import worst
from tests.conftest import Command, paint

SAID = "No MODEL is named, so the newest run answers: runs/mine."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/mine, which is wrong about all but one class, and photos/."""
    home = tmp_path_factory.mktemp("home")
    for k, name in enumerate(("dark", "grey", "light")):
        for i in range(10):
            paint(home / "photos" / name / f"{i}.png", 100 * k + i, 40 + 85 * k)
    hubel.train(home / "photos", network="small", epochs=1, size=8, threads=1, out=home / "one")
    classifier = hubel.load(home / "one")
    with torch.no_grad():
        for parameter in list(classifier.network.parameters())[-2:]:
            parameter.zero_()
    classifier.save(home / "one" / "model")
    (home / "runs").mkdir()
    (home / "one").rename(home / "runs" / "mine")
    return home


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


@pytest.mark.parametrize(
    "words",
    [
        ("photos/dark/0.png",),
        ("photos/dark/0.png", "photos/light/1.png"),
        ("photos",),
        ("photos/*/1.png",),
        ("-",),
    ],
)
def test_pictures_in_the_place_of_a_model(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert settled(words[0], words[1:]) == ("runs/mine", list(words))
    assert capsys.readouterr().err == f"{SAID}\n"


@pytest.mark.parametrize(
    "model",
    ["runs/mine", "runs/mine/model", "vgg16", "runs", "nothing.png", "*.nothing", "report.md"],
)
def test_models_and_what_is_nothing(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("report.md").touch()
    assert settled(model, ("a.png",)) == (model, ["a.png"])
    assert capsys.readouterr().err == ""


def test_data_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert settled_on_data(None, None) == ("runs/mine", None)
    assert settled_on_data("photos", None) == ("runs/mine", "photos")
    assert settled_on_data("runs/mine", None) == ("runs/mine", None)
    assert settled_on_data("photos", "more") == ("photos", "more")


def test_without_runs(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Mistake, match="no finished run"):
        settled(str(home / "photos" / "dark" / "0.png"))


def test_predict_and_break(hubel_command: Command, tmp_path: Path) -> None:
    answer = hubel_command("predict", "photos/dark/0.png", "--top", 1)
    assert (answer.code, answer.err) == (0, f"{SAID}\n")
    assert answer.out.startswith("photos/dark/0.png")
    nothing = hubel_command("predict", "runs/mine")
    assert nothing.code == 2
    assert "Name pictures" in nothing.err
    broken = hubel_command(
        "break", "photos", "--attack", "fgsm", "--epsilon", "0.1", "--no-checks", "--images", 3,
        "--out", tmp_path / "broken",
    )  # fmt: skip
    assert broken.code == 0, broken.err
    assert SAID in broken.err


@pytest.mark.slow
def test_a_run_looks_at_its_own_worst_mistakes(hubel_command: Command, tmp_path: Path) -> None:
    answer = hubel_command("look", "--no-trust", "--out", tmp_path / "look")
    assert answer.code == 0, answer.err
    assert "these are the validation pictures that it is surest of, and wrong" in answer.err
    titles = [line for line in answer.out.splitlines() if ", taken for dark: dark" in line]
    assert len(titles) == worst.MOST
    assert not any(title.startswith("dark/") for title in titles)


def test_who_has_no_mistakes_or_no_pictures_of_its_own(
    hubel_command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for model in ("efficientnet-lite0", "runs/mine/model"):
        answer = hubel_command("look", model)
        assert answer.code == 2
        assert "only a run has some of its own" in answer.err
    monkeypatch.setattr(worst, "surest_mistakes", lambda logits, labels: [])
    with pytest.raises(Failure, match="makes no mistake on its 6 validation pictures"):
        hubel.look("runs/mine", out=tmp_path / "look")


def test_the_surest_mistakes_by_hand() -> None:
    logits = torch.tensor([[5.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 4.0], [3.0, 0.0]])
    assert surest_mistakes(logits, torch.tensor([1, 0, 0, 0, 1])) == [0, 3, 4, 1]
    assert surest_mistakes(logits, logits.argmax(1)) == []
