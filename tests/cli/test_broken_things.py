"""What a hunt for breakages found, each once: no hang, no traceback, no lost or false figure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hubel
from hubel.model import FACTS
from tests.conftest import QUICK, Command, paint


@pytest.fixture
def run(hubel_command: Command, folder: Path, tmp_path: Path) -> Path:
    out = tmp_path / "run"
    answer = hubel_command("train", folder, *QUICK, "--out", out)
    assert answer.code == 0, answer.err
    return out


def test_a_changed_folder_cannot_leak_training_pictures_into_the_test(
    hubel_command: Command, folder: Path, run: Path
) -> None:
    assert hubel_command("evaluate", run).code == 0  # the positive control
    (folder / "dark" / "0.png").unlink()
    answer = hubel_command("evaluate", run)
    assert answer.code == 1
    assert "dark/0.png" in answer.err
    assert "DATA" in answer.err
    (run / "splits.csv").write_text("junk")
    assert hubel_command("evaluate", run).code == 1


def test_a_pipe_is_not_waited_for(hubel_command: Command, folder: Path, run: Path) -> None:
    os.mkfifo(folder / "dark" / "pipe.png")
    answer = hubel_command("predict", run, folder / "dark", "--json")
    assert answer.code == 0
    assert "pipe.png (it is no file)" in answer.err
    assert len(json.loads(answer.out)) == 10


def test_names_that_are_not_utf_8_or_not_printable(
    hubel_command: Command, folder: Path, run: Path
) -> None:
    content = (folder / "dark" / "0.png").read_bytes()
    Path(os.fsdecode(os.fsencode(folder / "dark") + b"/\xff.png")).write_bytes(content)
    (folder / "dark" / "\x1b[31m.png").write_bytes(content)
    for form in ("--json", "--csv"):
        answer = hubel_command("predict", run, folder / "dark", form)
        assert answer.code == 0, answer.err
        assert "xff.png" in answer.out
    plain = hubel_command("predict", run, folder / "dark")
    assert plain.code == 0
    assert "\x1b" not in plain.out


def test_figures_are_told_although_they_cannot_be_stored(
    hubel_command: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(os, "fsync", refuse)
    answer = hubel_command("evaluate", run)
    assert answer.code == 0
    assert "Accuracy" in answer.out
    assert "read-only" in answer.err


@pytest.mark.parametrize("name", ["status.json", "environment.json", "validation.json"])
@pytest.mark.parametrize("content", ["", "[]", '{"x', '"text"'])
def test_a_damaged_by_product_costs_the_report_not_the_figures(
    hubel_command: Command, run: Path, name: str, content: str
) -> None:
    (run / name).write_text(content)
    answer = hubel_command("evaluate", run)
    assert answer.code == 0, answer.err
    assert "Accuracy" in answer.out
    assert name in answer.err


@pytest.mark.parametrize(
    "change",
    [
        {"network": "x"},
        {"network": {"name": 3}},
        {"pixels": None},
        {"pixels": {"size": ["a"], "mean": [0.5], "std": [0.5]}},
        {"classes": None},
        {"classes": ["one"]},
        {"provenance": "x"},
    ],
)
def test_a_model_description_of_another_kind(
    hubel_command: Command, run: Path, change: dict[str, object]
) -> None:
    path = run / "model" / FACTS
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    answer = hubel_command("evaluate", run)
    assert answer.code in (1, 2), answer
    assert answer.err.startswith("hubel: ")


def test_no_mean_is_no_default(run: Path) -> None:
    path = run / "model" / FACTS
    facts = json.loads(path.read_text())
    facts["pixels"]["mean"] = []
    path.write_text(json.dumps(facts))
    with pytest.raises(hubel.Failure, match="mean is missing"):
        hubel.load(run)


def test_a_run_without_a_model_yet_says_how_to_go_on(hubel_command: Command, run: Path) -> None:
    for path in (run / "model").iterdir():
        path.unlink()
    answer = hubel_command("evaluate", run)
    assert answer.code == 1
    assert f"hubel train --resume {run}" in answer.err


def test_an_empty_name_is_not_the_current_folder(hubel_command: Command, run: Path) -> None:
    assert hubel_command("predict", run, "").code == 2
    assert hubel_command("train", "").code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "data=digits"), "data has a place of its own"),
        (("--set", "lr=1", "--lr", "2"), "lr has a place of its own"),
        (("--set", "lr=1\nmomentum=9"), "one key=value"),
        (("--threads", "9" * 20), "9999"),
        (("--device", "cuda:²"), "cuda:²"),
        (("--set", "size=1000000000"), "size"),
    ],
)
def test_options_that_said_two_things_or_too_much(
    hubel_command: Command, words: tuple[str, ...], said: str
) -> None:
    answer = hubel_command("train", "digits", *words)
    assert answer.code == 2, answer
    assert said in answer.err


def test_out_of_memory_is_a_sentence(hubel_command: Command, tmp_path: Path) -> None:
    answer = hubel_command(
        "train", "digits", "--network", "mlp", "--set", "arguments.hidden=[1000000000000]",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert answer.code == 1
    assert "Out of memory" in answer.err


def test_a_full_output_and_a_poor_terminal_are_no_tracebacks() -> None:
    command = [sys.executable, "-m", "hubel", "networks", "--json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    poor = subprocess.run(
        command[:-1],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert poor.returncode == 0, poor.stderr


def test_links_upwards_bring_no_other_classes(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    (folder / "dark" / "up").symlink_to(folder)
    out = tmp_path / "up"
    assert hubel_command("train", folder, *QUICK, "--out", out).code == 0
    assert (out / "splits.csv").read_text().count("\n") == 31
    paint(folder / "dark" / "more.png", 5, 40)
