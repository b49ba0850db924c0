"""A connection on which nothing is going on for long is closed: uvicorn has no such limit.

Anyone who reaches the port can open connections and never finish a request, without the token; 100
of them would keep everybody out (https://github.com/Kludex/uvicorn/issues/157).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Connection"]


class Connection(H11Protocol):
    """uvicorn's HTTP connection, which must have a request under way at least every few seconds."""

    patience = 10.0
    """Seconds in which the head of a request must have arrived."""

    most_waiting = 48
    """Connections without a request; one more, and the one that has waited longest is closed."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        waiting = [
            (one._deadline.when(), one.transport)
            for one in self.connections
            if isinstance(one, Connection) and one._deadline is not None
        ]
        if len(waiting) >= self.most_waiting:
            min(waiting, key=lambda one: one[0])[1].close()
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Begin to wait, go on waiting, or stop it, as a request is answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.patience, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
