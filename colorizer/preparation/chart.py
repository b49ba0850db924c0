"""The colors of a set as a picture: the ab plane, each bin in its own color (SVG)."""

import numpy as np

from colorizer.color import gamut
from colorizer.color.lab import RGB_WHITE, lab_to_light, light_to_srgb

__all__ = ["chroma_chart"]

_LIGHTNESS = 65  # at which the bins are drawn
_RANGE = 5.0  # powers of ten below the most frequent bin that are still drawn
_CELL = 10.0  # units of the drawing, of a bin


def chroma_chart(histogram: np.ndarray) -> str:
    """Draw a histogram over `gamut.bins()`: the larger a square, the more pixels, on a log scale.

    Args:
        histogram: (Q,), counts.

    Returns:
        An SVG element, a to the right, b upward.
    """
    bins = gamut.bins()
    share = np.asarray(histogram, np.float64) / max(1, np.sum(histogram))
    with np.errstate(divide="ignore"):
        size = np.clip(1 + np.log10(share / max(share.max(), 1e-12)) / _RANGE, 0, 1)
    reach = int(np.abs(bins).max()) + 15
    parts = []
    for (a, b), side, own, color in zip(bins, size * _CELL, share, _colors(bins), strict=True):
        x, y = a - _CELL / 2, -b - _CELL / 2
        parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="10" height="10" class="cell"/>')
        if side > 0:
            title = f"a {a:.0f}, b {b:.0f}: {own:.2%} of the pixels"
            parts.append(
                f'<rect x="{a - side / 2:.2f}" y="{-b - side / 2:.2f}" width="{side:.2f}"'
                f' height="{side:.2f}" fill="{color}"><title>{title}</title></rect>'
            )
    axes = f'<path d="M{-reach} 0H{reach}M0 {-reach}V{reach}" class="axis"/>'
    names = (
        f'<text x="{reach - 2}" y="-4" text-anchor="end">a: red</text>'
        f'<text x="{-reach + 2}" y="-4">green</text>'
        f'<text x="4" y="{-reach + 9}">b: yellow</text><text x="4" y="{reach - 3}">blue</text>'
    )
    box = f"{-reach} {-reach} {2 * reach} {2 * reach}"
    return (
        f'<svg viewBox="{box}" role="img" aria-label="how often each chroma occurs">'
        f"{''.join(parts)}{axes}{names}</svg>"
    )


def _colors(bins: np.ndarray) -> list[str]:
    """sRGB hex codes of the bins at one lightness, clipped where there is no such color."""
    lab = np.insert(bins.astype(np.float64), 0, _LIGHTNESS, axis=1)
    encoded = light_to_srgb(lab_to_light(lab, RGB_WHITE).clip(0, 1))
    return [f"#{bytes(code).hex()}" for code in (encoded * 255).round().astype(np.uint8)]
