"""What the documents say is so: their commands run, their links lead somewhere, examples work."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
from _pytest.mark import ParameterSet
from PIL import Image

from tests.conftest import QUICK, Command

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# seconds each, and in small in tests of their own
SLOW = (
    "hubel lab ",
    "hubel look",
    "hubel break ",
    "hubel style ",
    "hubel data show photos --augment",
)


def commands() -> list[ParameterSet]:
    """Each command that a page shows, once."""
    found: dict[str, str] = {}
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            for line in block.splitlines():
                if line.startswith("hubel "):
                    found.setdefault(line.partition("#")[0].strip(), page.name)
    return [
        pytest.param(page, command, marks=pytest.mark.slow if command.startswith(SLOW) else ())
        for command, page in found.items()
    ]


COMMANDS = commands()


SMALL = ("--epochs", 2, "--threads", 1, "--set", "size=24", "--set", "arguments.widths=[8,8,8]")
LITTLE = {  # what `hubel break` is asked for by the way that it breaks
    "attacks": ["--images", "9", "--steps", "3"],
    "corruptions": ["--images", "9", "--severity", "3"],
    "shape": ["--pairs", "6", "--method", "patch"],
    "fooling": ["--evaluations", "400"],
}


@pytest.fixture
def place(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos/, stimuli/, cat.jpg and tissue.jpg, as the documents suppose."""
    assert folder == tmp_path / "photos"
    for name in ("cat1-bird2", "cat2-dog1", "bird1-cat1"):
        path = tmp_path / "stimuli" / name.partition("1-")[0].partition("2-")[0] / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(skimage.data.chelsea()).save(path)
    Image.fromarray(skimage.data.chelsea()).save(tmp_path / "cat.jpg")
    Image.fromarray(skimage.data.immunohistochemistry()).save(tmp_path / "tissue.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_of_the_documents(
    hubel_command: Command, place: Path, page: str, command: str
) -> None:
    words = shlex.split(command)[1:]
    if words in (["evaluate"], ["predict", "cat.jpg"]):
        assert hubel_command("train", "photos", *QUICK).code == 0
    if words == ["look"]:  # a run that has learned next to nothing, and so has mistakes to look at
        begun = ("train", "photos", "--network", "small", *SMALL, "--lr", "1e-9", "--out")
        assert hubel_command(*begun, "runs/mine").code == 0
    if words[0] == "train":  # begun in earnest, and stopped at the next moment
        words = [w for w in words if w not in ("--minutes", "5")] + ["--minutes", "0.001"]
    if words[0] == "lab" and len(words) > 1:  # the same lab in seconds
        words.append("--quick")
    if words[0] == "look" and "--units" in words:
        words += ["--unit", "3"]
    elif words[0] == "look":  # few positions, and no trials
        side = "12" if words == ["look"] else "64"
        words += ["--no-trust", "--square", side, "--stride", side]
    if words[0] == "style":
        words += ["--size", "48", "--steps", "2"]
    if words[0] == "break":  # the runs that it names, and little of everything
        for n, run in enumerate(word for word in words if word.startswith("runs/")):
            begun = ("train", "photos", "--network", "small", *SMALL, "--seed", n, "--out", run)
            assert hubel_command(*begun).code == 0
        by = words[words.index("--by") + 1] if "--by" in words else "attacks"
        words += LITTLE[by] if "--evaluations" not in words else []
    answer = hubel_command(*words)
    assert answer.code == 0, answer.err
    assert answer.out


def test_there_are_commands_to_test() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.slow
@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_run(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert len(example.read_text().splitlines()) <= 30


def test_no_machine_is_named_in_the_project() -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    here = (str(ROOT.parent) + "/", str(Path.home()) + "/")
    for name in filter(None, files.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".txt", ".html", ".yaml", ".cff", ".csv"):
            text = path.read_text(encoding="utf-8")
            assert not any(place in text for place in here), name
