"""Notice a loss or a gradient that is not finite, without waiting for the device."""

from collections import deque

import torch
from torch import Tensor

from colorizer.errors import ColorizerError

__all__ = ["FiniteCheck", "NotFiniteError"]


class NotFiniteError(ColorizerError):
    """A loss or a gradient is infinite or no number; the message names the step and its photos."""


class FiniteCheck:
    """Flags of batches, read when they have come from the device.

    A flag arrives some steps after its batch; that is soon enough to end a training, and asking at
    once would leave the device idle at each step.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Tensor, torch.cuda.Event | None]] = deque()

    def note(self, batch: int, finite: Tensor) -> None:
        """Keep the flag of a batch: () bool, on any device."""
        event = None
        if finite.is_cuda:
            host = torch.empty((), dtype=torch.bool, pin_memory=True)
            finite = host.copy_(finite, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self._waiting.append((batch, finite, event))

    def first_bad(self, wait: bool = False) -> int | None:
        """The first batch that was not finite; None if none is known to be.

        Args:
            wait: for the flags that are still on their way.
        """
        while self._waiting:
            batch, finite, event = self._waiting[0]
            if event is not None and wait:
                event.synchronize()  # sync: whoever asks to wait
            if event is not None and not event.query():
                return None
            self._waiting.popleft()
            if not finite:
                return batch
        return None
