"""The likeliest colors at a place, as a user would want to choose from them."""

from collections.abc import Callable

import numpy as np

from colorizer.color import gamut
from colorizer.color.lab import RGB_WHITE, f_to_xyz, lab_to_light, light_to_lab, light_to_srgb
from colorizer.errors import UsageError
from colorizer.inference.steered import SteeredModel
from colorizer.pictures.picture import Picture

__all__ = ["colors_at", "likeliest"]

APART = 14.0  # Lab units between two suggestions, if so many colors are to be had
BLUR = 6.0  # Lab units; the bins are 10 apart


def colors_at(
    model: SteeredModel,
    picture: Picture,
    thumbnail: Callable[[tuple[int, int]], np.ndarray],
    x: float,
    y: float,
    n: int,
) -> list[str]:
    """As `Colorizer.suggest`.

    Args:
        thumbnail: the lightness of the picture, (H, W), at a size of (width, height).
    """
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise UsageError(f"there is no place ({x}, {y}); accepted are shares from 0 to 1")
    model.require_features("suggestions")
    small = thumbnail(model.with_options(quality="fast").look_size(picture))
    colors = likeliest(_at(model.distribution(small), x, y), float(_at(small, x, y)), n)
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colors]


def likeliest(shares: np.ndarray, L: float, n: int) -> np.ndarray:
    """Distinct colors of one lightness, the likeliest first.

    The distribution is smoothed, each bin is moved into the gamut of the lightness, and the
    highest is taken again and again, less its neighborhood.

    Args:
        shares: (Q,), the probability of each of `gamut.bins`.
        L: lightness of the place, 0..100.
        n: how many.

    Returns:
        (n, 3) uint8, sRGB; fewer where the lightness has not so many colors, as white has one.
    """
    smooth = gamut.smooth_prior(shares, BLUR).astype(np.float64)
    light = _mixed(L, gamut.bins())
    ab = light_to_lab(light, RGB_WHITE)[:, 1:]
    chosen: list[int] = []
    for apart in (APART, APART / 2, APART / 4):
        for i in np.argsort(-smooth, kind="stable"):
            if len(chosen) == n:
                break
            if all(((ab[i] - ab[j]) ** 2).sum() >= apart**2 for j in chosen):
                chosen.append(int(i))
    chosen.sort(key=lambda i: -smooth[i])
    return _coded(light[chosen])


def _mixed(L: float, ab: np.ndarray) -> np.ndarray:
    """Linear sRGB (N, 3): the nearest to each color on its way to the gray of the luminance."""
    lab = np.concatenate([np.full((len(ab), 1), L), ab], 1)
    Y = f_to_xyz(np.array((L + 16) / 116)).clip(0, 1)
    away = lab_to_light(lab, RGB_WHITE) - Y
    above = (1 - Y) / np.maximum(away.max(1, keepdims=True), 1e-9)
    below = Y / np.maximum(-away.min(1, keepdims=True), 1e-9)
    return (Y + np.minimum(np.minimum(above, below), 1) * away).clip(0, 1)


def _coded(linear: np.ndarray) -> np.ndarray:
    return np.rint(255 * light_to_srgb(linear)).astype(np.uint8)


def _at(values: np.ndarray, x: float, y: float) -> np.ndarray:
    """Values (h, w, ...) at a place, 0..1, of the nearest cell."""
    height, width = values.shape[:2]
    return values[min(int(y * height), height - 1), min(int(x * width), width - 1)]
