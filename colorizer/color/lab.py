"""CIE Lab under D65 and the sRGB curve in NumPy, with the constants of scikit-image: the one copy.

Arrays may have any shape and float type, which is kept; colors lie along the last axis.
"""

import numpy as np

__all__ = [
    "CORNER",
    "FROM_GRAY",
    "FROM_WHITE",
    "RGB_TO_XYZ",
    "RGB_WHITE",
    "WHITE",
    "f_to_xyz",
    "lab_to_light",
    "light_to_lab",
    "light_to_srgb",
    "lightness_of",
    "srgb_to_light",
    "xyz_to_f",
]

RGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
"""Linear sRGB to CIE XYZ; its second row holds the luminance weights, which sum to 1."""

WHITE = np.array([0.95047, 1.0, 1.08883])
"""XYZ of white, as scikit-image rounds it."""

RGB_WHITE = RGB_TO_XYZ.sum(1)
"""XYZ of RGB (1, 1, 1), so that zero chroma is exactly gray; less than 0.02 Lab units away."""

FROM_WHITE = np.linalg.inv(RGB_TO_XYZ) * RGB_WHITE
"""X/Xn, Y, Z/Zn to linear RGB, where white is that of RGB; each row sums to 1."""

FROM_GRAY = np.stack([-FROM_WHITE[:, 0] - FROM_WHITE[:, 2], FROM_WHITE[:, 0], FROM_WHITE[:, 2]], 1)
"""Y, X/Xn, Z/Zn to how far linear RGB lies from the gray of luminance Y.

The rows of `FROM_WHITE` sum to 1, so that it depends on X/Xn - Y and Z/Zn - Y only.
"""

CORNER, _EPSILON, _SLOPE, _START = 0.2068966, 0.008856, 7.787, 16 / 116


def srgb_to_light(srgb: np.ndarray) -> np.ndarray:
    """Linear light of coded sRGB values, both 0..1."""
    return np.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)


def light_to_srgb(light: np.ndarray) -> np.ndarray:
    """Coded sRGB values of linear light, both 0..1."""
    return np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)


def xyz_to_f(xyz: np.ndarray) -> np.ndarray:
    """CIE Lab's f of tristimulus values relative to those of white."""
    return np.where(xyz > _EPSILON, np.cbrt(xyz), _SLOPE * xyz + _START)


def f_to_xyz(f: np.ndarray) -> np.ndarray:
    """The inverse of `xyz_to_f`: of `(L + 16) / 116` it is the luminance."""
    return np.where(f > CORNER, f * f * f, (f - _START) / _SLOPE)


def lightness_of(Y: np.ndarray) -> np.ndarray:
    """Lightness L, 0..100, of a luminance in 0..1 of white's."""
    return np.where(Y > _EPSILON, 116 * np.cbrt(Y) - 16, 116 * _SLOPE * Y)


def light_to_lab(light: np.ndarray, white: np.ndarray = WHITE) -> np.ndarray:
    """Linear sRGB (..., 3), 0..1, to L, a, b (..., 3)."""
    f = xyz_to_f(light @ (RGB_TO_XYZ.T / white).astype(light.dtype))
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def lab_to_light(lab: np.ndarray, white: np.ndarray = WHITE) -> np.ndarray:
    """L, a, b (..., 3) to linear sRGB (..., 3), which is outside 0..1 where it is out of gamut."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    return (f_to_xyz(f) * white) @ np.linalg.inv(RGB_TO_XYZ).T
