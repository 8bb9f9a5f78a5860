"""What a verb tells its caller while it works: progress, how long it will take, and notices."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hubel.legible import legible

SOON = 3.0  # seconds of a stage, after which is said how long it will take
LONG = 20.0  # seconds: of shorter stages nothing is said
EVERY = 10.0  # seconds between two lines


def say(sentence: str) -> None:
    """A line on stderr, legible whatever names are in it.

    Where it cannot be written (closed, full, a pipe without a reader), it is not said: whoever does
    not listen stops no work.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"{legible(sentence)}\n")
        sys.stderr.flush()


class Watch:
    """A listener; this one is deaf. The command line draws bars, `Lines` prints."""

    def progress(self, stage: str, done: float, total: int, detail: str = "") -> None:
        """`done` of `total` of a stage ("decode", "train", …) is behind us.

        A stage may be told of again and again, with another detail; where less is done than before,
        it has begun anew. done may have fractions.
        """

    def notice(self, sentence: str) -> None:
        """Something the user should know, in a sentence."""


@dataclass
class Pace:
    """How fast one stage goes, from when it was first heard of.

    began: the time, and what was done then (much, where it goes on with earlier work); last: the
    same of the last report.
    """

    stage: str
    total: int
    began: tuple[float, float]
    last: tuple[float, float]
    promised: bool = False

    @property
    def ended(self) -> bool:
        return self.last[1] >= self.total

    def left(self, now: float) -> float | None:
        """Seconds until the end, as things have gone so far; None before anything was done."""
        seconds, done = (late - early for late, early in zip(self.last, self.began, strict=True))
        if done <= 0 or seconds <= 0:
            return None
        return max(0.0, (self.total - self.last[1]) * seconds / done - (now - self.last[0]))

    def promise(self) -> str | None:
        """How long the stage will take, once, when that can be told and is worth telling."""
        now = self.last[0]
        left = self.left(now)
        if self.promised or left is None or self.ended or now - self.began[0] < SOON:
            return None
        self.promised = True
        whole = now - self.began[0] + left
        return f"{self.stage} will take {about(whole)}" if whole >= LONG else None

    def line(self, now: float) -> str:
        """Where it stands: "predict 1,200 of 60,000, about 4 min left"."""
        left = self.left(now)
        when = f"{now - self.began[0]:.0f} s so far" if left is None else f"{about(left)} left"
        if self.ended:
            return f"{self.stage} is done, and what follows is at work"
        return f"{self.stage} {int(self.last[1]):,} of {self.total:,}, {when}"


class Paces:
    """The paces of all stages that were heard of: the one place where estimates come from."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._paces: dict[str, Pace] = {}

    def at(self, stage: str, done: float, total: int) -> Pace:
        """The pace of a stage, with this report in it."""
        here = self._clock(), done
        pace = self._paces.get(stage)
        if pace is None or pace.total != total or done < pace.last[1]:
            promised = pace is not None and pace.promised
            pace = self._paces[stage] = Pace(stage, total, here, here, promised)
        pace.last = here
        return pace


def about(seconds: float) -> str:
    """A duration, no more exact than it is known.

    >>> about(2), about(37), about(130), about(5000), about(10_000)
    ('a few seconds', 'about 40 s', 'about 2 min', 'about 83 min', 'about 3 h')
    """
    if seconds < 5:
        return "a few seconds"
    if seconds < 95:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.0f} h"


class Lines(Watch):
    """Lines on stderr, for scripts and notebooks, and where there is no terminal.

    Notices and the end of each epoch; how long a stage will take, after its first seconds; and
    where it stands, at most every EVERY seconds of the clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._paces = clock, Paces(clock)
        self._began = self._said = clock()
        self._pace: Pace | None = None
        self._lock = threading.Lock()

    def progress(self, stage: str, done: float, total: int, detail: str = "") -> None:
        if stage == "epoch":
            self._say(f"epoch {done:.0f}/{total}  {detail}")
            return
        with self._lock:
            pace = self._pace = self._paces.at(stage, done, total)
            promise = pace.promise()
        if promise:
            self._say(f"{promise}.")
        else:
            self.beat()

    def beat(self) -> None:
        """A sign of life, if it is time for one."""
        with self._lock:
            now = self._clock()
            if now - self._said < EVERY:
                return
            self._said = now
            so_far = f"at work for {now - self._began:.0f} s"
            told = so_far if self._pace is None else self._pace.line(now)
        say(told)

    def notice(self, sentence: str) -> None:
        self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._said = self._clock()
        say(sentence)
