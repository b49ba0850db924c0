"""Where a result comes from."""

import importlib.metadata
import platform
import subprocess
from datetime import datetime
from pathlib import Path

import torch

__all__ = ["hardware", "surroundings"]


def surroundings() -> dict[str, str]:
    """Versions, commit and date."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return {
        "colorizer": importlib.metadata.version("colorizer"),
        "commit": commit,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now().date().isoformat(),
    }


def hardware(device: torch.device, devices: int = 1) -> str:
    """What a training runs on, in words."""
    several = f"{devices} x " if devices > 1 else ""
    if device.type == "cuda":
        return several + torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{several}{device.type} ({platform.machine()}), {threads} thread{'s' * (threads > 1)}"
