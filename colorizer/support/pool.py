"""Work on many items by several threads, a bounded number of them ahead.

Threads suffice: reading, decoding, NumPy, the network and encoding all leave Python alone.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

__all__ = ["as_done", "in_order"]

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    work: Callable[[T], R], items: Iterable[T], workers: int, ahead: int | None = None
) -> Iterator[R]:
    """`map(work, items)`, in order, while threads work on the next items.

    Args:
        work: its exceptions are raised at the item's turn, and end all.
        items: taken one by one, as there is room.
        workers: threads; 0 works in this one, when asked.
        ahead: items that are in work or done and waiting, at most; by default twice the workers.
    """
    if not workers:
        yield from map(work, items)
        return
    waiting = iter(items)
    pool = ThreadPoolExecutor(workers, "colorizer")
    try:
        first = islice(waiting, 2 * workers if ahead is None else ahead)
        running = deque(pool.submit(work, item) for item in first)
        while running:
            ready = running.popleft().result()
            running.extend(pool.submit(work, item) for item in islice(waiting, 1))
            yield ready
    finally:  # at the end, or where the rest is not wanted any more: an error, or Ctrl-C
        pool.shutdown(cancel_futures=True)


def as_done(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """The results as they come, of as many items at a time as there are workers; else `in_order`.

    For items that take very different times, whose order does not matter.
    """
    if not workers:
        yield from map(work, items)
        return
    waiting = iter(items)
    pool = ThreadPoolExecutor(workers, "colorizer")
    try:
        running: set[Future[R]] = {pool.submit(work, item) for item in islice(waiting, workers)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(work, item) for item in islice(waiting, len(finished))}
            for future in finished:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
