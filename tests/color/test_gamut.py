"""The ab bins and the priors over them, against scikit-image and formulas typed again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

from colorizer.color.gamut import GRID, bins, class_weights, smooth_prior

LEVEL = st.integers(0, 255)
KNOWN = {tuple(center) for center in bins().astype(int)}


def test_bins_are_a_sorted_grid():
    centers = bins()
    assert centers.dtype == np.float32
    assert centers.shape == (len(KNOWN), 2)
    assert (centers % GRID == 0).all()
    assert centers.tolist() == sorted(centers.tolist())
    assert (0, 0) in KNOWN
    with pytest.raises(ValueError, match="read-only"):
        centers[0] = 0


@given(LEVEL, LEVEL, LEVEL)
def test_every_color_has_its_bin(r, g, b):
    ab = rgb2lab(np.array([[[r, g, b]]]) / 255)[0, 0, 1:]
    # A color on the edge of two cells may go to either.
    assert any(tuple(np.round((ab + e) / GRID).astype(int) * GRID) in KNOWN for e in (-0.02, 0.02))


def test_random_colors_fill_no_other_bins_and_most_bins():
    rgb = np.random.default_rng(0).integers(0, 256, (1, 100_000, 3)) / 255
    found = {tuple(x) for x in np.round(rgb2lab(rgb)[0, :, 1:] / GRID).astype(int) * GRID}
    assert found <= KNOWN
    assert len(found) > 0.9 * len(KNOWN)


def test_smooth_prior_is_a_blur():
    centers = bins().astype(float)
    histogram = np.random.default_rng(0).random(len(centers))
    expected = np.zeros(len(centers))
    for q, share in enumerate(histogram):
        blob = np.exp(-((centers - centers[q]) ** 2).sum(1) / (2 * 4.0**2))
        expected += share * blob / blob.sum()
    expected /= expected.sum()
    np.testing.assert_allclose(smooth_prior(histogram, sigma=4.0), expected, rtol=1e-5)


def test_class_weights_follow_zhang_and_have_expectation_one():
    prior = np.random.default_rng(0).random(len(bins())) ** 4
    prior /= prior.sum()
    weights = class_weights(prior, mix=0.3)
    expected = 1 / (0.7 * prior + 0.3 / len(prior))
    expected /= (prior * expected).sum()
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
    assert (prior * weights).sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(class_weights(prior, mix=1), 1, rtol=1e-5)
