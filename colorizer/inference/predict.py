"""From the small lightness of a picture to what coloring it takes, by one look or by several."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from colorizer.inference.compose import fit_chroma
from colorizer.inference.likeness import Alike
from colorizer.inference.network import MULTIPLE, Network, pad
from colorizer.pictures.resize import resize

__all__ = [
    "LARGEST",
    "Seen",
    "over_picture",
    "predict_chroma",
    "predict_steadily",
    "predict_uncertainty",
]

_SIZES = (1.0, 0.75, 1.25)
LARGEST = max(_SIZES)
"""The largest size at which `predict_steadily` looks, as a multiple of the working size."""

Predict = Callable[[np.ndarray], np.ndarray]  # a padded lightness -> ab


@dataclass(frozen=True, eq=False)
class Seen:
    """What was found out about a picture at the working size.

    Attributes:
        L: (H, W), 0..100.
        slope, offset: (H, W, 2) each: the coloring, see `fit_chroma`.
        features: (h, w, C), of the decoder, where hints need them.
        alike: what learnt likeness asks of it, where hints need it and the model has it.
        is_unlike: whether there are references, and none shows anything alike.
    """

    L: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    features: np.ndarray | None = None
    alike: Alike | None = None
    is_unlike: bool = False


def predict_chroma(L: np.ndarray, predict: Predict) -> tuple[np.ndarray, np.ndarray]:
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


def predict_steadily(
    L: np.ndarray, size: tuple[int, int], predict: Predict
) -> tuple[np.ndarray, np.ndarray]:
    """As `predict_chroma`, averaged over three sizes and the mirror image of each: steadier.

    Chroma is linear in slope and offset, so their mean is that of the six colorings.

    Args:
        L: (H, W), 0..100, at `LARGEST` times the working size.
        size: working size, as (width, height).
        predict: as for `predict_chroma`.

    Returns:
        slope and offset: (height, width, 2) each.
    """
    width, height = size
    total = np.zeros((height, width, 4))
    for scale in _SIZES:
        seen = resize(L, max(1, round(height * scale)), max(1, round(width * scale)))[..., 0]
        for flip in (1, -1):
            found = np.concatenate(predict_chroma(seen[:, ::flip], predict), -1)[:, ::flip]
            total += resize(found, height, width)
    slope, offset = np.split(total / (2 * len(_SIZES)), 2, -1)
    return slope, offset


def over_picture(values: np.ndarray, L: np.ndarray) -> np.ndarray:
    """What a network gave for `pad(L)`, bilinear on a grid of its own spacing that covers `L`.

    Args:
        values: (C, h, w).
        L: (H, W), before padding.

    Returns:
        (h', w', C) float32, with h' / h as H is to the padded height.
    """
    for axis, side in ((1, L.shape[0]), (2, L.shape[1])):
        cells = values.shape[axis] * side / (side + -side % MULTIPLE)  # that cover the picture
        count = max(1, round(cells))
        at = ((np.arange(count) + 0.5) * cells / count - 0.5).clip(0, values.shape[axis] - 1)
        low = at.astype(int)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(3)]).astype(np.float32)
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return np.ascontiguousarray(values.transpose(1, 2, 0))


def predict_uncertainty(L: np.ndarray, network: Network, prior: np.ndarray | None) -> np.ndarray:
    """How undecided the network is about each pixel of a lightness: (H, W) float32, 0..1."""
    padded = pad(L)
    values = resize(network.uncertainty(padded, prior=prior), *padded.shape)
    return values[: L.shape[0], : L.shape[1], 0].clip(0, 1)
