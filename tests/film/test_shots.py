"""Shots: what interrupts one, and what moves fast within one, is no cut."""

import numpy as np
import pytest

pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from skimage import data  # noqa: E402

from colorizer.film import flow  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.cuts import is_cut, placed, small  # noqa: E402
from colorizer.film.dissolves import Dissolves  # noqa: E402
from colorizer.film.findings import Findings  # noqa: E402
from colorizer.film.painter import Painter  # noqa: E402
from colorizer.film.shots import look_through  # noqa: E402
from colorizer.film.source import FilmFrame, frames, open_film  # noqa: E402
from colorizer.film.tracking import Tracker  # noqa: E402
from colorizer.inference.steered import SteeredModel  # noqa: E402
from tests.film.films import Carried, chroma, pan, write_film  # noqa: E402
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
    steady = Carried()
    steady.step(L, 20 * ab)
    steady.step(100 - L, -20 * ab, aside=True)
    assert np.abs(steady.step(L, 18 * ab) - 20 * ab).max() < 0.5


@pytest.mark.parametrize("shots", [None, [{"frame": 0}]])
def test_a_lamp_that_is_lit_for_two_frames_changes_no_colors(tmp_path, model, shots):
    """On a film that stands still, whose colors are then all of the same place."""
    luma = np.repeat(pan(1), 16, 0)
    luma[8:10] = 150 + 0.4 * luma[8:10]
    film = write_film(tmp_path / "in.mkv", luma)
    result = colorize_film(film, tmp_path / "out.mkv", model, codec="ffv1", shots=shots)
    assert result.shots == (0.0,)
    found = chroma(tmp_path / "out.mkv")
    assert found[7].std() > 4
    assert np.abs(found[10] - found[7]).mean() < 0.1


def test_a_lamp_that_stays_lit_is_within_the_shot():
    grids = [pan(1)[0] / np.float32(2.55)] * 20
    lit = [grid if i < 8 else 40 + 0.5 * grid for i, grid in enumerate(grids)]
    looked = [(FilmFrame(i, i, np.zeros(0)), grid) for i, grid in enumerate(lit)]
    assert [place for *_, place in placed(iter(looked))] == ["cut", *["within"] * 19]


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


def test_what_turns_too_fast_for_flow_is_no_cut():
    gray = cv2.resize(data.camera(), (640, 400), interpolation=cv2.INTER_AREA) / np.float32(2.55)
    before, now = small(gray[100:280, 10:330]), small(gray[100:280, 130:450])
    moved = flow.carry(before, flow.find(now, before, "fast"))
    assert np.corrcoef(now.ravel(), moved.ravel())[0, 1] < 0.65
    assert not is_cut(now, before)


@pytest.mark.parametrize("length", [8, 16, 24, 40])
def test_a_dissolve_is_two_shots(length):
    found = Dissolves()
    told = [found.add(i, L) for i, L in enumerate(dissolve(length, 20, length + 45))]
    (one,) = [d for d in told if d is not None]
    assert abs(one.start - (20 + length / 2)) <= max(3, length / 8)
    assert abs(one.length - length) <= max(3, length / 4)


def test_a_dissolve_that_a_cut_ends_is_told_at_the_cut():
    found = Dissolves()
    assert not any(found.add(i, L) for i, L in enumerate(dissolve(16, 12, 30)))
    assert abs(found.cut().start - 20) <= 3
    assert found.cut() is None


@pytest.mark.parametrize("step", [1, 4, 10])
def test_pans_zooms_and_fades_are_no_dissolves(step):
    gray = cv2.resize(data.coffee()[..., 1], (900, 600)) / np.float32(2.55)
    pans, zooms, fades = Dissolves(), Dissolves(), Dissolves()
    for i in range(60):
        x = min(step * i, 580)
        assert pans.add(i, gray[200:380, x : x + 320]) is None
        side = 160 - step * i // 8
        assert zooms.add(i, gray[300 - side : 300 + side, 450 - side : 450 + side]) is None
        assert fades.add(i, gray[200:380, 100:420] * max(0, 1 - step * i / 80)) is None


def test_palettes_and_memory_fade_over_a_dissolve():
    priors, gains = np.array([[1, 1], [4, 16]]), np.array([1, 0.81])
    findings = Findings(np.arange(40), 40, np.array([0, 20]), priors, gains, np.array([0, 10]))
    assert findings.fading(14)[0] == 0
    assert findings.fading(15) == (pytest.approx(0.05), 1)
    assert findings.fading(20) == (pytest.approx(0.45), 0)
    for index, share in ((3, 0), (19, 0.45), (20, 0.55), (25, 1)):
        prior = findings.prior(index)
        assert prior.factors == pytest.approx([4**share, 16**share])
        assert prior.gain == pytest.approx(1 - 0.19 * share)


def test_a_palette_makes_nothing_more_vivid(tmp_path, model):
    film = open_film(write_film(tmp_path / "in.mkv", pan(12, seed=1)))
    painter = Painter(film, SteeredModel(model, threads=1))
    findings = look_through(film, frames(film), painter, Tracker((), 25), palettes=True)
    grid = painter.lightness(next(frames(film)))[1]
    alone, leant = painter.answer(grid), painter.answer(grid, findings.prior(0))
    assert np.abs(alone - leant).mean() > 1
    vivid, kept = (np.linalg.norm(ab, axis=-1).mean() for ab in (alone, leant))
    assert kept == pytest.approx(vivid, rel=0.02)


def dissolve(length, first, count):
    """Two windows that move, one fading into the other."""
    one = data.camera() / np.float32(2.55)
    other = cv2.resize(data.coffee()[..., 1], (700, 500)) / np.float32(2.55)
    for i in range(count):
        share = min(1.0, max(0.0, (i + 0.5 - first) / length))
        L = (1 - share) * one[150:330, i : i + 320] + share * other[200:380, 250 - i : 570 - i]
        yield L.astype(np.float32)


def test_a_cut_out_of_the_dark_is_one():
    rng = np.random.default_rng(0)
    dark = (2 + rng.normal(0, 1.6, (180, 320))).clip(0).astype(np.float32)
    night = dark + 12 + cv2.resize(data.rocket()[..., 1], (320, 180)) / np.float32(5)
    assert is_cut(small(night), small(dark))
    assert is_cut(small(dark), small(night))


@pytest.mark.parametrize("length", [8, 12, 40])
def test_behind_a_fade_to_black_is_another_shot(length):
    one = data.camera()[150:330, :320] / np.float32(2.55)
    other = cv2.resize(data.coffee()[..., 1], (700, 500))[200:380, :320] / np.float32(2.55)
    rng = np.random.default_rng(0)
    out, black = np.linspace(1, 0, length), np.zeros(8)
    grids = [one * share for share in (*out[::-1], *np.ones(8), *out, *black)]
    grids += [other * share for share in (*out[::-1], *np.ones(8))]
    grids = [(L + rng.normal(4, 2, L.shape)).clip(0).astype(np.float32) for L in grids]
    looked = [(FilmFrame(i, i, np.zeros(0)), L) for i, L in enumerate(grids)]
    first, second = (f.index for f, _, place in placed(iter(looked)) if place == "cut")
    end = 2 * length + 16
    assert first == 0
    assert end <= second <= end + 3 + length // 4


def test_a_lost_frame_of_a_dark_shot_is_no_cut():
    dark = data.camera()[150:330, :320] / np.float32(12)
    grids = [np.zeros_like(dark) if i in (8, 20) else dark for i in range(30)]
    looked = [(FilmFrame(i, i, np.zeros(0)), L) for i, L in enumerate(grids)]
    assert [i for i, (*_, place) in enumerate(placed(iter(looked))) if place == "cut"] == [0]
