"""Work done ahead in threads: what is decoded next while the last is being used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from hubel import entrance

Item = TypeVar("Item")
Result = TypeVar("Result")
WINDOW = 128  # results that may wait to be used


def ahead(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int | None = None,
    window: int | None = None,
) -> Iterator[Result]:
    """work(item) for each item, in order, by `threads` threads (None: as many as processors).

    At most `window` results (None: WINDOW) wait, so that a slow consumer does not fill the memory.
    An exception of `work` is raised at its turn.
    """
    window = WINDOW if window is None else window
    remaining = iter(items)
    pool = ThreadPoolExecutor(threads or entrance.processors())
    waiting: deque[Future[Result]] = deque()
    try:
        for item in islice(remaining, window):
            waiting.append(pool.submit(work, item))
        while waiting:
            result = waiting.popleft().result()
            for item in islice(remaining, 1):
                waiting.append(pool.submit(work, item))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
