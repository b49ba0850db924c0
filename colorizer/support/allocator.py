"""How the C library hands out memory."""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # of glibc's mallopt


def keep_freed_memory() -> None:
    """Let glibc keep the memory that this process frees, for its next allocation; others do.

    By default each tensor above 32 MB is mapped when it is made and unmapped when it is freed, and
    the kernel clears its pages each time (benchmarks/flagship.py has what it costs).
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_MMAP_MAX, 0)
            mallopt(_TRIM_THRESHOLD, -1)
