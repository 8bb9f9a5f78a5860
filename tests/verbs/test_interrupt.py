"""Ctrl-C at any moment: a sentence, a status, and a way to go on."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import hubel
from hubel.mistakes import Failure, Mistake
from hubel.model import WEIGHTS
from hubel.run import Run
from hubel.verbs import interrupt
from hubel.verbs import restarts as restarts_module
from hubel.verbs import train as train_module
from hubel.verbs.interrupt import HEARD, Stopped, interruptible
from tests.conftest import QUICK, Command


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def state(run: Path) -> str:
    return str(json.loads((run / "status.json").read_text())["state"])


def test_the_first_is_a_request_the_second_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as request:
        ctrl_c()
        assert request.made
        assert capsys.readouterr().err == f"{HEARD}\n"  # at once
        with pytest.raises(Stopped):
            request.heed()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
        assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is before


def test_it_is_acknowledged_in_the_middle_of_another_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: str) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    monkeypatch.setattr(interrupt, "say", busy)
    with interruptible() as request:
        ctrl_c()
        assert request.made
    assert capfd.readouterr().err == f"{HEARD}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_with_nothing_to_lose_the_first_is_obeyed(number: signal.Signals) -> None:
    with interruptible(at_once=True) as request:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        request.made, request.at_once = False, False
        os.kill(os.getpid(), number)
        assert request.made


def test_a_request_reaches_the_one_outside() -> None:
    heard = []

    def outermost(number: int, _: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, outermost)
    try:
        with interruptible() as outer:
            with interruptible() as inner:
                ctrl_c()
                assert (inner.made, outer.made) == (True, False)
            assert outer.made
            with pytest.raises(KeyboardInterrupt):
                ctrl_c()
            with pytest.raises(KeyboardInterrupt), interruptible(at_once=True):
                ctrl_c()
        assert heard == [signal.SIGINT, signal.SIGINT]  # whoever is outermost has to know
    finally:
        signal.signal(signal.SIGINT, before)


def once(real: Callable[..., object], *, after: bool = False) -> Callable[..., object]:
    """Ctrl-C before the first call, or after it."""
    pressed = False

    def called(*given: object, **named: object) -> object:
        nonlocal pressed
        first, pressed = not pressed, True
        if first and not after:
            ctrl_c()
        found = real(*given, **named)
        if first and after:
            ctrl_c()
        return found

    return called


@pytest.mark.parametrize("where", ["begin", "_run", "events"])
def test_before_the_first_epoch(
    hubel_command: Command,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    with monkeypatch.context() as patch:
        patch.setattr(train_module, where, once(getattr(train_module, where)))
        told = hubel_command("train", folder, *QUICK, "--out", run)
    assert told.code == 130
    assert told.err.splitlines()[-1] == f"hubel: Stopped; go on with: hubel train --resume {run}"
    assert told.out == ""
    assert state(run) == "stopped"
    assert hubel_command("train", "--resume", run).code == 0
    assert hubel_command("train", folder, *QUICK, "--out", whole).code == 0
    weights = [(path / "model" / WEIGHTS).read_bytes() for path in (run, whole)]
    assert weights[0] == weights[1]
    assert state(run) == "finished"


def test_before_there_is_a_run(
    hubel_command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train_module.machine, "environment", once(train_module.machine.environment))
        told = hubel_command("train", folder, *QUICK, "--out", run)
    assert told.code == 130
    assert told.err == "hubel: Stopped before the training began; nothing is left of it.\n"
    assert not run.exists()
    with monkeypatch.context() as patch:
        patch.setattr(train_module, "make_classifier", once(train_module.make_classifier))
        told = hubel_command("train", folder, *QUICK, "--out", run)
    assert (told.code, told.err) == (130, "hubel: Interrupted.\n")
    assert not run.exists()


def test_what_fails_because_of_it_is_no_failure(
    hubel_command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that was interrupted leaves half a module, which fails in a way of its own."""

    def half(*_: object) -> None:
        try:
            ctrl_c()
        except KeyboardInterrupt:
            raise ImportError("half a module") from None

    monkeypatch.setattr(train_module, "begin", half)
    told = hubel_command("train", folder, *QUICK, "--out", tmp_path / "run")
    assert told.code == 130
    assert "go on with" in told.err
    assert state(tmp_path / "run") == "stopped"


def test_what_fails_says_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise Failure("The processor is on fire.")

    monkeypatch.setattr(train_module, "begin", wrong)
    settings = {"network": "linear", "epochs": 1, "threads": 1, "size": 8}
    with pytest.raises(Failure):
        hubel.train(folder, out=tmp_path / "run", **settings)
    assert state(tmp_path / "run") == "failed"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["in the last step", "between", "before the first"])
def test_between_two_restarts(
    hubel_command: Command,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        if moment == "in the last step":  # the trial is at its end, and would have gone on
            patch.setattr(train_module, "_finish", once(train_module._finish))
        else:
            between = once(restarts_module.train, after=moment == "between")
            patch.setattr(restarts_module, "train", between)
        told = hubel_command("train", folder, *QUICK, "--restarts", 2, "--out", run)
    assert told.code == 130
    assert f"go on with: hubel train --resume {run}" in told.err.splitlines()[-1]
    done = list((run / "trials").glob("*/model")) if (run / "trials").exists() else []
    assert len(done) <= 1
    told = hubel_command("train", "--resume", run)
    assert told.code == 0, told.err
    assert "Kept the best of 2 trials" in told.out


@pytest.mark.parametrize("names", [[], ["environment.json"], ["environment.json", "splits.csv"]])
def test_killed_before_there_is_a_recipe_it_can_be_asked_for_again(
    hubel_command: Command, folder: Path, tmp_path: Path, names: list[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("lock", *names):
        (run / name).write_text("")
    (run / "start").mkdir()
    (run / "start" / "model.json").write_text("{}")
    (run / ".splits.csv.99-1.partial").write_text("")
    with pytest.raises(Mistake, match="ended before it began: ask for it again"):
        Run.find(run)
    told = hubel_command("train", folder, *QUICK, "--out", run)
    assert told.code == 0, told.err
    assert not (run / "start").exists()  # what another training would have begun with
    told = hubel_command("train", folder, *QUICK, "--out", run)
    assert told.code == 2
    assert f"hubel train --resume {run}" in told.err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    told = hubel_command("train", folder, *QUICK, "--out", tmp_path / "mine")
    assert (told.code, "--resume" in told.err) == (2, False)
