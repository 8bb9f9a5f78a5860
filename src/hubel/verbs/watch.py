"""What a verb tells its caller while it works: progress and notices."""

import sys

from hubel.legible import legible


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
            print(f"epoch {done}/{total}  {legible(detail)}", file=sys.stderr, flush=True)

    def notice(self, sentence: str) -> None:
        print(legible(sentence), file=sys.stderr, flush=True)
