"""Runs that meet trouble: nothing is lost, and the sentence says what to do."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
import torch

import hubel
from hubel.model import FACTS, WEIGHTS
from hubel.run import Run, Status
from hubel.training import losses
from hubel.verbs import session
from tests.conftest import QUICK, Command, paint

MLP = ("--network", "mlp", "--threads", 1, "--batch-size", 100, "--set", "checkpoint_seconds=0")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("learned") / "run"
    settings = {"network": "mlp", "batch_size": 100, "checkpoint_seconds": 0.0, "epochs": 2}
    hubel.train("digits", out=out, threads=1, **settings)
    return out


@pytest.fixture
def run(learned: Path, tmp_path: Path) -> Path:
    """A finished run of two epochs, of this test alone."""
    return Path(shutil.copytree(learned, tmp_path / "run"))


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(
    hubel_command: Command, run: Path, damage: str
) -> None:
    expected = (run / "model" / WEIGHTS).read_bytes()
    shutil.rmtree(run / "model")
    victim = run / "checkpoints" / "last" / "model.safetensors"
    content = bytearray(victim.read_bytes())
    if damage == "cut":
        del content[-5:]
    else:
        content[-5] ^= 4
    victim.write_bytes(content)
    answer = hubel_command("train", "--resume", run)
    assert answer.code == 0, answer.err
    assert "checkpoints/last/model.safetensors is damaged" in answer.err
    assert (run / "model" / WEIGHTS).read_bytes() == expected
    for name in ("last", "previous"):
        (run / "checkpoints" / name / "state.json").write_text("{}")
    answer = hubel_command("train", "--resume", run)
    assert answer.code == 1
    assert "No checkpoint" in answer.err


def test_damaged_best_weights_are_named_and_chosen_anew(hubel_command: Command, run: Path) -> None:
    (run / "checkpoints" / "best" / "model.safetensors").write_bytes(b"")
    answer = hubel_command("train", "--resume", run)
    assert answer.code == 0, answer.err
    assert "checkpoints/best/model.safetensors is damaged" in answer.err
    assert hubel.load(run).classes[0] == "0"


def test_a_loss_that_is_not_finite_keeps_the_last_finite_checkpoint(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def exploding(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return losses.cross_entropy(logits, labels) * (float("nan") if calls == 15 else 1)

    monkeypatch.setattr(session.losses, "loss", lambda *_, **__: exploding)
    answer = hubel_command("train", "digits", *MLP, "--epochs", 3, "--out", tmp_path / "run")
    assert answer.code == 1
    assert "nan in epoch 2 at step 2" in answer.err
    assert "lower learning rate" in answer.err
    found = Run(tmp_path / "run").load("last")
    assert found is not None
    assert json.loads(found.files["state.json"])["step"] == 1
    assert Run(tmp_path / "run").read_json("status.json", Status).state == "failed"


@pytest.mark.parametrize(("number", "said"), [(28, "disk is full"), (30, "read-only")])
def test_a_disk_that_refuses_in_the_middle_of_a_save(
    hubel_command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    said: str,
) -> None:
    real, calls = os.fsync, 0

    def refusing(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 60:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    answer = hubel_command("train", "digits", *MLP, "--epochs", 3, "--out", tmp_path / "run")
    monkeypatch.undo()
    assert answer.code == 1
    assert said in answer.err
    assert str(tmp_path / "run") in answer.err
    assert Run(tmp_path / "run").load("last") is not None
    again = hubel_command("train", "--resume", tmp_path / "run")
    assert again.code == 0, again.err


def test_no_disk_space_is_seen_before_the_start(
    hubel_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5000, 5000))
    answer = hubel_command("train", "digits", *MLP, "--out", tmp_path / "run")
    assert answer.code == 1
    assert "0 MB are free" in answer.err
    assert not (tmp_path / "run").exists()


def unprivileged() -> list[str]:
    """What to put before a command so that file permissions hold for it, as root too."""
    if os.geteuid() != 0:
        return []
    assert shutil.which("setpriv"), "setpriv (util-linux) takes root's override of permissions away"
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.mark.slow
def test_no_write_permission(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    places = [str(tmp_path / "closed" / "run"), str(tmp_path / "run")]
    program = (
        "import sys; from hubel.cli import main\n"
        f"for out, expected in {[*zip(places, (1, 0), strict=True)]!r}:\n"
        f"    sys.argv = ['hubel', 'train', 'digits', *{[*map(str, MLP)]!r}, '--epochs', '1']\n"
        "    sys.argv += ['--out', out]\n"
        "    try: main()\n"
        "    except SystemExit as left: assert (left.code or 0) == expected, left.code\n"
    )
    command = [*unprivileged(), sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no permission" in done.stderr
    assert places[0] in done.stderr
    assert Run(tmp_path / "run").read_json("status.json", Status).state == "finished"


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("import pathlib; pathlib.Path('a-pickle-was-run').touch()",)


def test_a_pickle_as_weights_is_refused_and_never_run(
    hubel_command: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    (run / "model" / WEIGHTS).write_bytes(pickle.dumps(Bomb()))
    answer = hubel_command("evaluate", run)
    assert answer.code == 1
    assert "pickle" in answer.err
    torch.save({"weight": Bomb()}, run / "checkpoints" / "last" / "model.safetensors")
    answer = hubel_command("train", "--resume", run)
    assert "checkpoints/last/model.safetensors is damaged" in answer.err
    assert not (run / "a-pickle-was-run").exists()


def test_a_model_that_names_an_unknown_network(hubel_command: Command, run: Path) -> None:
    assert hubel_command("evaluate", run).code == 0
    facts = json.loads((run / "model" / FACTS).read_text())
    facts["network"]["name"] = "os.system"
    (run / "model" / FACTS).write_text(json.dumps(facts))
    answer = hubel_command("evaluate", run)
    assert answer.code == 1
    assert "'os.system'" in answer.err


def test_resume_refuses_changed_data_with_the_difference(
    hubel_command: Command, folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert hubel_command("train", folder, *QUICK, "--out", run).code == 0
    assert hubel_command("train", "--resume", run).code == 0  # the positive control
    paint(folder / "dark" / "0.png", 999, 41)
    answer = hubel_command("train", "--resume", run)
    assert answer.code == 1
    assert "the content of dark/0.png changed" in answer.err
    paint(folder / "dark" / "0.png", 0, 40)
    paint(folder / "violet" / "0.png", 1, 90)
    for i in range(3):
        paint(folder / "violet" / f"{i}.png", i, 90)
    answer = hubel_command("train", "--resume", run)
    assert answer.code == 1
    assert "new: violet" in answer.err


def test_resume_refuses_other_versions_unless_inexact(hubel_command: Command, run: Path) -> None:
    facts = json.loads((run / "environment.json").read_text())
    facts["torch"] = "2.99.0"
    (run / "environment.json").write_text(json.dumps(facts))
    answer = hubel_command("train", "--resume", run)
    assert answer.code == 1
    assert "torch was 2.99.0" in answer.err
    assert "--inexact" in answer.err
    assert hubel_command("train", "--resume", run, "--inexact").code == 0


HOLDER = """
import sys
from pathlib import Path
from hubel.run import Run
with Run(Path(sys.argv[1])).locked():
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_two_processes_in_one_run_folder(hubel_command: Command, run: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        answer = hubel_command("train", "--resume", run)
        assert answer.code == 1
        assert f"pid {holder.pid}" in answer.err
        holder.kill()  # its lock goes with it
        holder.wait()
    assert hubel_command("train", "--resume", run).code == 0


def start_long_run(out: Path) -> subprocess.Popen[str]:
    """A training in a process of its own, once it has saved its first checkpoint."""
    command = [sys.executable, "-m", "hubel", "train", "digits", *map(str, MLP), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--epochs", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(60_000):  # minutes, where other work goes on
        if (out / "checkpoints" / "last").exists():
            return process
        time.sleep(0.01)
    process.kill()
    raise AssertionError(process.communicate())


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = start_long_run(tmp_path / "run")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert f"hubel train --resume {tmp_path / 'run'}" in err
    assert "Traceback" not in err
    assert "Validation accuracy" in out
    assert Run(tmp_path / "run").read_json("status.json", Status).state == "interrupted"
    assert hubel.load(tmp_path / "run").classes[3] == "3"


def test_ctrl_c_twice_stops_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    process = start_long_run(tmp_path / "run")
    os.kill(process.pid, signal.SIGSTOP)  # so that both arrive together
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    os.kill(process.pid, signal.SIGCONT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert Run(tmp_path / "run").load("last", "previous") is not None


def test_a_run_is_never_overwritten(hubel_command: Command, run: Path) -> None:
    before = (run / "model" / WEIGHTS).read_bytes()
    answer = hubel_command("train", "digits", *MLP, "--out", run)
    assert answer.code == 2
    assert "never overwrites" in answer.err
    assert (run / "model" / WEIGHTS).read_bytes() == before


def test_time_limit_stops_and_can_be_resumed(hubel_command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = hubel_command("train", "digits", *MLP, "--epochs", 3, "--minutes", 1e-6, "--out", out)
    assert answer.code == 0, answer.err
    assert f"hubel train --resume {out}" in answer.err
    assert Run(out).read_json("status.json", Status).state == "time limit"
    answer = hubel_command("train", "--resume", out)
    assert answer.code == 0, answer.err
    whole = tmp_path / "whole"
    assert hubel_command("train", "digits", *MLP, "--epochs", 3, "--out", whole).code == 0
    assert (out / "model" / WEIGHTS).read_bytes() == (whole / "model" / WEIGHTS).read_bytes()


def test_best_weights_saved_just_before_a_kill_are_not_taken_for_those_before(
    hubel_command: Command, tmp_path: Path
) -> None:
    """The state of a kill between saving the best weights of epoch 2 and saving `last`."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert hubel_command("train", "digits", *MLP, "--epochs", 2, "--out", whole).code == 0
    shutil.copytree(whole, cut)
    found = Run(cut).load("previous")  # before the end of epoch 2: it knows of epoch 1 as the best
    assert found is not None
    state = json.loads(found.files["state.json"])
    assert (state["epoch"], state["best_epoch"]) == (1, 1)
    shutil.rmtree(cut / "checkpoints" / "last")
    shutil.rmtree(cut / "model")
    answer = hubel_command("train", "--resume", cut, "--minutes", 1e-9)
    assert answer.code == 0, answer.err
    assert "chosen anew" not in answer.err
    assert hubel_command("train", "--resume", cut).code == 0
    weights = [(run / "model" / WEIGHTS).read_bytes() for run in (whole, cut)]
    assert weights[0] == weights[1]
