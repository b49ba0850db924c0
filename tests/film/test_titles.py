"""Intertitles stay gray; pictures, however dark, do not."""

import numpy as np
import pytest

pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from skimage import data  # noqa: E402

from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.cuts import is_cut  # noqa: E402
from colorizer.film.titles import are_titles  # noqa: E402
from tests.film.films import chroma, pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


def card(width, height, lines, black=16, frame=False, seed=0):
    """A worn card: (H, W) uint8; the ground lifted, grain, a dark edge."""
    found = np.full((height, width), black, np.uint8)
    scale = height / 240
    if frame:
        edge = round(20 * scale)
        cv2.rectangle(found, (edge, edge), (width - edge, height - edge), 150, 2)
    for i, line in enumerate(lines):
        font, size = cv2.FONT_HERSHEY_COMPLEX, 0.8 * scale
        (across, _), _ = cv2.getTextSize(line, font, size, max(1, round(2 * scale)))
        at = (width - across) // 2, round((90 + 40 * i) * scale)
        cv2.putText(found, line, at, font, size, 230, max(1, round(2 * scale)), cv2.LINE_AA)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    grain = np.random.default_rng(seed).normal(0, 4, found.shape)
    return (found * (1 - 0.15 * (x**2 + y**2)) + grain).clip(0, 255).astype(np.uint8)


def lightness(gray):
    return gray / np.float32(2.55)


@pytest.mark.parametrize("size", [(320, 240), (342, 192), (160, 120)])
@pytest.mark.parametrize("lines", [["THE END"], ["Meanwhile,", "in the garden"]])
@pytest.mark.parametrize("black", [0, 30, 60])
def test_cards_are_titles(size, lines, black):
    looks = [lightness(card(*size, lines, black, frame=len(lines) > 1, seed=i)) for i in range(3)]
    assert are_titles(looks)
    assert are_titles([0 * looks[0], *looks])  # it fades in
    assert not are_titles([*looks, lightness(cv2.resize(data.camera(), size))])


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "camera", "moon"])
@pytest.mark.parametrize("light", [1.0, 0.4, 0.15])
def test_pictures_are_none(name, light):
    picture = getattr(data, name)()
    gray = picture if picture.ndim == 2 else picture[..., 1]
    assert not are_titles([lightness(cv2.resize(gray, (320, 240)) * light)])


def test_a_cut_from_a_title_to_an_iris_is_one():
    """Though nearly all of both is black."""
    y, x = np.mgrid[:240, :320]
    inside = cv2.resize(data.camera(), (320, 240))
    iris = np.where(np.hypot(x - 160, y - 120) < 30, inside, 16)
    cards = [lightness(card(320, 240, ["THE CAT"], seed=i)) for i in range(2)]
    assert is_cut(lightness(iris), cards[0])
    assert not is_cut(cards[1], cards[0])
    assert not is_cut(lightness(0.8 * iris), lightness(iris))


def test_an_iris_and_black_are_none():
    y, x = np.mgrid[:240, :320]
    inside = cv2.resize(data.camera(), (320, 240))
    for radius in (10, 40, 90, 140):
        iris = np.where(np.hypot(x - 160, y - 120) < radius, inside, 5)
        assert not are_titles([lightness(iris)])
    assert not are_titles([np.full((240, 320), 3, np.float32)] * 3)
    lamps = np.full((240, 320), 8, np.uint8)
    for place in range(40, 320, 40):
        cv2.circle(lamps, (place, 100), 14, 200, -1)
    assert not are_titles([lightness(lamps)])


def test_a_title_stays_gray_unless_it_is_asked_for(tmp_path, model):
    titles = np.stack([card(160, 90, ["THE CAT", "AND DOG"], seed=i) for i in range(8)])
    film = write_film(tmp_path / "in.mkv", np.concatenate([titles, pan(8, seed=1)]))
    result = colorize_film(film, tmp_path / "out.mkv", model, codec="ffv1")
    assert result.shots == (0.0, 0.32)
    assert sum("looks like a title" in note for note in result.notes) == 1
    made = chroma(tmp_path / "out.mkv")
    assert np.abs(made[:8]).max() == 0
    assert all(np.abs(frame).max() > 10 for frame in made[8:])
    shots = [{"frame": 0, "vividness": 1}, {"frame": 8}]
    asked = colorize_film(film, tmp_path / "asked.mkv", model, codec="ffv1", shots=shots)
    assert not any("title" in note for note in asked.notes)
    assert np.abs(chroma(tmp_path / "asked.mkv")[:8]).max() > 4
    hints = [{"frame": 3, "at": [0.5, 0.5], "color": "#8a2f2b"}]
    colorize_film(film, tmp_path / "hinted.mkv", model, codec="ffv1", hints=hints)
    assert np.abs(chroma(tmp_path / "hinted.mkv")[3]).max() > 4
