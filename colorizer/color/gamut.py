"""The in-gamut ab bins, and priors over them: shared by heads, losses and palettes (numpy only)."""

from functools import cache
from typing import Literal

import numpy as np

from colorizer.color.lab import light_to_lab, srgb_to_light

__all__ = ["GRID", "bins", "class_weights", "histogram", "prior_over", "smooth_prior", "smoothing"]

GRID = 10
"""Spacing of the bins in Lab units, as in Zhang et al., "Colorful Image Colorization" (2016)."""


_ZHANG = {  # a -> the least and the largest b, Lab units
    -90: (50, 90),
    -80: (20, 90),
    -70: (0, 90),
    -60: (-20, 90),
    -50: (-30, 100),
    -40: (-40, 100),
    -30: (-50, 100),
    -20: (-50, 100),
    -10: (-60, 100),
    0: (-70, 100),
    10: (-80, 90),
    20: (-80, 90),
    30: (-90, 90),
    40: (-100, 90),
    50: (-100, 80),
    60: (-110, 80),
    70: (-110, 80),
    80: (-110, 70),
    90: (-110, 70),
    100: (-90, 0),
}


@cache
def bins(kind: Literal["gamut", "zhang"] = "gamut") -> np.ndarray:
    """Centres of the ab bins that some sRGB colour falls into, at any lightness.

    Args:
        kind: "zhang" are the 313 of the paper, in its order, some of which no sRGB color falls
            into; what the tool steers by (hints, palettes, priors) is "gamut".

    Returns:
        (Q, 2) float32, Lab units, sorted by a, then b; read-only.
    """
    if kind == "zhang":
        rows = [(a, b) for a, (low, high) in _ZHANG.items() for b in range(low, high + 1, GRID)]
        centres = np.array(rows, np.float32)
        centres.setflags(write=False)
        return centres
    steps = np.arange(0, 256, 3) / 255  # 0 and 255 included; fine enough to hit every bin
    # The faces of the cube suffice: made lighter, any color inside meets one with its own ab.
    u, v = (side.ravel() for side in np.meshgrid(steps, steps))
    faces = [np.roll([np.full_like(u, end), u, v], axis, 0) for end in (0, 1) for axis in range(3)]
    ab = light_to_lab(srgb_to_light(np.concatenate(faces, 1).T))[:, 1:]
    cells = np.round(ab / GRID).astype(int)
    low = cells.min(0)
    hit = np.zeros(np.ptp(cells, axis=0) + 1, bool)
    hit[tuple((cells - low).T)] = True
    centres = ((np.argwhere(hit) + low) * GRID).astype(np.float32)  # sorted, as argwhere is
    centres.setflags(write=False)
    return centres


def histogram(ab: np.ndarray) -> np.ndarray:
    """How many of the given colours lie in each bin.

    Args:
        ab: (N, 2), Lab units; colours outside every bin are not counted.

    Returns:
        (Q,) int64, in the order of `bins`.
    """
    cells = np.round(bins() / GRID).astype(int)
    reach = np.abs(cells).max()
    table = np.full((2 * reach + 1, 2 * reach + 1), -1)
    table[tuple((cells + reach).T)] = np.arange(len(cells))
    at = np.clip(np.round(np.asarray(ab) / GRID).astype(int), -reach, reach) + reach
    found = table[at[:, 0], at[:, 1]]
    return np.bincount(found[found >= 0], minlength=len(cells))


def smooth_prior(histogram: np.ndarray, sigma: float = 5.0) -> np.ndarray:
    """A histogram over the bins, blurred in the ab plane and normalised to sum 1.

    Args:
        histogram: (Q,), non-negative counts or shares, in the order of `bins`.
        sigma: width of the Gaussian, in Lab units.

    Returns:
        (Q,) float32.
    """
    prior = smoothing(sigma) @ np.asarray(histogram, np.float64)
    return (prior / prior.sum()).astype(np.float32)


@cache
def smoothing(sigma: float = 5.0) -> np.ndarray:
    """What blurs counts of the bins in the ab plane: (Q, Q), each column sums to 1; read-only."""
    distance2 = ((bins()[:, None] - bins()[None]) ** 2).sum(-1)
    kernel = np.exp(-distance2 / (2 * sigma**2))
    kernel /= kernel.sum(0)
    kernel.setflags(write=False)
    return kernel


def prior_over(kind: Literal["gamut", "zhang"], prior: np.ndarray) -> np.ndarray:
    """A prior over `bins()` as one over bins of another kind: each goes to the nearest.

    Shape: prior (Q,), sums to 1 -> (bins of that kind,) float32, likewise.
    """
    centres = bins(kind)
    nearest = ((bins()[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    return np.bincount(nearest, prior, len(centres)).astype(np.float32)


def class_weights(prior: np.ndarray, mix: float = 0.5) -> np.ndarray:
    """Rebalancing weights for rare colours (Zhang et al. 2016, equation 4).

    Args:
        prior: (Q,), sums to 1.
        mix: share of the uniform distribution mixed into the prior before it is inverted
            (lambda in the paper), above 0; 1 means no rebalancing.

    Returns:
        (Q,) float32, with expectation 1 under the prior.
    """
    prior = np.asarray(prior, np.float64)
    weights = 1 / ((1 - mix) * prior + mix / len(prior))
    return (weights / (prior * weights).sum()).astype(np.float32)
