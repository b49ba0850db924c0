"""Which square of each photo is looked at."""

import numpy as np

from colorizer.data.resident import Crop

__all__ = ["center_crop", "random_crop"]


def random_crop(
    photo: int,
    height: int,
    width: int,
    rng: np.random.Generator,
    scale: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
) -> Crop:
    """A square at a random place, its side `scale` of the short side, mirrored half of the time."""
    side = max(1, round(min(height, width) * rng.uniform(*scale)))
    top, left = (int(rng.integers(0, room - side + 1)) for room in (height, width))
    return Crop(photo, top, left, side, flip=flip and bool(rng.random() < 0.5))


def center_crop(photo: int, height: int, width: int) -> Crop:
    """The largest centered square."""
    side = min(height, width)
    return Crop(photo, (height - side) // 2, (width - side) // 2, side)
