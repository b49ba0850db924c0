"""CIE Lab and the sRGB curve, beside scikit-image."""

import numpy as np
import pytest
from skimage import color

from colorizer.color import lab

RGB = np.random.default_rng(0).uniform(0, 1, (50, 40, 3))


def test_lab_is_that_of_scikit_image():
    found = lab.light_to_lab(lab.srgb_to_light(RGB))
    np.testing.assert_allclose(found, color.rgb2lab(RGB), atol=1e-9)
    np.testing.assert_allclose(lab.lab_to_light(found), lab.srgb_to_light(RGB), atol=2e-5)
    np.testing.assert_allclose(lab.light_to_srgb(lab.srgb_to_light(RGB)), RGB, atol=1e-6)


def test_lightness_is_that_of_scikit_image_down_to_black():
    gray = np.linspace(0, 1, 1001)
    expected = color.rgb2lab(np.repeat(gray[:, None], 3, 1))[:, 0]
    Y = lab.srgb_to_light(gray)
    np.testing.assert_allclose(lab.lightness_of(Y), expected, atol=2e-4)
    np.testing.assert_allclose(lab.f_to_xyz((expected + 16) / 116), Y, atol=2e-6)


@pytest.mark.parametrize("white", [lab.WHITE, lab.RGB_WHITE])
def test_float32_stays_and_is_close(white):
    light = lab.srgb_to_light(RGB).astype(np.float32)
    found = lab.light_to_lab(light, white)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, lab.light_to_lab(light.astype(float), white), atol=1e-3)


def test_the_white_of_rgb_makes_gray_exactly_neutral():
    gray = np.repeat(np.linspace(0, 1, 11)[:, None], 3, 1)
    assert np.abs(lab.light_to_lab(gray, lab.RGB_WHITE)[:, 1:]).max() < 1e-12
    assert np.abs(lab.light_to_lab(gray, lab.WHITE)[:, 1:]).max() < 0.02
    Y = np.ones(3) * 0.3
    np.testing.assert_allclose(lab.FROM_GRAY @ Y, 0, atol=1e-12)
    np.testing.assert_allclose(lab.FROM_WHITE.sum(1), 1)
