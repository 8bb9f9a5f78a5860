"""Signs of life, and how long things will take, by a clock of the test's own."""

import io
import sys
import threading
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from hubel.cli import progress
from hubel.cli.progress import Bars, watching
from hubel.verbs.watch import Lines, Pace, Paces


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_line_every_ten_seconds_with_what_is_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(clock)
    for second in range(301):  # 200 a second of 60,000
        clock.now = float(second)
        lines.progress("predict", 200 * second, 60_000)
    found = said(capsys)
    assert found[0] == "predict will take about 5 min."
    assert found[1] == "predict 2,600 of 60,000, about 5 min left"
    assert "predict 32,600 of 60,000, about 2 min left" in found
    assert 28 <= len(found) <= 31


def test_what_is_short_is_not_spoken_of(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(clock)
    for second in range(9):
        clock.now = float(second)
        lines.progress("decode", second, 8)
    assert said(capsys) == []


def test_what_goes_on_with_earlier_work_is_judged_by_its_own(clock: Clock) -> None:
    paces = Paces(clock)
    paces.at("top patches", 900, 1000)
    clock.now = 10
    pace = paces.at("top patches", 910, 1000)
    assert pace.left(10) == pytest.approx(90)
    assert pace.left(40) == pytest.approx(60)  # 30 seconds without a word later
    assert pace.left(1000) == 0


def test_a_stage_that_begins_anew_is_judged_anew(clock: Clock) -> None:
    paces = Paces(clock)
    paces.at("train", 0, 10)
    clock.now = 100
    paces.at("train", 10, 10)
    assert paces.at("train", 1, 10).left(100) is None
    clock.now = 101
    assert paces.at("train", 2, 10).left(101) == pytest.approx(8)


def test_signs_of_life_between_two_reports(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(clock)
    clock.now = 11
    lines.beat()  # before anything was reported
    clock.now = 12
    lines.beat()  # too soon for another one
    lines.progress("look", 0, 1, "a.png")
    clock.now = 25
    lines.beat()
    lines.progress("look", 1, 1, "a.png")
    clock.now = 40
    lines.beat()
    assert said(capsys) == [
        "at work for 11 s",
        "look 0 of 1, 13 s so far",
        "look is done, and what follows is at work",
    ]


def test_notices_and_epochs_count_as_signs(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(clock)
    clock.now = 9
    lines.notice("a sentence")
    lines.progress("epoch", 1, 3, "loss 1")
    clock.now = 18
    lines.beat()
    assert said(capsys) == ["a sentence", "epoch 1/3  loss 1"]


def test_nothing_done_promises_nothing() -> None:
    pace = Pace("look", 5, (0.0, 0.0), (60.0, 0.0))
    assert pace.promise() is None
    assert pace.left(60) is None


def test_without_a_terminal_there_are_signs_whatever_the_verb_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A verb that reports nothing for long, as one in the middle of a large step does."""
    heard = threading.Event()
    monkeypatch.setattr(progress, "EVERY", 0.001)
    monkeypatch.setattr(Lines, "beat", lambda _self: heard.set())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with watching():
        assert heard.wait(60)
    assert not any(each.name == "signs of life" for each in threading.enumerate())


def test_a_stage_has_one_bar(clock: Clock) -> None:
    out = io.StringIO()
    with Progress(console=Console(file=out, width=200), disable=False) as rich:
        bars = Bars(rich, clock)

        def told(*what: Any) -> None:
            clock.now += 10
            bars.progress(*what)

        told("verify", 0, 4, "vgg16")
        told("verify", 1, 4, "resnet18")
        told("train", 1.5, 2, "start 1")
        told("train", 0.5, 2, "start 2")  # begins anew
        assert [task.description for task in rich.tasks] == ["verify resnet18", "train start 2"]
        assert [task.completed for task in rich.tasks] == [1, 0.5]
    assert "verify will take about 40 s." in out.getvalue()
