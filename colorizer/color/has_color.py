"""Has it color? The one place that answers: for notes, palettes, films, training and evaluation.

A picture "has colors of its own" if any can be seen; a photo "has color to learn from" if 1 pixel
in 100 has a chroma that the eye calls a color, and if that does not follow from lightness alone.
"""

import numpy as np

__all__ = [
    "CHROMA",
    "FRAME_CHROMA",
    "SPREAD",
    "TONED",
    "follows_lightness",
    "highest_chroma",
    "lies_in_one_hue",
    "mean_spread",
    "steps_apart",
]

SPREAD = 0.01
"""Mean difference between the channels, of their range, above which a picture has colors."""

FRAME_CHROMA = 3.0
"""Mean distance of U and V from gray, in steps of 8 bits, above which a frame of a film has."""

CHROMA = 5.0
"""Lab units that 1 pixel in 100 of a photo in color exceeds."""

STEPS = 6
"""Of 255, between channels, which 1 pixel in 100 of a photo in color exceeds; quickly asked."""

ONE_HUE = 0.95
"""Share of the chroma that points the same way in a photo toned in one hue, such as sepia."""

TONED = 2.0
"""Lab units (RMS) by which the chroma of such a photo differs from a function of its lightness."""


def mean_spread(rgb: np.ndarray) -> float:
    """(..., 3), 0..1 -> how far the channels lie apart in the mean, 0..1; compare `SPREAD`."""
    return float(np.ptp(rgb, -1).mean())


def steps_apart(rgb: np.ndarray) -> bool:
    """Whether (H, W, 3) uint8 has color to learn from, by its channels alone."""
    sample = rgb[::2, ::2].astype(np.int16)
    return bool(np.percentile(sample.max(-1) - sample.min(-1), 99) > STEPS)


def highest_chroma(ab: np.ndarray) -> float:
    """(..., 2), Lab units -> the chroma that 1 pixel in 100 exceeds; compare `CHROMA`."""
    return float(np.quantile(np.hypot(ab[..., 0], ab[..., 1]), 0.99))


def lies_in_one_hue(ab: np.ndarray) -> bool:
    """Whether the chroma of (N, 2) points the same way nearly everywhere."""
    return bool(np.hypot(*ab.sum(0)) >= ONE_HUE * np.hypot(*ab.T).sum())


def follows_lightness(L: np.ndarray, ab: np.ndarray) -> bool:
    """Whether a photo is toned in one hue: chroma (N, 2) is a cubic function of lightness (N,)."""
    if not lies_in_one_hue(ab):
        return False
    scaled = L / 50 - 1
    powers = np.stack([np.ones_like(scaled), scaled, scaled**2, scaled**3], 1)
    rest = ab - powers @ np.linalg.lstsq(powers, ab, rcond=None)[0]
    return bool(np.sqrt((rest**2).sum(1).mean()) < TONED)
