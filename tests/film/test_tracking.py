"""Hints on one frame color what they are on in all of its shot."""

import json

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from skimage.color import rgb2lab  # noqa: E402

from colorizer.errors import ColorizerError  # noqa: E402
from colorizer.film import tracking  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.tracking import Tracker, read_film_hints  # noqa: E402
from tests.film.films import pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402

RED = rgb2lab(np.array([[[0xB0, 0x40, 0x38]]], np.uint8))[0, 0, 1:]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


def colors_of(path):
    with av.open(path) as container:
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return rgb2lab(np.stack(found))[..., 1:]


@pytest.mark.parametrize("when", [{"frame": 10}, {"time": 0.4}])
def test_a_hint_is_carried_both_ways_and_not_over_a_cut(tmp_path, model, when):
    film = write_film(tmp_path / "in.mkv", np.concatenate([pan(20), pan(6, seed=5)]))
    at = (109.5 / 160, 37.5 / 90)  # a bright place
    entry = {"at": at, "color": "#b04038", **when}
    (tmp_path / "hints.json").write_text(json.dumps({"version": 1, "hints": [entry]}))
    options = {"codec": "ffv1", "vividness": 0.5}
    colorize_film(film, tmp_path / "plain.mkv", model, **options)
    colorize_film(film, tmp_path / "out.mkv", model, hints=tmp_path / "hints.json", **options)
    plain, hinted = colors_of(tmp_path / "plain.mkv"), colors_of(tmp_path / "out.mkv")
    for index in (0, 5, 10, 15, 19):
        x, y = 109 - 2 * (index - 10), 37  # the picture moves to the left
        near = (slice(y - 2, y + 3), slice(x - 2, x + 3))
        before, after = (np.linalg.norm(c[index][near].mean((0, 1)) - RED) for c in (plain, hinted))
        assert after < 0.4 * before
    assert np.array_equal(plain[20:], hinted[20:])


def test_a_track_follows_what_moves_and_forgets_what_leaves():
    said = read_film_hints([{"at": [0.5, 0.5], "color": "#b04038", "frame": 6}])
    tracker = Tracker(said, 25)
    luma = pan(60).astype(np.float32) / 2.55
    for index, grid in enumerate(luma):
        tracker.add(index, index / 25, grid, index == 0)
    for index in (0, 3, 6, 20, 35):
        ((number, places),) = tracker.found[index]
        assert number == 0
        assert places[0] * (160, 90) == pytest.approx((80 - 2 * (index - 6), 45), abs=2.5)
    assert 58 not in tracker.found  # out of the picture
    assert not tracker.lost()


def test_what_is_carried_back_is_bounded(monkeypatch):
    monkeypatch.setattr(tracking, "REACH", 3)
    tracker = Tracker(read_film_hints([{"at": [0.5, 0.5], "color": "#b04038", "frame": 9}]), 25)
    for index, grid in enumerate(pan(10).astype(np.float32) / 2.55):
        tracker.add(index, index / 25, grid, index == 0)
    assert sorted(tracker.found) == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("hints", "words"),
    [
        ([{"at": [0.5, 0.5], "color": "#b04038"}], "hint 1: needs either"),
        ([{"at": [0.5, 0.5], "color": "#b04038", "frame": 1.5}], "hint 1: frame is 1.5"),
        ([{"at": [0.5, 0.5], "color": "#b04038", "time": -1}], "from 0 on"),
        ([{"at": [0.5, 0.5], "color": "red", "time": 1}], "hint 1: color is 'red'"),
        ({"version": 2, "hints": [{"at": [0, 0], "color": "#b04038", "time": 1}]}, "version"),
        ("nothing.json", "cannot be read"),
        (3, "accepted is a list"),
    ],
)
def test_wrong_hints_are_told(hints, words):
    with pytest.raises(ColorizerError, match=words):
        read_film_hints(hints)


def test_a_hint_beyond_the_end_is_told(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(3))
    entry = {"at": [0.5, 0.5], "color": "#b04038", "time": 60}
    result = colorize_film(film, tmp_path / "out.mkv", model, hints=[entry])
    assert any("hint 1" in note for note in result.notes)
