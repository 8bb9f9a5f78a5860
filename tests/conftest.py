"""What many tests share: the command line in-process, small folders of pictures."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hubel.lock import LOCK
from hubel.output import LISTING
from hubel.verbs.watch import Watch


class Answer(NamedTuple):
    """What a command said: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True, scope="session")
def _legends_cover_nothing() -> Iterator[None]:
    """Of every figure that any test draws: no legend lies on axes that show something."""
    save = Figure.savefig

    def checked(figure: Figure, *arguments: object, **options: object) -> None:
        save(figure, *arguments, **options)  # type: ignore[arg-type]
        axes = [each.get_window_extent() for each in figure.axes if each.axison]
        for legend in (*figure.legends, *(a.legend_ for a in figure.axes if a.legend_)):
            box = legend.get_window_extent()
            assert not any(box.overlaps(each) for each in axes)
            inside = box.x0 >= figure.bbox.x0 - 1 and box.x1 <= figure.bbox.x1 + 1
            assert inside, "a legend is wider than its figure"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", checked)
        yield


Command = Callable[..., Answer]


@pytest.fixture
def hubel_command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`hubel_command("train", "digits")` runs the command line in this process."""
    from hubel.cli import main

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["hubel", *map(str, arguments)])
        capfd.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        out, err = capfd.readouterr()
        assert isinstance(code, int)
        assert "Traceback" not in err
        return Answer(code, out, err)

    return run


def paint(path: Path, seed: int, shade: int, size: int = 12) -> None:
    """A small noisy picture of about one shade."""
    noise = np.random.default_rng(seed).integers(-20, 20, (size, size, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((noise + shade).clip(0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of ten pictures each that a linear classifier tells apart."""
    root = tmp_path / "photos"
    for k, name in enumerate(("dark", "grey", "light")):
        for i in range(10):
            paint(root / name / f"{i}.png", 100 * k + i, 40 + 85 * k)
    return root


def written(folder: Path) -> set[str]:
    """The names in a folder of results, but for what every such folder has."""
    return {path.name for path in folder.iterdir()} - {LOCK, LISTING}


# A quick training on the folder: what a test adds is what it is about.
QUICK = ("--network", "linear", "--epochs", 1, "--threads", 1, "--set", "size=8")


class Heard(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, sentence: str) -> None:
        self.notices.append(sentence)
