"""How much memory there is to fill."""

import os
from pathlib import Path

import torch

__all__ = ["available"]

_LIMITS = (  # of the control group that a container or a cluster's job runs in: limit, in use
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def available(device: torch.device) -> int:
    """Bytes that can still be taken on a device; for the processor, of the system's memory.

    Where the system does not tell (macOS, Windows) 4 GB are supposed.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = [value for value in (_system(), *(_group(*paths) for paths in _LIMITS)) if value]
    return min(found, default=4_000_000_000)


def _system() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        (free,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return int(free) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _group(limit: str, used: str) -> int | None:
    try:
        return max(1, int(Path(limit).read_text()) - int(Path(used).read_text()))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
