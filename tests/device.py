"""Where the contract suites compute: `pytest --device cuda` has them run on a GPU."""

import torch

__all__ = ["device", "set_device"]

_device = torch.device("cpu")


def device() -> torch.device:
    """What `--device` says."""
    return _device


def set_device(name: str) -> None:
    """Called once, when pytest starts."""
    global _device
    _device = torch.device(name)
