"""From the bytes of a picture file to what goes into a shard."""

from dataclasses import dataclass

import numpy as np

from colorizer.pictures.decode import decode_bytes
from colorizer.pictures.origin import MAX_PIXELS

__all__ = ["MAX_ASPECT", "SmallPicture", "decode_middle"]

MAX_ASPECT = 4
"""Of longer pictures the middle is taken: a panorama would weigh more than others in memory, and
its ends hardly ever enter a square crop together."""


@dataclass(frozen=True)
class SmallPicture:
    """A picture, small and upright.

    Attributes:
        rgb: (H, W, 3) uint8, sRGB.
        width, height: of the file, upright, in pixels.
    """

    rgb: np.ndarray
    width: int
    height: int


def decode_middle(encoded: bytes, size: int, max_pixels: int = MAX_PIXELS) -> SmallPicture:
    """Decode a picture as `decode_bytes`; of one longer than `MAX_ASPECT` : 1 only the middle."""
    rgb, (width, height) = decode_bytes(encoded, size, max_pixels)
    return SmallPicture(_middle(rgb), width, height)


def _middle(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return np.ascontiguousarray(rgb[top : top + longest, left : left + longest])
