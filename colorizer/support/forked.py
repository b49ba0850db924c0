"""Threads do not survive a fork: what waits for them in the child waits for ever."""

import os

from colorizer.errors import ColorizerError

__all__ = ["check_not_forked"]

_used_by: int | None = None


def check_not_forked() -> None:
    """Note that this process starts threads (of ONNX Runtime, of libvips), or already has.

    Raises:
        ColorizerError: the process was forked from one that had; what to do instead.
    """
    global _used_by
    if _used_by is None:
        _used_by = os.getpid()
    elif _used_by != os.getpid():
        raise ColorizerError(
            "this process was forked from one that had colored already, whose threads it lacks: "
            "start processes by multiprocessing.get_context('spawn'), or fork before the first "
            "Colorizer is made"
        )
