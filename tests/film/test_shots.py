"""Shots: what interrupts one, and what moves fast within one, is no cut."""

import numpy as np
import pytest

pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from skimage import data  # noqa: E402

from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.shots import is_cut  # noqa: E402
from colorizer.film.steady import Steady  # noqa: E402
from tests.film.films import pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_flash_is_no_cut_and_a_short_shot_at_the_end_is_one(tmp_path, model, count):
    luma = pan(16)
    flash = luma.copy()
    flash[8 : 8 + count] = pan(count, seed=3)
    film = write_film(tmp_path / "in.mkv", flash)
    assert colorize_film(film, tmp_path / "out.mkv", model).shots == (0.0,)
    end = write_film(tmp_path / "end.mkv", np.concatenate([luma, pan(count, seed=3)]))
    assert colorize_film(end, tmp_path / "end-out.mkv", model).shots == (0.0, 0.64)


def test_two_long_shots_in_turn_are_cuts(tmp_path, model):
    luma = np.concatenate([pan(8), pan(8, seed=3), pan(8), pan(8, seed=3)])
    film = write_film(tmp_path / "in.mkv", luma)
    assert colorize_film(film, tmp_path / "out.mkv", model).shots == (0.0, 0.32, 0.64, 0.96)


def test_memory_outlasts_a_flash():
    L = pan(1)[0].astype(np.float32) / 2.55
    ab = np.ones((*L.shape, 2), np.float32)
    steady = Steady()
    steady.step(L, 20 * ab)
    steady.step(100 - L, -20 * ab, aside=True)
    assert np.abs(steady.step(L, 18 * ab) - 20 * ab).max() < 0.5


@pytest.mark.parametrize("step", [18, 30])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "camera", "rocket"])
def test_a_fast_pan_is_no_cut(name, step):
    picture = getattr(data, name)()
    gray = picture if picture.ndim == 2 else picture[..., 1]
    gray = cv2.resize(gray, (640, 400), interpolation=cv2.INTER_AREA).astype(np.float32) / 2.55
    windows = [gray[100:280, 10 + step * i : 330 + step * i] for i in range(8)]
    assert not any(map(is_cut, windows[1:], windows))


def test_other_pictures_are_cuts():
    names = ("astronaut", "coffee", "camera", "rocket", "chelsea")
    pictures = []
    for name in names:
        picture = getattr(data, name)()
        gray = picture if picture.ndim == 2 else picture[..., 1]
        pictures.append(
            cv2.resize(gray, (320, 180), interpolation=cv2.INTER_AREA) / np.float32(2.55)
        )
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert is_cut(one, other)
