"""Carry low-resolution chroma to the full-size picture, exactly on its lightness.

CIE Lab under D65 and the sRGB curve, with the constants of scikit-image. Everything at full size
is one lazy libvips pipeline, so memory does not grow with the area of the picture.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from colorizer.color import lab
from colorizer.pictures.resize import enlarge, resize

if TYPE_CHECKING:
    import pyvips

__all__ = ["compose", "fit_chroma", "gray"]


def fit_chroma(
    L: np.ndarray, ab: np.ndarray, radius: int = 1, epsilon: float = 40.0
) -> tuple[np.ndarray, np.ndarray]:
    """Chroma as a local linear function of lightness: `ab = slope * L + offset`.

    The first half of the fast guided filter (He & Sun, "Fast Guided Filter", 2015), fitted at the
    resolution of `ab`: where lightness has an edge, chroma will follow it. Other than there, the
    offset keeps what the fit leaves over, so that nothing of the prediction is blurred: on Kodak's
    photos this carries true chroma up with a tenth less error than bilinear enlargement, where
    the plain filter has a sixth more.

    Args:
        L: (H, W), 0..100, at the working size.
        ab: (2, h, w), Lab units, of the same picture at a resolution no higher.
        radius: of the square window, which is cut off at the borders, in pixels of `ab`.
        epsilon: variance of L below which a window counts as flat, in squared Lab units.

    Returns:
        slope and offset: (H, W, 2) each, float32.
    """
    ab = np.asarray(ab, np.float32)
    size = ab.shape[1:]
    small = np.asarray(L if L.shape == size else resize(L, *size)[..., 0], np.float32)
    count = _sum(np.ones(size, np.float32), radius)
    apart = small - small.mean()  # so that little is lost where squares are subtracted
    mean = _sum(apart, radius) / count
    variance = _sum(apart * apart, radius) / count - mean * mean + np.float32(epsilon)
    both = np.empty((*size, 4), np.float32)
    for i, values in enumerate(ab):
        covariance = (_sum(apart * values, radius) - mean * _sum(values, radius)) / count
        both[..., i] = _sum(covariance / variance, radius) / count
        both[..., i + 2] = values - both[..., i] * small
    if L.shape != size:
        both = resize(both, *L.shape)
    return both[..., :2], both[..., 2:]


def _sum(values: np.ndarray, radius: int) -> np.ndarray:
    """Over the part of a square window that lies inside: (H, W)."""
    for axis in (0, 1):
        values = values.swapaxes(0, axis)
        total = values.copy()
        for step in range(1, min(radius, len(values) - 1) + 1):
            total[step:] += values[:-step]
            total[:-step] += values[step:]
        values = total.swapaxes(0, axis)
    return values


def compose(
    L: "pyvips.Image",
    slope: np.ndarray,
    offset: np.ndarray,
    *,
    bits: int,
) -> "pyvips.Image":
    """Color a full-size lightness: the second half of the guided filter, then sRGB in gamut.

    Colors outside sRGB are mixed, in linear light, with the gray of the same luminance until all
    three channels lie in 0..1; no channel is clipped, so that lightness stays what it was.

    Args:
        L: one float band, 0..100, any size.
        slope, offset: (h, w, 2) each, from `fit_chroma`.
        bits: 8 or 16, per channel of the result.

    Returns:
        A lazy sRGB image of three bands, uchar or ushort.
    """
    import pyvips

    # f is the cube-root-like function of CIE Lab: fx - fy = a / 500, fz - fy = -b / 200
    scale = np.array([1 / 500, -1 / 200])
    coefficients = np.concatenate([slope * scale, offset * scale], -1).astype(np.float32)
    coefficients = enlarge(pyvips.Image.new_from_array(coefficients), L.width, L.height)
    chroma = L * coefficients[0:2] + coefficients[2:4]
    fy = (L + 16) / 116
    yxz = _f_to_xyz(fy.bandjoin(chroma + fy))
    return _coded(_into_gamut(yxz.recomb(lab.FROM_GRAY.tolist()), yxz[0]), bits)


def gray(L: "pyvips.Image", *, bits: int) -> "pyvips.Image":
    """A full-size lightness without colors, as `compose` gives it: three bands, lazy."""
    one = _coded(_f_to_xyz((L + 16) / 116), bits)
    return one.bandjoin([one, one]).copy(interpretation="srgb" if bits == 8 else "rgb16")


def _coded(rgb: "pyvips.Image", bits: int) -> "pyvips.Image":
    """Linear light as sRGB of so many bits."""
    # The square root spends the 65,536 steps of the table as evenly as the eye does.
    steps = (rgb.clamp() ** 0.5).linear(65535, 0.5).cast("ushort")
    return steps.maplut(_srgb_table(bits)).copy(interpretation="srgb" if bits == 8 else "rgb16")


def _f_to_xyz(f: "pyvips.Image") -> "pyvips.Image":
    """As `lab.f_to_xyz`."""
    return (f > lab.CORNER).ifthenelse(f * f * f, (f - 16 / 116) / 7.787)


def _into_gamut(rgb_from_gray: "pyvips.Image", Y: "pyvips.Image") -> "pyvips.Image":
    """`Y + s * rgb_from_gray`, linear, with the largest s <= 1 that keeps all within 0..1."""
    r, g, b = rgb_from_gray.bandsplit()
    above = r.maxpair(g).maxpair(b).maxpair(1e-9)
    below = (r.minpair(g).minpair(b) * -1).maxpair(1e-9)
    s = ((1 - Y) / above).minpair(Y / below).minpair(1)
    return rgb_from_gray * s + Y


@cache
def _srgb_table(bits: int) -> "pyvips.Image":
    """65,536 square roots of linear light -> the sRGB value in `bits` bits, rounded."""
    import pyvips

    linear = np.linspace(0, 1, 65536) ** 2
    table = np.rint(lab.light_to_srgb(linear) * (2**bits - 1)).astype(
        np.uint8 if bits == 8 else np.uint16
    )
    return pyvips.Image.new_from_array(table[None])
