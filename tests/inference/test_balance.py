"""Warmth, tint, shadows, highlights, natural: chroma alone, as light of another color does it."""

import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorizer.cli import main
from colorizer.inference.balance import MAGENTA, WARM, balanced, cast_of
from colorizer.inference.colorizer import Colorizer
from colorizer.options import ColorizeOptions
from tests.drawn import landscape
from tests.model_folder import write_model_folder

RNG = np.random.default_rng(0)
L = RNG.uniform(20, 95, (24, 32)).astype(np.float32)
SLOPE, OFFSET = RNG.normal(0, 0.1, (24, 32, 2)), RNG.normal(0, 12, (24, 32, 2))


def lab(slope, offset):
    return np.concatenate([L[..., None], slope * L[..., None] + offset], -1).astype(float)


@pytest.mark.parametrize(("warmth", "tint"), [(1, 0), (-0.5, 0), (0, 0.7), (0.3, -1)])
def test_warmth_and_tint_are_light_of_another_color(warmth, tint):
    """Against scikit-image: X and Z of every place scaled as those of white are."""
    white = [100, *(warmth * np.array(WARM) + tint * np.array(MAGENTA))]
    light = color.lab2xyz(np.array([[white]], float)) / color.lab2xyz(np.array([[[100.0, 0, 0]]]))
    expected = color.xyz2lab(color.lab2xyz(lab(SLOPE, OFFSET)) * light)
    found = lab(*balanced(L, SLOPE, OFFSET, ColorizeOptions(warmth=warmth, tint=tint)))
    above = L > 45  # below, Lab ends in a line
    assert np.abs(found - expected)[above].max() < 1e-3
    assert np.array_equal(found[..., 0], L)
    # a warmth of 1 is D50 beside D65
    d50 = color.xyz2lab(np.array([[[0.96422, 1.0, 0.82521]]]))[0, 0]
    assert np.abs(d50[1:] - WARM).max() < 0.3


def test_nothing_asked_for_changes_nothing():
    slope, offset = balanced(L, SLOPE, OFFSET, ColorizeOptions())
    assert slope is SLOPE
    assert offset is OFFSET


def test_shadows_and_highlights_are_apart():
    plain = lab(SLOPE, OFFSET)[..., 1:]
    found = lab(*balanced(L, SLOPE, OFFSET, ColorizeOptions(shadows=0)))[..., 1:]
    share = (found / plain)[..., 0]
    assert np.allclose(share[L > 55], 1)
    assert (share[L < 25] < 0.45).all()
    assert np.allclose(share[L < 25].max(), share[L < 25], atol=0.45)
    found = lab(*balanced(L, SLOPE, OFFSET, ColorizeOptions(highlights=2)))[..., 1:]
    share = (found / plain)[..., 0]
    assert np.allclose(share[L < 45], 1)
    assert (share[L > 90] > 1.9).all()


def test_natural_takes_a_cast_off_what_is_gray_and_leaves_the_meadow():
    """A photo under light of another color comes back to what it was."""
    photo = landscape(2, 60, 80) / 255
    own = color.rgb2lab(photo)
    gray = RNG.random(own.shape[:2]) < 0.3  # asphalt, stone, clothes
    own[gray, 1:] = RNG.normal(0, 2, (gray.sum(), 2))
    light = color.lab2xyz(np.array([[[100, 4.0, 9.0]]])) / color.lab2xyz(
        np.array([[[100.0, 0, 0]]])
    )
    cast = color.xyz2lab(color.lab2xyz(own) * light)
    slope, offset = np.zeros_like(cast[..., 1:]), cast[..., 1:]
    found = balanced(cast[..., 0], slope, offset, ColorizeOptions(natural=True))
    after = found[0] * cast[..., :1] + found[1]
    before = np.abs(cast[..., 1:] - own[..., 1:]).mean()
    assert np.abs(after - own[..., 1:]).mean() < 0.35 * before
    # and green all over is no cast
    meadow = np.full_like(offset, 1) * (-30, 30)
    assert np.abs(cast_of(cast[..., 0], slope, meadow)).max() < 1
    kept = balanced(cast[..., 0], slope, meadow, ColorizeOptions(natural=True))
    assert np.hypot(*(kept[0] * cast[..., :1] + kept[1]).mean((0, 1))) > 25


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")


def test_lightness_stays_and_command_line_and_python_agree(model, tmp_path):
    photo, out = tmp_path / "old.png", tmp_path / "new.png"
    Image.fromarray(data.camera()[::4, ::4]).save(photo)
    options = {"warmth": 0.5, "tint": -0.2, "shadows": 0.5, "highlights": 1.4, "natural": True}
    flags = [f"--{name}={value}" for name, value in options.items() if value is not True]
    assert (
        main(["colorize", str(photo), "--model", str(model), "-o", str(out), *flags, "--natural"])
        == 0
    )
    colorizer = Colorizer(model, threads=1, **options)
    made, _ = colorizer.colorize_bytes(photo.read_bytes(), ".png")
    assert made == out.read_bytes()
    assert b"warmth 0.5, tint -0.2, shadows 0.5, highlights 1.4, natural" in made
    before, after = (
        color.rgb2lab(np.asarray(Image.open(path).convert("RGB"))) for path in (photo, out)
    )
    assert np.abs(before - after)[..., 0].max() < 0.6
    assert np.abs(before - after)[..., 1:].max() > 3


def test_hints_stay_what_they_are(model):
    """Balance, as vividness, is of what is predicted."""
    hints = [{"at": [0.5, 0.5], "color": "#7a6a50"}]
    gray = np.full((96, 96), 110, np.uint8)
    colorizer = Colorizer(model, threads=1, hints=hints)
    found = [
        one.colorize(gray)[48, 48].astype(int)
        for one in (colorizer, colorizer.with_options(warmth=-1.0, shadows=0.0))
    ]
    assert np.abs(found[0] - found[1]).max() <= 2
