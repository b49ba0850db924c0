"""What is wrong with a picture for learning color: pure functions on one decoded picture.

The thresholds were set on 10,048 photographs at a short side of 160 pixels and on drawn counter
examples; docs/training.md has the rates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from PIL import Image

from colorizer.color.has_color import CHROMA, TONED, highest_chroma, lies_in_one_hue
from colorizer.color.lab import light_to_lab, srgb_to_light

__all__ = ["REASONS", "SMALLEST", "UNREADABLE", "Finding", "examine", "lab"]

UNREADABLE = "unreadable"

REASONS: Mapping[str, str] = MappingProxyType(
    {
        UNREADABLE: "damaged, cut off, or of a kind that cannot be decoded",
        "tiny": "short side under 64 pixels",
        "blank": "nothing in it but one color or a smooth gradient",
        "gray": "gray already, or so nearly that there is no color to learn",
        "toned": "sepia, duotone or another tint: the colors follow from lightness alone",
        "graphic": "a drawing, a chart, a page of text, a screenshot: flat areas of few colors",
        "also in evaluation": "the same picture as one of the set given by --against",
        "duplicate": "byte for byte the same file as a picture that is kept",
        "near-duplicate": "looks the same as a picture that is kept",
    }
)
"""Why pictures are left out, in the order in which they are asked; the first answer counts."""

SMALLEST = 64
"""Pixels: a picture with a shorter side shows too little to be colored by its content."""

DUOTONE = 1.25
"""As `has_color.TONED` for tones of several hues; stricter, as mist and dusk have nearly as little.
"""

BLANK = 2.5
"""Lab units (RMS) by which a blank picture, at 32x32, differs from a cubic surface."""

FLAT = 0.45
"""Share of pixels equal to their neighbors (right and below) that a graphic exceeds."""

FLAT_EXACTLY = 0.8
"""Of the pixels within one step of their neighbors, the share that is exactly equal in a graphic.

It tells flat color from a clear sky, which is smooth but not constant."""

_LIGHT = srgb_to_light(np.arange(256) / 255).astype(np.float32)


@dataclass(frozen=True)
class Finding:
    """A reason, one of `REASONS`, and the numbers behind it."""

    reason: str
    detail: str


def lab(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, sRGB -> (H, W, 3) float32: L in 0..100, a, b; as scikit-image has it."""
    return light_to_lab(_LIGHT[rgb])


def examine(rgb: np.ndarray, pixels: np.ndarray | None = None) -> Finding | None:
    """What is wrong with the content of a picture, if anything.

    Args:
        rgb: (H, W, 3) uint8, sRGB, at the size at which it is trained on.
        pixels: its Lab values, from `lab`, if they are at hand.
    """
    pixels = lab(rgb) if pixels is None else pixels
    texture = _texture(pixels)
    if texture < BLANK:
        return Finding("blank", f"differs from a smooth surface by {texture:.1f} Lab units")
    highest = highest_chroma(pixels[..., 1:])
    if highest < CHROMA:
        return Finding("gray", f"99 % of the pixels have a chroma of at most {highest:.1f}")
    rest, one_hue = _toning(rgb, pixels[..., 1:])
    if rest < (TONED if one_hue else DUOTONE):
        return Finding("toned", f"chroma follows brightness to {rest:.1f} Lab units")
    flat, exactly = _flatness(rgb)
    if flat > FLAT and exactly > FLAT_EXACTLY:
        return Finding("graphic", f"{flat:.0%} of the pixels lie in areas of one color")
    return None


def _texture(pixels: np.ndarray) -> float:
    """How far a picture, shrunk, is from the nearest cubic surface: RMS, Lab units."""
    values = np.stack([_small(pixels[..., i]) for i in range(3)], 1)
    rest = values - _SURFACES @ (_SURFACES.T @ values)
    return float(np.sqrt((rest**2).sum(1).mean()))


def _toning(rgb: np.ndarray, ab: np.ndarray) -> tuple[float, bool]:
    """How far chroma, shrunk, is from a function of brightness: RMS, Lab units; and if of one hue.

    Shrunk, because files carry chroma at half of the resolution of lightness. The function is
    piecewise linear in the mean of R, G and B, which goes on rising where R and G are clipped, as
    in the lights of a sepia.
    """
    chroma = np.stack([_small(ab[..., 0]), _small(ab[..., 1])], 1)
    brightness = _small(rgb.mean(-1))
    step = 255 / (_KNOTS - 1)
    hats = np.maximum(0, 1 - np.abs(brightness[:, None] / step - np.arange(_KNOTS)))
    ridge = 1e-3 * np.eye(_KNOTS)  # some brightness may not occur at all
    rest = chroma - hats @ np.linalg.solve(hats.T @ hats + ridge, hats.T @ chroma)
    return float(np.sqrt((rest**2).sum(1).mean())), lies_in_one_hue(chroma)


def _small(band: np.ndarray) -> np.ndarray:
    """(H, W) -> (1024,) float64: area averages in 32x32."""
    image = Image.fromarray(np.ascontiguousarray(band, np.float32))
    return np.asarray(image.resize((32, 32), Image.Resampling.BOX)).ravel().astype(np.float64)


def _surfaces() -> np.ndarray:
    """(1024, 10): an orthonormal basis of the cubic surfaces over a 32x32 grid."""
    y, x = (axis.ravel() for axis in np.mgrid[-1:1:32j, -1:1:32j])
    powers = [x**i * y**j for i in range(4) for j in range(4 - i)]
    return np.linalg.qr(np.stack(powers, 1))[0]


_SURFACES = _surfaces()
_KNOTS = 17


def _flatness(rgb: np.ndarray) -> tuple[float, float]:
    """The share of pixels equal to their neighbors; and of those near them, how many are equal."""
    here = rgb[:-1, :-1]
    # Differences of bytes wrap around: of -1, 0 and 1, plus 1, become 0, 1 and 2.
    steps = (rgb[:-1, 1:] - here, rgb[1:, :-1] - here)
    equal = ~np.bitwise_or(*steps).any(-1)
    near = (np.maximum(steps[0] + 1, steps[1] + 1) <= 2).all(-1)
    found = np.count_nonzero(equal)
    return found / max(1, equal.size), found / max(1, np.count_nonzero(near))
