"""Steer a model that predicts a distribution: by the palette of a photo, or to alternatives.

Both are a prior: a factor for each of the in-gamut ab bins, by which the probability of that
color is multiplied everywhere in the picture.
"""

import numpy as np

from colorizer.color import gamut
from colorizer.color.has_color import SPREAD, mean_spread
from colorizer.color.lab import RGB_WHITE, light_to_lab
from colorizer.errors import UsageError
from colorizer.pictures.picture import Picture, Source

__all__ = ["palette_prior", "reference_ab", "shares", "variant_prior"]

SIDE = 256  # pixels, of the copy of a reference whose colors are counted
EVEN = 0.3  # share of the even distribution in a ratio of two palettes, which bounds it
BLUR = 10.0  # Lab units, of a palette: a reference never has exactly the colors that are needed
FORCE = 0.5  # power of that ratio; annealing will raise it to one over the temperature
REACH = 30.0  # Lab units over which a variant prefers alike
STRENGTH = 0.6  # of variants: standard deviation of the logarithm of their prior


def shares(scores: np.ndarray) -> np.ndarray:
    """The probability of each bin, from scores: a softmax over the last axis; sums to 1."""
    found = np.exp(scores - scores.max(-1, keepdims=True))
    return found / found.sum(-1, keepdims=True)


def palette_prior(reference: Source, typical: np.ndarray, max_pixels: int) -> np.ndarray:
    """Prefer the colors of a reference photo.

    The prior is the reference's smoothed histogram relative to what the model takes for typical,
    so that a photo like all others changes nothing; and both are mixed with the even
    distribution, so that the palette steers and what the model is sure of stays.

    Args:
        reference: a photo in color.
        typical: (Q,), shares of the bins in the training photos.
        max_pixels: a larger reference is refused.

    Returns:
        (Q,) float32, above 0; its mean under `typical` is 1.

    Raises:
        ColorizerError: the reference cannot be read.
        UsageError: it has no colors.
    """
    ab = reference_ab(Picture.open(reference, max_pixels))
    share = gamut.smooth_prior(gamut.histogram(ab), BLUR)
    typical = gamut.smooth_prior(typical, BLUR)
    even = EVEN / len(typical)
    prior = (((1 - EVEN) * share + even) / ((1 - EVEN) * typical + even)) ** FORCE
    return (prior / (prior * typical).sum()).astype(np.float32)


def reference_ab(picture: Picture) -> np.ndarray:
    """The colors of a photo: (N, 2), Lab units, from a small copy of it.

    Raises:
        UsageError: it is gray.
    """
    scale = SIDE / max(picture.width, picture.height)
    size = [max(1, round(side * min(scale, 1))) for side in (picture.width, picture.height)]
    found = picture.light((size[0], size[1]))
    light = np.ones((1, 3)) if found is None else found[0].reshape(-1, 3).astype(np.float64)
    if mean_spread(light) < SPREAD / 4:  # linear light of a color is darker than its code
        raise UsageError(f"{picture} has no colors, so it is no palette; choose a photo in color")
    return light_to_lab(light, RGB_WHITE)[:, 1:]


def variant_prior(variant: int) -> np.ndarray:
    """What one of the alternative colorings prefers; the same in every picture.

    A smooth random landscape over the ab plane: alike colors are preferred alike, so that an
    object keeps one color. Its seed is the number of the variant.

    Args:
        variant: from 1 on; 1 prefers nothing.

    Returns:
        (Q,) float32, above 0.
    """
    bins = gamut.bins().astype(np.float64)
    if variant == 1:
        return np.ones(len(bins), np.float32)
    distance2 = ((bins[:, None] - bins[None]) ** 2).sum(-1)
    kernel = np.exp(-distance2 / (2 * REACH**2))
    field = kernel @ np.random.default_rng(variant).standard_normal(len(bins))
    return np.exp(STRENGTH * (field - field.mean()) / field.std()).astype(np.float32)
