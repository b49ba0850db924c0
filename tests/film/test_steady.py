"""Colors that are carried along, and the two numbers that say how well."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from scipy.spatial.distance import jensenshannon  # noqa: E402
from skimage import color, data  # noqa: E402

from colorizer.film import flow  # noqa: E402
from colorizer.film.cuts import is_cut  # noqa: E402
from colorizer.film.steadiness import ColorConsistency, WarpError, consistency_between  # noqa: E402
from tests.film.films import Carried  # noqa: E402


def pan(count, step=3, flicker=0.0):
    """A window that moves over a photo: L (H, W), ab (H, W, 2), and noisy answers of a network."""
    lab = color.rgb2lab(data.coffee()[60:200]).astype(np.float32)
    rng = np.random.default_rng(0)
    for i in range(count):
        part = lab[:, 100 + step * i : 340 + step * i]
        L = part[..., 0] + flicker * rng.normal()
        noise = cv2.resize(rng.normal(0, 9, (7, 12, 2)), (240, 140), interpolation=cv2.INTER_CUBIC)
        yield np.ascontiguousarray(L), part[..., 1:], part[..., 1:] + noise.astype(np.float32)


def test_flow_finds_a_pan():
    (now, *_), (before, *_) = reversed(list(pan(2)))
    way = flow.find(now, before)
    inner = way[20:-20, 20:-20]
    assert np.abs(np.median(inner[..., 0]) - 3) < 0.1
    assert np.abs(np.median(inner[..., 1])) < 0.1
    assert np.abs(flow.carry(before, way) - now)[20:-20, 20:-20].mean() < 1


@pytest.mark.parametrize("flicker", [0.0, 2.0])
def test_noise_of_the_network_is_calmed_and_color_is_kept(flicker):
    alone, ours = WarpError(), WarpError()
    steady, kept, true = Carried(), [], []
    for L, real, answer in pan(24, flicker=flicker):
        ab = steady.step(L, answer)
        alone.update(L, answer)
        ours.update(L, ab)
        kept.append(np.linalg.norm(ab, axis=-1).mean())
        true.append(np.linalg.norm(real, axis=-1).mean())
    assert ours.value < 0.35 * alone.value
    assert np.abs(ab - real).mean() < 0.5 * np.abs(answer - real).mean()
    assert np.mean(kept[5:]) > 0.93 * np.mean(true[5:])


def test_nothing_is_carried_over_a_cut_nor_where_flow_fails():
    (L, _, answer), *_ = pan(1)
    steady = Carried()
    steady.step(L, answer)
    assert np.array_equal(steady.step(L, -answer, cut=True), -answer)
    other = np.random.default_rng(1).uniform(0, 100, L.shape).astype(np.float32)
    assert np.abs(steady.step(other, answer) - answer).mean() < 1.5
    alone = Carried(hold=0)
    alone.step(L, answer)
    assert np.array_equal(alone.step(L, 2 * answer), 2 * answer)


def test_a_drift_is_pulled_back_to_the_network():
    (L, _, answer), *_ = pan(1)
    steady = Carried()
    steady.step(L, answer + 30)
    for _ in range(60):
        ab = steady.step(L, answer)
    assert np.abs(ab - answer).max() < 0.5


def test_cuts_are_told_from_motion_and_lamps():
    frames = [L for L, *_ in pan(3, step=8)]
    assert not is_cut(frames[1], frames[0])
    assert not is_cut(frames[0] * 0.93, frames[0])
    other = color.rgb2lab(data.astronaut()[:140, :240])[..., 0].astype(np.float32)
    assert is_cut(other, frames[0])
    assert is_cut(other / 4, frames[0] / 4)  # by night, where all histograms are alike
    dissolve = [(1 - t / 12) * frames[0] + t / 12 * other for t in range(13)]
    assert not any(map(is_cut, dissolve[1:], dissolve))
    assert is_cut(other, 0 * other)
    assert not is_cut(0 * other + 1, 0 * other)


def test_warp_error_is_the_change_of_color_along_the_flow():
    ours = WarpError()
    for i, (L, real, _) in enumerate(pan(5)):
        ours.update(L, real + np.array([3.0 * (i % 2), 4.0 * (i % 2)], np.float32))
    assert ours.value == pytest.approx(
        5, abs=0.6
    )  # 3 and 4 there and back, and what bilinear costs
    steady = WarpError()
    for L, real, _ in pan(5):
        steady.update(L, real)
    assert steady.value < 0.6
    cut = WarpError()
    cut.update(L, real)
    assert cut.update(L, -real, cut=True) is None
    assert np.isnan(cut.value)


def test_color_consistency_is_the_divergence_of_histograms():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(30)), rng.dirichlet(np.ones(30))
    assert consistency_between(p, q) == pytest.approx(jensenshannon(p, q) ** 2)
    assert consistency_between(p, p) == 0
    ab = rng.normal(0, 20, (40, 50, 2))
    same, other = ColorConsistency(), ColorConsistency()
    for i in range(6):
        same.update(ab[:, rng.permutation(50)])
        other.update(ab + 100 * (i % 2))
    assert same.value == 0
    odd = (other.totals / other.counts)[0]
    assert odd > 0.5
    assert (other.totals / other.counts)[1:] == pytest.approx([0, 0])
    assert list(other.counts) == [5, 4, 2]


def test_the_palette_of_a_shot_leans_to_its_hues_and_keeps_its_chroma():
    from colorizer.color import gamut
    from colorizer.film.shots import _palette

    rng = np.random.default_rng(0)
    typical = np.full(len(gamut.bins()), 1 / len(gamut.bins()))
    orange = rng.normal((25, 40), 8, (20, 30, 2))
    gray = rng.normal((0, 0), 4, (20, 30, 2))
    prior = _palette([orange, gray], typical)
    hue = np.degrees(np.arctan2(*gamut.bins().T[::-1]))
    chroma = np.linalg.norm(gamut.bins(), axis=1)
    vivid = chroma > 25
    assert (
        prior[vivid & (abs(hue - 58) < 20)].mean()
        > 1.4 * prior[vivid & (abs(hue + 120) < 40)].mean()
    )
    share = gamut.smooth_prior(gamut.histogram(np.concatenate([orange, gray]).reshape(-1, 2)), 10)
    mean = (share * prior * chroma).sum() / (share * prior).sum()
    assert mean == pytest.approx((share * chroma).sum() / share.sum(), rel=0.02)
