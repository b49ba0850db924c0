"""The balance of a whole picture: warm and cold, green and magenta, the dark and the bright parts.

A light of another color scales the X and Z of a picture (von Kries), that is, the fx and fz of CIE
Lab. So it is a linear function of chroma and lightness, and stays one in a coloring `ab = slope * L
+ offset`; lightness is what it was.
"""

import numpy as np

from colorizer.options import SteeringOptions

__all__ = ["balanced", "cast_of"]

WARM = (2.4, 17.6)  # ab of a white under D50, seen as under D65: what a warmth of 1 makes of it
MAGENTA = (17.6, -2.4)  # across, as far
NEARLY_GRAY = 8.0  # chroma of a white, within which things count as gray that had a cast
DOUBT = 0.1  # share of places beside, of no cast: where nothing is nearly gray, there is none
ROUNDS = 3
DARK, BRIGHT = (0.0, 55.0), (45.0, 100.0)  # L, over which a part ends and begins
_SCALE = np.array([500.0, -200.0])  # a = 500 (fx - fy), b = -200 (fz - fy)


def balanced(
    L: np.ndarray, slope: np.ndarray, offset: np.ndarray, options: SteeringOptions
) -> tuple[np.ndarray, np.ndarray]:
    """A coloring with the balance that is asked for.

    Args:
        L: (H, W), 0..100, at the working size.
        slope, offset: (H, W, 2) each, the coloring.
        options: `natural` first takes the cast away that the coloring has; then `warmth` and `tint`
            lay one over it, and `shadows` and `highlights` scale it.

    Returns:
        slope and offset: those that came in where nothing is asked for.
    """
    white = options.warmth * np.array(WARM) + options.tint * np.array(MAGENTA)
    gain = 1 + white / _SCALE  # of fx and fz
    if options.natural:
        gain = gain / (1 + cast_of(L, slope, offset) / _SCALE)
    if (gain != 1).any():
        more = _SCALE * (gain - 1) / 116  # fy is (L + 16) / 116
        slope, offset = gain * slope + more, gain * offset + 16 * more
    if options.shadows != 1 or options.highlights != 1:
        dark, bright = 1 - _step(L, *DARK), _step(L, *BRIGHT)
        factor = 1 + (options.shadows - 1) * dark + (options.highlights - 1) * bright
        slope, offset = slope * factor[..., None], offset * factor[..., None]
    return slope, offset


def cast_of(L: np.ndarray, slope: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The cast of what is nearly gray, as the ab that it gives to a white: (2,).

    The gray world of Buchsbaum (1980), by two changes: a cast grows with lightness, so each place
    is asked for what it means for a white; and what has a color of its own, such as a meadow, does
    not count. So it is where most places lie that are near to gray (the mean shift, begun there).
    """
    fy = (L[..., None].astype(np.float64) + 16) / 116
    cast = (slope * L[..., None] + offset) / fy
    found = np.zeros(2)
    for _ in range(ROUNDS):
        far = ((cast - found) ** 2).sum(-1, keepdims=True) / (2 * NEARLY_GRAY**2)
        weight = fy * np.exp(-far)  # the color of dark places says little
        found = (weight * cast).sum((0, 1)) / (weight.sum() + DOUBT * fy.sum())
    return found


def _step(L: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below, 1 above, smooth between."""
    t = ((L - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)
