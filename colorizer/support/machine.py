"""What this process may use of the machine: cores, memory, a cache. Containers' bounds count."""

import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.errors import ColorizerError

if TYPE_CHECKING:
    import torch

__all__ = [
    "available",
    "busy_cores",
    "cores",
    "memory_installed",
    "memory_left",
    "memory_taken",
    "user_cache",
]

_GROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Cores that this process may use: by its affinity, and by the share of a cgroup (v2)."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    return max(1, math.ceil(min(found, _cores_of_container(_GROUP))))


def busy_cores(seconds: float = 0.5) -> float:
    """How many cores' worth of time other processes take, looked at for so long."""
    import psutil

    own = psutil.Process()
    before, took = psutil.cpu_percent(None), own.cpu_times()
    del before
    total = psutil.cpu_percent(seconds) / 100 * (psutil.cpu_count() or 1)
    now = own.cpu_times()
    return max(0.0, total - (now.user + now.system - took.user - took.system) / seconds)


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
    """Where this user's programs keep what they can make again.

    A user without a home, as containers have them, gets a folder of their own among the temporary
    files.

    Raises:
        ColorizerError: that one is another user's.
    """
    import platformdirs

    try:
        return platformdirs.user_cache_path("colorizer", appauthor=False)
    except (RuntimeError, KeyError):  # neither HOME nor an entry among the users
        user = os.getuid()  # only systems that have it have users without a home
        path = Path(tempfile.gettempdir()) / f"colorizer-{user}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid != user:
            raise ColorizerError(f"{path} is another user's: set HOME, or data.cache")
    except OSError as error:
        raise ColorizerError(
            f"no cache: {path} cannot be made ({error.strerror}); set HOME, TMPDIR or data.cache"
        ) from error
    return path


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
