"""Which crop of each photo is looked at."""

from collections.abc import Callable

import numpy as np

__all__ = ["DRAWS", "Where", "center_crops", "random_crops"]

DRAWS = 4
"""Random numbers that a crop takes."""

Where = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From sizes (N, 2) and draws (N, 4) to crops (N, 4): which part of a photo is looked at."""


def random_crops(
    sizes: np.ndarray,
    draws: np.ndarray,
    scale: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
) -> np.ndarray:
    """Squares at random places, mirrored half of the time.

    Args:
        sizes: (N, 2) int, height and width of each photo, in pixels.
        draws: (N, 4), uniform in [0, 1): what is random about each crop.
        scale: smallest and largest side, as a share of the photo's short side.
        flip: mirror some.

    Returns:
        (N, 4) int64: top, left and side, in pixels; 1 where mirrored left to right.
    """
    low, high = scale
    share = low + (high - low) * draws[:, 0]
    side = np.maximum(1, np.rint(sizes.min(1) * share).astype(np.int64))
    room = sizes - side[:, None]
    # A product so near to its factor that it rounds to it would lie outside.
    top, left = np.minimum((draws[:, 1:3] * (room + 1)).astype(np.int64), room).T
    return np.stack([top, left, side, (flip & (draws[:, 3] < 0.5)).astype(np.int64)], 1)


def center_crops(sizes: np.ndarray, draws: np.ndarray | None = None) -> np.ndarray:
    """The largest centered crop of each photo, as in `random_crops`; nothing is random."""
    side = sizes.min(1)
    top, left = ((sizes - side[:, None]) // 2).T
    return np.stack([top, left, side, np.zeros_like(side)], 1).astype(np.int64)
