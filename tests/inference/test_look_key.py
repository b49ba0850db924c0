"""What `look_key` says is alike is seen alike: whatever option is used in seeing is in it."""

from dataclasses import fields

import numpy as np
import pytest

from colorizer.inference.colorizer import Colorizer
from colorizer.inference.preview import Preview
from colorizer.options import ColorizeOptions
from tests.drawn import landscape

OTHERS = {
    "size": 96,
    "vividness": 0.5,
    "temperature": 0.9,
    "palette": landscape(3, 60, 80),
    "variant": 2,
    "colors_from": landscape(1, 80, 96)[..., ::-1],
    "hints": [{"at": [0.5, 0.5], "color": "#ff0000"}],
    "reference": landscape(4, 60, 80),
    "quality": "best",
    "warmth": 0.3,
    "tint": -0.3,
    "shadows": 0.5,
    "highlights": 1.5,
    "natural": True,
    "result": "layer",
    "salvage": True,
    "max_pixels": 10**6,
}
FIXED = {"device", "threads"}  # of the loaded network, whose weights are in the key


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer("colornet_lite_cross", size=64, threads=1)


def seen(colorizer, preview):
    """What the network makes of a picture; and the options that were asked for on the way."""
    asked = set()

    class Spied(ColorizeOptions):
        def __getattribute__(self, name):
            if not name.startswith("_"):
                asked.add(name)
            return super().__getattribute__(name)

    other = colorizer.with_options()
    other.options = Spied(**vars(colorizer.options))
    asked.clear()
    found = other.look(preview._thumbnail, preview.picture, with_features=True)
    return np.concatenate([found.slope, found.offset]), asked


def test_every_option_has_another_value_here():
    assert {f.name for f in fields(ColorizeOptions)} == OTHERS.keys() | FIXED


@pytest.mark.parametrize("name", list(OTHERS))
def test_an_option_that_is_used_in_seeing_changes_the_key(name, colorizer):
    preview = Preview(landscape(1, 80, 96))
    other = colorizer.with_options(**{name: OTHERS[name]})
    (before, asked), (after, _) = seen(colorizer, preview), seen(other, preview)
    differs = before.shape != after.shape or (before != after).any()
    assert (other.look_key != colorizer.look_key) == (differs or name in asked)
    assert other.with_options(vividness=0.3).look_key == other.look_key


def test_palettes_that_come_and_go_are_told_apart(colorizer):
    """Arrays die and their addresses come back: 16 of 20 were stale."""
    preview = Preview(landscape(1, 80, 96))
    for seed in range(8):
        photo = landscape(seed, 60, 80)[..., np.random.default_rng(seed).permutation(3)]
        shown = preview.colorize(colorizer.with_options(palette=photo))
        fresh = Preview(landscape(1, 80, 96)).colorize(colorizer.with_options(palette=photo))
        np.testing.assert_array_equal(shown, fresh)
