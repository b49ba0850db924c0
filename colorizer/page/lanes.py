"""Heavy work beside the event loop: one at a time in each lane, a few wait, more are refused."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
from anyio import to_thread

from colorizer.errors import ColorizerError

__all__ = ["BusyError", "Lane"]

PATIENCE = 2.0  # seconds that long work waits at each step for what somebody looks at

Answer = TypeVar("Answer")


class BusyError(ColorizerError):
    """Too much is asked for at once."""


class Lane:
    """Runs functions in a thread, one after another.

    Args:
        waiting: how many may wait; one more is refused.
    """

    def __init__(self, waiting: int) -> None:
        self._most = waiting + 1
        self._count = 0
        self._free = anyio.Lock()

    @property
    def is_busy(self) -> bool:
        """Whether something runs or waits."""
        return self._count > 0

    def give_way(self) -> None:
        """In another thread: wait a little while something runs or waits here."""
        begun = time.monotonic()
        while self.is_busy and time.monotonic() - begun < PATIENCE:
            time.sleep(0.005)

    async def run(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """What the function returns.

        Raises:
            BusyError: too many wait already.
        """
        if self._count >= self._most:
            raise BusyError("the page has too much to do at once; try again in a moment")
        self._count += 1
        try:
            async with self._free:
                return await to_thread.run_sync(function, *arguments)
        finally:
            self._count -= 1
