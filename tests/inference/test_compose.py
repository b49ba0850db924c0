"""Chroma at full size, beside formulas typed again in NumPy and beside scikit-image."""

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color, data

from colorizer.inference.compose import compose, fit_chroma
from colorizer.pictures.resize import enlarge

SIDES = st.integers(1, 70)


def lab_lightness(rgb: np.ndarray) -> np.ndarray:
    return color.rgb2lab(rgb / np.float64(np.iinfo(rgb.dtype).max))[..., 0]


def rounding_bound(rgb: np.ndarray) -> np.ndarray:
    """The most by which L can change when each channel is rounded to 8 bits."""
    lowest = lab_lightness8(np.maximum(rgb - 0.5, 0))
    highest = lab_lightness8(np.minimum(rgb + 0.5, 255))
    return highest - lowest


def lab_lightness8(rgb: np.ndarray) -> np.ndarray:
    return color.rgb2lab(rgb / 255)[..., 0]


def guided_filter(L: np.ndarray, ab: np.ndarray, radius: int, epsilon: float) -> tuple:
    """He & Sun 2015, algorithm 1, window by window."""
    height, width = L.shape

    def mean(values):
        result = np.empty_like(values)
        for y in range(height):
            for x in range(width):
                rows = slice(max(0, y - radius), y + radius + 1)
                columns = slice(max(0, x - radius), x + radius + 1)
                result[y, x] = values[rows, columns].mean()
        return result

    slopes, offsets = [], []
    for p in ab:
        cov = mean(L * p) - mean(L) * mean(p)
        a = cov / (mean(L * L) - mean(L) ** 2 + epsilon)
        slopes.append(mean(a))
        offsets.append(p - mean(a) * L)  # where the paper has mean(mean(p) - a * mean(L))
    return np.stack(slopes, -1), np.stack(offsets, -1)


def colored(L: np.ndarray, ab: np.ndarray, bits: int = 8, vividness: float = 1.0) -> np.ndarray:
    """Compose with chroma given at full size, so that no interpolation comes in."""
    zero = np.zeros((*L.shape, 2))
    image = pyvips.Image.new_from_array(L.astype(np.float32))
    offset = vividness * np.moveaxis(ab, 0, -1)
    return compose(image, zero, offset, bits=bits).numpy()


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_fit_is_the_guided_filter(height, width, radius):
    rng = np.random.default_rng(height * 100 + width)
    L, ab = rng.uniform(0, 100, (height, width)), rng.normal(0, 30, (2, height, width))
    found = fit_chroma(L, ab, radius=radius, epsilon=3.0)
    for mine, reference in zip(found, guided_filter(L, ab, radius, 3.0), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("edge", range(28, 33))
def test_chroma_keeps_to_its_side_of_an_edge(edge):
    L = np.full((64, 64), 30.0)
    L[:, edge:] = 80
    true = np.stack([np.where(L > 50, 60.0, -40.0), np.where(L > 50, -20.0, 50.0)])
    ab = true.reshape(2, 16, 4, 16, 4).mean((2, 4))  # the network at stride 4
    bilinear = enlarge(pyvips.Image.new_from_array(ab.transpose(1, 2, 0)), 64, 64).numpy()
    slope, offset = fit_chroma(L, ab)
    found = np.moveaxis(slope * L[..., None] + offset, -1, 0)
    beside = np.s_[:, :, edge - 4 : edge + 4]
    bleeding = np.abs(found - true)[beside].mean()
    assert bleeding < 0.55 * np.abs(bilinear.transpose(2, 0, 1) - true)[beside].mean()
    assert np.abs(np.diff(found[0, 32])).argmax() == edge - 1  # the step is where L has its own


def test_prediction_is_kept_where_lightness_is_flat():
    ab = np.random.default_rng(0).normal(0, 30, (2, 8, 8))
    slope, offset = fit_chroma(np.full((8, 8), 40.0), ab)
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    np.testing.assert_allclose(offset, ab.transpose(1, 2, 0), atol=1e-4)


@given(SIDES, SIDES, SIDES, SIDES)
@settings(max_examples=60, deadline=None)
def test_enlarge_gives_exactly_the_size(width, height, to_width, to_height):
    values = np.random.default_rng(0).random((height, width, 2)).astype(np.float32)
    found = enlarge(pyvips.Image.new_from_array(values), to_width, to_height)
    assert (found.width, found.height) == (to_width, to_height)
    assert found.min() >= values.min() - 1e-6
    assert found.max() <= values.max() + 1e-6


@given(SIDES, SIDES, st.integers(0, 50), st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_enlarge_is_bilinear_with_aligned_centers(width, height, more, higher):
    values = np.random.default_rng(0).random((height, width)).astype(np.float32)
    size = (height + higher, width + more)
    found = enlarge(pyvips.Image.new_from_array(values), size[1], size[0]).numpy().reshape(size)
    y, x = ((np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(size, values.shape, strict=True))
    rows = np.stack([np.interp(x, np.arange(width), row) for row in values])
    expected = np.stack([np.interp(y, np.arange(height), column) for column in rows.T], 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("strength", [0, 10, 40, 130])
def test_lightness_stays_within_rounding(strength):
    rng = np.random.default_rng(1)
    L = np.concatenate([rng.uniform(0, 100, (60, 64)), np.zeros((2, 64)), np.full((2, 64), 100.0)])
    ab = rng.uniform(-strength, strength, (2, 64, 64))
    eight = colored(L, ab)
    assert (np.abs(lab_lightness(eight) - L) <= rounding_bound(eight.astype(float)) + 0.01).all()
    assert np.abs(lab_lightness(colored(L, ab, bits=16)) - L).max() < 0.01


def test_colors_in_gamut_are_what_was_asked_for():
    lab = color.rgb2lab(data.astronaut()[::4, ::4])
    found = color.rgb2lab(colored(lab[..., 0], lab[..., 1:].transpose(2, 0, 1), bits=16) / 65535)
    np.testing.assert_allclose(found, lab, atol=0.1)


def test_colors_out_of_gamut_are_mixed_with_gray_in_linear_light():
    rng = np.random.default_rng(2)
    L, ab = rng.uniform(2, 98, (50, 50)), rng.uniform(-120, 120, (2, 50, 50))
    fy = (L + 16) / 116
    f = np.stack([fy + ab[0] / 500, fy, fy - ab[1] / 200], -1)
    xyz = np.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787) * [0.95047, 1.0, 1.08883]
    linear = xyz @ np.linalg.inv(color.colorconv.xyz_from_rgb).T
    Y = xyz[..., 1:2]
    shares = np.linspace(0, 1, 2001)[:, None, None, None]
    mixed = Y + shares * (linear - Y)
    inside = ((mixed >= -1e-9) & (mixed <= 1 + 1e-9)).all(-1)  # for each share, pixel
    best = np.where(inside, shares[..., 0], 0).max(0)[..., None]
    expected = Y + best * (linear - Y)
    found = colored(L, ab, bits=16) / 65535
    found = np.where(found > 0.04045, ((found + 0.055) / 1.055) ** 2.4, found / 12.92)
    np.testing.assert_allclose(found, expected, atol=3e-3)


def test_vividness_scales_chroma_only():
    L, ab = np.full((4, 4), 60.0), np.full((2, 4, 4), 15.0)
    gray = colored(L, ab, vividness=0)
    assert (gray == gray[..., :1]).all()
    for vividness in (0.5, 1.5, 2):
        found = color.rgb2lab(colored(L, ab, bits=16, vividness=vividness) / 65535)
        np.testing.assert_allclose(found[0, 0], [60, 15 * vividness, 15 * vividness], atol=0.05)


def test_gray_comes_back_exactly():
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    L = color.rgb2lab(np.stack([codes] * 3, -1))[..., 0]
    found = colored(L, np.zeros((2, 16, 16)))
    assert (found == codes[..., None]).all()
