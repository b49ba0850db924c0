"""Where each place of a map lies, for attention."""

import math

import torch
from torch import Tensor

__all__ = ["waves"]


def waves(x: Tensor) -> Tensor:
    """Where each place lies, as sines and cosines of both axes: (N, C, h, w) -> (1, h * w, C)."""
    channels, height, width = x.shape[1:]
    rates = 10_000 ** (torch.arange(channels // 4, device=x.device) * (-4 / channels))
    sides = []
    for count in (height, width):
        share = (torch.arange(count, device=x.device) + 0.5) / count
        angles = 2 * math.pi * share[:, None] * rates  # (side, C / 4)
        sides.append(torch.cat([angles.sin(), angles.cos()], dim=1))
    down = sides[0][:, None].expand(-1, width, -1)
    across = sides[1][None].expand(height, -1, -1)
    return torch.cat([down, across], dim=2).flatten(0, 1)[None]
