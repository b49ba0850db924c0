"""A reference photo as it is read: small, its lightness and its colors."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from colorizer.color.has_color import CHROMA, highest_chroma
from colorizer.color.lab import RGB_WHITE, light_to_lab
from colorizer.errors import UsageError
from colorizer.inference.network import working_size
from colorizer.pictures.lightness import linear_light
from colorizer.pictures.picture import Picture, Source
from colorizer.pictures.resize import enlarge

__all__ = ["ReferencePhoto", "read_reference"]

SMALLEST = 32  # pixels of the short side


@dataclass(frozen=True, eq=False)
class ReferencePhoto:
    """A photo in color at the working size.

    Attributes:
        size: that working size.
        L: (H, W), 0..100.
        ab: (H, W, 2), Lab units.
    """

    size: int
    L: np.ndarray
    ab: np.ndarray

    @cached_property
    def key(self) -> bytes:
        """Two that have it in common are the same."""
        return hashlib.sha256(self.L.tobytes() + self.ab.tobytes()).digest()


def read_reference(source: Source, size: int, max_pixels: int) -> ReferencePhoto:
    """Read a reference; of several pages the first.

    Args:
        source: a photo in color.
        size: the working size.
        max_pixels: a larger one is refused.

    Raises:
        ColorizerError: it cannot be read.
        UsageError: it is gray, or too small.
    """
    picture = Picture.open(source, max_pixels)
    width, height = picture.width, picture.height
    if min(width, height) < SMALLEST:
        raise UsageError(
            f"{picture} has {width}x{height} pixels, too few for a reference; choose a photo whose"
            f" short side has {SMALLEST} or more"
        )
    small = working_size(width, height, size)
    L, _ = picture.thumbnail(0, small)
    with picture.reading():
        image = picture.image(0, picture.shrink_for(small[0]))
        colored = image.bands - image.hasalpha() >= 3
        light = enlarge(linear_light(image), *small).numpy() if colored else np.ones((1, 1, 3))
    ab = light_to_lab(light.reshape(-1, 3).clip(0, 1).astype(np.float64), RGB_WHITE)[:, 1:]
    if highest_chroma(ab) < CHROMA:
        raise UsageError(f"{picture} has no colors, so it is no reference; choose a photo in color")
    return ReferencePhoto(size, L, ab.reshape(*L.shape, 2).astype(np.float32))
