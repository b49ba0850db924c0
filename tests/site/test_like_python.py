"""Each function of the site's scripts gives what its Python one gives, on the same numbers."""

import numpy as np
import pytest
import pyvips

from colorizer.inference import balance, compose, network, predict
from colorizer.options import ColorizeOptions
from colorizer.pictures import lightness, resize
from colorizer.pictures.metadata import icc
from tests.site.node import HERE, call, needs_node

pytestmark = needs_node
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "sizes",
    [
        *[((40, 50), (97, 203)), ((50, 40), (20, 17)), ((403, 301), (48, 36)), ((7, 300), (9, 20))],
        *[((300, 7), (20, 9)), ((1, 1), (5, 3)), ((5, 3), (1, 1)), ((33, 47), (33, 20))],
        *[((64, 48), (32, 24)), ((333, 517), (41, 64)), ((1000, 1500), (192, 288))],
    ],
)
def test_resize(sizes):
    (h, w), (height, width) = sizes
    values = RNG.normal(size=(h, w, 3)).astype(np.float32)
    found = call("resize.js", "resize", values, [h, w, 3], height, width)
    expected = resize.resize(values, height, width)
    apart = np.abs(found.reshape(expected.shape) - expected)
    # libvips adds up where a window lies, and takes the next of 64 phases a hair earlier or later
    assert np.mean(apart < 2e-5) > 0.85
    assert apart.max() < 0.02


def smooth(height, width, scale):
    small = RNG.normal(size=(7, 9, 2)).astype(np.float32) * scale
    return resize.resize(small, height, width)


def test_fit_chroma():
    L = smooth(96, 128, 30)[..., 0].clip(-50, 50) + 50
    ab = np.ascontiguousarray(smooth(24, 32, 40).transpose(2, 0, 1))
    found = call("chroma.js", "fitChroma", L, 96, 128, ab, 24, 32)
    slope, offset = compose.fit_chroma(L, ab)
    found = found.reshape(*L.shape, 4)
    assert np.abs(found[..., :2] - slope).max() < 1e-5
    apart = (found[..., :2] - slope) * L[..., None] + found[..., 2:] - offset
    assert np.abs(apart).max() < 1e-4


@pytest.mark.parametrize("size", [(640, 480), (3000, 100), (100, 101), (1, 1), (33, 999)])
def test_working_size_and_padding(size):
    found = call("chroma.js", "workingSize", *size, 192)
    assert tuple(found) == network.working_size(*size, 192)
    L = RNG.random((size[1] % 90 + 1, size[0] % 70 + 1)).astype(np.float32)
    padded = call("chroma.js", "pad", L, *L.shape)
    expected = network.pad(L)
    assert (padded["height"], padded["width"]) == expected.shape
    assert np.array_equal(padded["values"].reshape(expected.shape), expected)


def test_fit_over_a_look():
    """As a network of one convolution would see it, once and six times."""
    L = smooth(61, 83, 30)[..., 0].clip(-50, 50) + 50

    def chroma(padded):
        small = resize.resize(padded, padded.shape[0] // 4, padded.shape[1] // 4)[..., 0]
        return np.stack([0.8 * small - 30, 1.2 * small - 50])

    slope, offset = predict.predict_chroma(L, chroma)
    expected = np.concatenate([slope, offset], -1)
    found = call("predicting.mjs", "once", L, 61, 83, folder=HERE)
    assert np.abs(found.reshape(expected.shape) - expected).max() < 1e-3
    slope, offset = predict.predict_steadily(L, (66, 49), chroma)
    expected = np.concatenate([slope, offset], -1)
    found = call("predicting.mjs", "steadily", L, 61, 83, [66, 49], folder=HERE)
    assert np.abs(found.reshape(expected.shape) - expected).max() < 1e-3


@pytest.mark.parametrize("size", [(90, 120), (20, 30), (300, 401)])
@pytest.mark.parametrize("vividness", [1, 1.7])
def test_compose(size, vividness):
    """Wild colors, so that the gamut cuts in; smaller and larger than the coloring."""
    height, width = size
    L = RNG.random((height, width)).astype(np.float32) * 100
    coloring = np.concatenate([smooth(48, 64, 1), smooth(48, 64, 60)], -1)
    slope, offset = vividness * coloring[..., :2], vividness * coloring[..., 2:]
    expected = compose.compose(pyvips.Image.new_from_array(L), slope, offset, bits=8).numpy()
    found = call(
        "painting.mjs", "paint", L, coloring, 48, 64, width, height, vividness, folder=HERE
    )
    found = found.reshape(height, width, 4)
    apart = np.abs(found[..., :3].astype(int) - expected)
    assert np.mean(apart <= 1) > 0.9999
    assert apart.max() <= 2
    assert (found[..., 3] == 255).all()


PROFILES = ["srgb", "p3"]


@pytest.mark.parametrize("name", ["none", *PROFILES, "gray"])
def test_lightness_under_a_profile(name):
    pixels = RNG.integers(0, 256, (50, 60, 3)).astype(np.uint8)
    if name == "gray":
        pixels = pixels[..., :1]
        profile = icc.named_profile((1.8,), icc.PRIMARIES[1], True)
    elif name == "p3":
        profile = icc.named_profile(icc.TRANSFERS[13], icc.PRIMARIES[12], False)
    else:
        profile = b"" if name == "none" else bytes(pyvips.Operation.call("profile_load", "srgb"))
    image = pyvips.Image.new_from_array(pixels)
    image = image.copy(interpretation="b-w" if name == "gray" else "srgb")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    expected = lightness.lightness(image).numpy().reshape(50, 60)
    four = np.concatenate([np.broadcast_to(pixels, (50, 60, 3)), pixels[..., :1]], -1)
    found = call("painting.mjs", "lightnessUnder", four, profile, name == "gray", folder=HERE)
    assert np.abs(found["L"].reshape(50, 60) - expected).max() < 0.01
    assert found["isSrgb"] == (name in ("none", "srgb"))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"warmth": 0.7, "tint": -0.4},
        {"shadows": 0.3, "highlights": 1.6},
        {"natural": True},
        {"natural": True, "warmth": -1, "tint": 1, "shadows": 2, "highlights": 0},
    ],
)
def test_balance(settings):
    L = smooth(48, 64, 30)[..., 0].clip(-50, 50) + 50
    coloring = np.concatenate([smooth(48, 64, 0.2), smooth(48, 64, 8) + 5], -1)
    found = call("balance.js", "balanced", L, coloring, settings)
    both = coloring[..., :2], coloring[..., 2:]
    expected = np.concatenate(balance.balanced(L, *both, ColorizeOptions(**settings)), -1)
    assert np.abs(found.reshape(expected.shape) - expected).max() < 1e-4
    assert np.abs(expected - coloring).max() > (0.5 if settings else -1)
