"""Bad folders, one by one, each beside the good one that works."""

import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import QUICK, Command, paint


def test_the_positive_control(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "Validation accuracy" in answer.out
    assert "Skipped" not in answer.err


def bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    return out.getvalue()


def half(path: Path) -> bytes:
    whole = path.read_bytes()
    return whole[: len(whole) // 2]


JUNK: dict[str, tuple[Callable[[Path], bytes], str]] = {  # of a sound picture
    "truncated": (half, "damaged"),
    "empty": (lambda _: b"", "empty"),
    "eps": (lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "html": (lambda _: b"<!DOCTYPE html><html></html>", "web page"),
    "bomb": (lambda _: bomb(), "decompression bomb"),
}


@pytest.mark.parametrize("kind", JUNK)
def test_one_bad_picture_is_skipped_and_named(
    hubel_command: Command, folder: Path, tmp_path: Path, kind: str
) -> None:
    junk, reason = JUNK[kind]
    for i in range(10, 20):  # one of twenty: within the share of 5 %
        paint(folder / "dark" / f"{i}.png", i, 40)
    (folder / "dark" / "bad one.png").write_bytes(junk(folder / "dark" / "0.png"))
    answer = hubel_command(
        "train", folder, *QUICK, "--seed", 1, "--test", 0, "--out", tmp_path / "run"
    )
    assert answer.code == 0, answer.err
    assert "dark/bad one.png" in answer.err
    assert reason in answer.err
    report = (tmp_path / "run" / "report.html").read_text()
    assert "bad one.png" in report


@pytest.mark.parametrize("workers", [0, 2])
def test_too_many_bad_pictures_stop_it_with_their_names(
    hubel_command: Command, folder: Path, tmp_path: Path, workers: int
) -> None:
    for i in range(5):
        (folder / "grey" / f"{i}.png").write_bytes(b"no picture")
    answer = hubel_command("train", folder, *QUICK, "--workers", workers, "--out", tmp_path / "run")
    assert answer.code == 1
    assert "more than 5 %" in answer.err
    assert "grey/" in answer.err
    assert not (tmp_path / "run").exists()


def test_hidden_folders_and_litter_are_no_classes(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    for name in (".git", ".ipynb_checkpoints", "__MACOSX"):
        paint(folder / name / "0.png", 0, 0)
    (folder / "dark" / ".DS_Store").write_bytes(b"litter")
    (folder / "dark" / "Thumbs.db").write_bytes(b"litter")
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    classes = (tmp_path / "run" / "classes.json").read_text()
    assert "git" not in classes
    assert "MACOSX" not in classes


def test_files_of_other_kinds_are_counted_aloud(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    (folder / "dark" / "IMG_1.CR2").write_bytes(b"x")
    (folder / "grey" / "notes.txt").write_bytes(b"x")
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "Left out 2 files" in answer.err
    assert "1 × .cr2" in answer.err


def test_a_heic_is_named_with_what_reads_it(
    hubel_command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    (folder / "dark" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0heicmif1")
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "dark/IMG_1.HEIC (it is HEIC: to read those, pip install pillow-heif" in answer.err


def test_an_empty_class_is_named(hubel_command: Command, folder: Path) -> None:
    (folder / "purple").mkdir()
    answer = hubel_command("train", folder, *QUICK)
    assert answer.code == 1
    assert "'purple'" in answer.err


def test_one_class_only(hubel_command: Command, tmp_path: Path) -> None:
    paint(tmp_path / "only" / "lonely" / "0.png", 0, 0)
    answer = hubel_command("train", tmp_path / "only", *QUICK)
    assert answer.code == 1
    assert "'lonely'" in answer.err


def test_pictures_without_class_folders(hubel_command: Command, tmp_path: Path) -> None:
    paint(tmp_path / "flat" / "0.png", 0, 0)
    answer = hubel_command("train", tmp_path / "flat", *QUICK)
    assert answer.code == 1
    assert "1 pictures lie in it directly" in answer.err


def split(folder: Path, validation: str) -> Path:
    """The folder's classes as train/ and a validation folder of some name."""
    root = folder.with_name("splits")
    for path in sorted(folder.rglob("*.png")):
        part = validation if int(path.stem) < 3 else "train"
        target = root / part / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return root


@pytest.mark.parametrize("name", ["validation", "val", "valid"])
def test_other_names_for_validation_are_taken_and_said(
    hubel_command: Command, folder: Path, tmp_path: Path, name: str
) -> None:
    answer = hubel_command("train", split(folder, name), *QUICK, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert (f"Using {name}/ as the validation split" in answer.err) == (name != "validation")
    assert "9 pictures" in answer.out


def test_a_class_missing_in_validation_is_named(hubel_command: Command, folder: Path) -> None:
    root = split(folder, "validation")
    for path in (root / "validation" / "grey").iterdir():
        path.unlink()
    (root / "validation" / "grey").rmdir()
    answer = hubel_command("train", root, *QUICK)
    assert answer.code == 1
    assert "grey missing" in answer.err


def test_a_class_with_one_picture_cannot_be_split(hubel_command: Command, folder: Path) -> None:
    paint(folder / "rare" / "0.png", 0, 0)
    answer = hubel_command("train", folder, *QUICK)
    assert answer.code == 1
    assert "'rare' has 1 picture" in answer.err


def test_shares_that_leave_nothing_to_train_on(hubel_command: Command, folder: Path) -> None:
    answer = hubel_command("train", folder, *QUICK, "--validation", 0.6, "--test", 0.5)
    assert answer.code == 2
    assert "0.6" in answer.err
    assert "0.5" in answer.err


def test_loops_of_links_end(hubel_command: Command, folder: Path, tmp_path: Path) -> None:
    (folder / "dark" / "loop").symlink_to(folder / "dark")
    answer = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err


def test_a_last_batch_of_one_with_batch_norm(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    # 30 pictures less 3 × (2 + 2) leave 18: a batch of 17 would leave one alone
    answer = hubel_command(
        "train", folder, "--network", "small", "--epochs", 1, "--set", "size=8",
        "--batch-size", 17, "--threads", 1, "--out", tmp_path / "run",
    )  # fmt: skip
    assert answer.code == 0, answer.err


def test_a_killed_worker_is_one_sentence(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    for i in range(60):
        paint(folder / "dark" / f"more{i}.png", i, 40, size=100)

    def kill_a_worker() -> None:
        """The first decoding process that appears below this one."""
        for _ in range(2000):
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for child in children:
                with contextlib.suppress(FileNotFoundError):  # it has ended already
                    if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                        os.kill(int(child), signal.SIGKILL)
                        return
            time.sleep(0.005)

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    answer = hubel_command("train", folder, *QUICK, "--workers", 2, "--out", tmp_path / "run")
    killer.join()
    assert answer.code == 1
    assert "was killed" in answer.err
    assert "--workers" in answer.err
    again = hubel_command("train", folder, *QUICK, "--workers", 2, "--out", tmp_path / "run")
    assert again.code == 0, again.err
