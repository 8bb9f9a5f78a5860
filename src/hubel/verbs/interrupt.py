"""Ctrl-C that loses nothing: the first one is a request, the second one is obeyed at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Request:
    """Whether a stop was asked for; the loop looks at it after every step."""

    made = False


@contextmanager
def interruptible() -> Iterator[Request]:
    """Inside, the first SIGINT or SIGTERM sets the request; a second raises KeyboardInterrupt.

    Outside the main thread, where Python allows no handlers, the request is never made. The
    handlers that were there are put back.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if request.made:
            raise KeyboardInterrupt
        request.made = True

    found = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in found.items():
            signal.signal(number, handler)
