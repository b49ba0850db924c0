"""What this process may use of the machine: cores, memory, a cache. Containers' bounds count."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["available", "cores", "memory_installed", "memory_left", "memory_taken", "user_cache"]

_GROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that this process may use: by its affinity, and by the share of a cgroup (v2)."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    return max(1, math.ceil(min(found, _cores_of_container(_GROUP))))


def memory_installed() -> int:
    """Bytes of memory that there are for this process, used or not."""
    import psutil

    return int(min(psutil.virtual_memory().total, _bound(_GROUP)))


def memory_left() -> int:
    """Bytes of memory that can still be had, without swapping."""
    import psutil

    return int(min(psutil.virtual_memory().available, _left_to_container(_GROUP)))


def memory_taken() -> int:
    """Bytes that this process has in memory."""
    import psutil

    return psutil.Process().memory_info().rss


def available(device: "torch.device") -> int:
    """Bytes of memory that can still be had on a device of torch's."""
    if device.type != "cuda":
        return memory_left()
    import torch

    return torch.cuda.mem_get_info(device)[0]


def user_cache() -> Path:
    """Where this user's programs keep what they can make again."""
    import platformdirs

    return platformdirs.user_cache_path("colorizer", appauthor=False)


def _cores_of_container(group: Path) -> float:
    """Cores' worth of time that a cgroup may take; may be a fraction."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no bound ("max"), or no such file
        return float("inf")


def _bound(group: Path) -> float:
    """Bytes that a cgroup may take."""
    try:
        return int((group / "memory.max").read_text())
    except (OSError, ValueError):
        return float("inf")


def _left_to_container(group: Path) -> float:
    """Bytes up to the memory bound of a cgroup, not counting files that can be dropped."""
    try:
        used = int((group / "memory.current").read_text())
        lines = (group / "memory.stat").read_text().splitlines()
        dropped = int(dict(line.split() for line in lines)["inactive_file"])
    except (OSError, KeyError, ValueError):
        return float("inf")
    return max(0, _bound(group) - used + dropped)
