"""How much memory there is to fill."""

import os
from contextlib import suppress
from pathlib import Path

import torch

__all__ = ["available"]

_UNKNOWN = 4 * 1024**3  # bytes, where the system tells nothing of its memory


def available(device: torch.device) -> int:
    """Bytes of memory that can still be had on a device; of the system's, without swapping.

    On Linux what the kernel says (MemAvailable) and what a container's bound leaves (cgroup v2);
    on other systems half of all memory; where that is not told either, 4 GB.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    with suppress(OSError, KeyError, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        known = dict(line.split(":", 1) for line in lines)
        return min(1024 * int(known["MemAvailable"].split()[0]), _left_to_container())
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):  # not on Windows
        return _UNKNOWN


def _left_to_container(group: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes up to the memory bound of a cgroup (v2), not counting files that can be dropped."""
    try:
        bound = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        lines = (group / "memory.stat").read_text().splitlines()
        dropped = int(dict(line.split() for line in lines)["inactive_file"])
    except (OSError, KeyError, ValueError):  # no bound ("max"), or no such files
        return float("inf")
    return max(0, bound - used + dropped)
