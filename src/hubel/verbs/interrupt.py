"""Ctrl-C that loses nothing: the first one is a request, the second one is obeyed at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeVar

from hubel.verbs.watch import say

T = TypeVar("T")
HEARD = "Stopping: what is at work is being brought to an end. Ctrl-C again stops at once."


class Stopped(Exception):
    """A stop was asked for in the middle of something, which is left out of what there is."""


@dataclass
class Request:
    """Whether a stop was asked for; the loop looks at it after every step.

    at_once: whether there is nothing yet that could be lost, so that the first one is obeyed.
    """

    made: bool = False
    at_once: bool = False

    def heed(self, *_: object) -> None:
        """Raises Stopped where a stop was asked for; for the middle of what may be left undone."""
        if self.made:
            raise Stopped


@dataclass
class _Handler:
    """What a signal does; before: the handlers that were there, by their signals."""

    request: Request
    before: dict[int, Any] = field(default_factory=dict)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        again, self.request.made = self.request.made, True
        if again or self.request.at_once:
            self.obey(number, frame)
        _acknowledge()

    def obey(self, number: int, frame: FrameType | None) -> None:
        """As the outermost handler does, which may have to know of it."""
        before: Callable[[int, FrameType | None], object] | int | None = self.before.get(number)
        if isinstance(before, _Handler):
            before.obey(number, frame)
        if callable(before):
            before(number, frame)
        raise KeyboardInterrupt


def _acknowledge() -> None:
    try:
        say(HEARD)
    except RuntimeError:  # it came in the middle of a line on the same stream
        os.write(2, f"{HEARD}\n".encode())


@contextmanager
def interruptible(*, at_once: bool = False) -> Iterator[Request]:
    """Inside, the first SIGINT or SIGTERM sets the request; a second raises KeyboardInterrupt.

    The first is acknowledged at once, in a line on stderr.

    at_once: as long as the request says so, the first does. Outside the main thread, where Python
    allows no handlers, the request is never made. The handlers that were there are put back; a
    request that was made inside another `interruptible` is made of that one, too.
    """
    request = Request(at_once=at_once)
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    handler = _Handler(request)
    for number in (signal.SIGINT, signal.SIGTERM):
        handler.before[number] = signal.getsignal(number)
        signal.signal(number, handler)
    try:
        yield request
    finally:
        for each, before in handler.before.items():
            signal.signal(each, signal.SIG_DFL if before is None else before)
        outer = handler.before[signal.SIGINT]
        if request.made and isinstance(outer, _Handler):
            outer.request.made = True


def heeding(work: Iterable[T]) -> Iterator[T]:
    """What the work gives, until it was stopped in the middle of something."""
    with suppress(Stopped):
        yield from work
