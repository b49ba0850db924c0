"""From the bytes of a picture file to a small sRGB picture, in every format that can be colored."""

from dataclasses import dataclass

import numpy as np
import pyvips

from colorizer.inference import picture as pictures
from colorizer.inference.lightness import has_unusable_profile, is_srgb
from colorizer.inference.opening import MAX_PIXELS

__all__ = ["MAX_ASPECT", "Decoded", "decode"]

MAX_ASPECT = 4
"""Of longer pictures the middle is taken: a panorama would weigh more than others in memory, and
its ends hardly ever enter a square crop together."""


@dataclass(frozen=True)
class Decoded:
    """A picture, small and upright.

    Attributes:
        rgb: (H, W, 3) uint8, sRGB.
        width, height: of the file, upright, in pixels.
    """

    rgb: np.ndarray
    width: int
    height: int


def decode(encoded: bytes, size: int, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode a picture to sRGB, upright, on white, its short side at most `size` pixels.

    Large JPEG files are decoded at a fraction of their size, most others in strips. A
    smaller picture keeps its size; of one longer than `MAX_ASPECT` : 1 the middle is cut out. Of
    several pages or frames this is the first.

    Raises:
        ColorizerError: it is damaged, cut off, or of an unknown kind; or it claims more than
            `max_pixels`.
    """
    picture = pictures.read(encoded, max_pixels)
    short = min(picture.width, picture.height)
    long = max(picture.width, picture.height)
    # A square box: it fits the long side, whichever that is.
    box = max(1, round(min(1, size / short) * long))
    with pictures.reading(encoded):
        small = _thumbnail(picture, box)
        small = small.colourspace("srgb").cast("uchar")
        if small.hasalpha():
            small = small.flatten(background=255)
        rgb = small.numpy()
    return Decoded(_middle(rgb), picture.width, picture.height)


def _thumbnail(picture: pictures.Picture, box: int) -> pyvips.Image:
    """At most `box` pixels wide and high.

    Not by `thumbnail_buffer`: libvips 8.18 forgets `fail_on` when it shrinks on loading, so that
    a photo that was cut off would pass, half of it gray.
    """
    shrink = 1
    long = max(picture.width, picture.height)
    while picture.loader == "jpegload" and shrink < 8 and long >= 4 * shrink * box:
        shrink *= 2
    image = pictures.decode(picture, shrink=shrink)
    has_profile = image.get_typeof("icc-profile-data") and not has_unusable_profile(image)
    # Without a profile the pixels are sRGB already, and the transform is most of the work.
    profile = {"export_profile": "srgb"} if has_profile and not is_srgb(image) else {}
    return image.thumbnail_image(box, height=box, size="down", **profile)


def _middle(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return np.ascontiguousarray(rgb[top : top + longest, left : left + longest])
