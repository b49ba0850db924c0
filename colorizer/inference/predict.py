"""From the small lightness of a picture to what coloring it takes, by one look or by several."""

from collections.abc import Callable

import numpy as np

from colorizer.inference.compose import fit_chroma, resize
from colorizer.inference.network import Network, pad

__all__ = ["LARGEST", "look", "look_again", "predict_uncertainty"]

_SIZES = (1.0, 0.75, 1.25)
LARGEST = max(_SIZES)
"""The largest size at which `look_again` looks, as a multiple of the working size."""

Predict = Callable[[np.ndarray], np.ndarray]  # a padded lightness -> ab


def look(L: np.ndarray, predict: Predict) -> tuple[np.ndarray, np.ndarray]:
    """Chroma as `slope * L + offset`, from one look at the picture.

    Args:
        L: (H, W), 0..100, at the working size.
        predict: from (H, W) with sides that `pad` makes, to ab (2, h, w).

    Returns:
        slope and offset: (H, W, 2) each, see `fit_chroma`.
    """
    padded = pad(L)
    height, width = L.shape
    slope, offset = fit_chroma(padded, predict(padded))
    return slope[:height, :width], offset[:height, :width]


def look_again(
    L: np.ndarray, size: tuple[int, int], predict: Predict
) -> tuple[np.ndarray, np.ndarray]:
    """As `look`, averaged over three sizes and the mirror image of each: slower and steadier.

    Chroma is linear in slope and offset, so their mean is that of the six colorings.

    Args:
        L: (H, W), 0..100, at `LARGEST` times the working size.
        size: working size, as (width, height).
        predict: as for `look`.

    Returns:
        slope and offset: (height, width, 2) each.
    """
    width, height = size
    total = np.zeros((height, width, 4))
    for scale in _SIZES:
        seen = resize(L, max(1, round(height * scale)), max(1, round(width * scale)))[..., 0]
        for flip in (1, -1):
            found = np.concatenate(look(seen[:, ::flip], predict), -1)[:, ::flip]
            total += resize(found, height, width)
    slope, offset = np.split(total / (2 * len(_SIZES)), 2, -1)
    return slope, offset


def predict_uncertainty(L: np.ndarray, network: Network, prior: np.ndarray | None) -> np.ndarray:
    """How undecided the network is about each pixel of a lightness: (H, W) float32, 0..1."""
    padded = pad(L)
    values = resize(network.uncertainty(padded, prior=prior), *padded.shape)
    return values[: L.shape[0], : L.shape[1], 0].clip(0, 1)
