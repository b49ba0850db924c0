"""How far a long work is: a bar on a terminal, a line a minute in a log, or told to a program."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from shutil import get_terminal_size
from time import monotonic
from typing import Protocol

from tqdm import tqdm

from colorizer.errors import ColorizerError

__all__ = ["EVERY", "WorkStoppedError", "progress", "watched"]

EVERY = 60.0
"""Seconds between two lines."""

Tell = Callable[[str, int, int | None], bool]
"""Told what is done, how many steps of it are, and of how many; whether to stop there."""

_TOLD: ContextVar[Tell | None] = ContextVar("told", default=None)


class WorkStoppedError(ColorizerError):
    """Whoever watches a work has ended it."""


@contextmanager
def watched(tell: Tell) -> Iterator[None]:
    """Within, `progress` goes to a program and not to the error stream; it may end the work.

    Args:
        tell: called with each step; where it answers True, the work ends by a `WorkStoppedError`.
    """
    token = _TOLD.set(tell)
    try:
        yield
    finally:
        _TOLD.reset(token)


class Bar(Protocol):
    """What is told of each step."""

    def update(self, n: int = 1) -> object:
        """So many more are done."""


class _Watched:
    def __init__(self, total: int | None, what: str, initial: int, tell: Tell) -> None:
        self._total, self._what, self._done, self._tell = total, what, initial, tell
        self.update(0)

    def update(self, n: int = 1) -> None:
        self._done += n
        if self._tell(self._what, self._done, self._total):
            raise WorkStoppedError(f"the {self._what} was stopped")


class _Lines:
    def __init__(self, total: int | None, what: str, initial: int, unit: str) -> None:
        self._total, self._what, self._unit = total, what, unit
        self._done = self._first = initial
        self._begun = self._told = monotonic()

    def update(self, n: int = 1) -> None:
        self._done += n
        now = monotonic()
        if now - self._told < EVERY:
            return
        self._told = now
        rate = (self._done - self._first) / (now - self._begun)
        of, left = "", ""
        if self._total:
            of = f" of {self._total}"
            left = f", {_time(max(0, self._total - self._done) / rate)} left" if rate else ""
        told = f"{self._what}: {self._done}{of} {self._unit}s, {rate:.2g} a second{left}"
        print(told, file=sys.stderr, flush=True)


@contextmanager
def progress(total: int | None, what: str, unit: str = "frame", initial: int = 0) -> Iterator[Bar]:
    """Tell on the standard error stream, or as `watched` says, how far a work is.

    Args:
        total: of its steps; None for unknown.
        what: it does, such as "coloring".
        unit: of a step.
        initial: steps that were done before.
    """
    if (tell := _TOLD.get()) is not None:
        yield _Watched(total, what, initial, tell)
        return
    if sys.stderr is not None and sys.stderr.isatty() and get_terminal_size((1, 1)).columns > 1:
        with tqdm(total=total, desc=what, unit=unit, initial=initial) as bar:
            yield bar
        return
    yield _Lines(total, what, initial, unit)


def _time(seconds: float) -> str:
    minutes, hours = round(seconds / 60), round(seconds / 60) // 60
    return f"{hours} h {minutes % 60:02d} min" if hours else f"{minutes} min"
