"""What a verb tells its caller while it works: progress and notices."""

import contextlib
import sys

from hubel.legible import legible


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

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """`done` of `total` of a stage ("decode", "train", …) is behind us."""

    def notice(self, sentence: str) -> None:
        """Something the user should know, in a sentence."""


class Lines(Watch):
    """Notices and the end of each epoch as lines on stderr: for scripts and notebooks."""

    def progress(self, stage: str, done: int, total: int, detail: str = "") -> None:
        if stage == "epoch":
            say(f"epoch {done}/{total}  {detail}")

    def notice(self, sentence: str) -> None:
        say(sentence)
