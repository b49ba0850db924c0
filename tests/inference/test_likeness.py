"""Learnt likeness: ways across edges, whom it speaks for, folders with it and without."""

import shutil
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from skimage import color, data

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.hints import read_hints
from colorizer.inference.likeness import FAR, PAIR, STEP, Likeness, eases, unit
from colorizer.inference.propagate import MOST_ASKED, by_likeness, mark
from colorizer.model_folder import LIKENESS, SERIALIZED, WEIGHTS, ModelFolder
from tests.model_folder import write_model_folder

CAMERA = data.camera()[:301:2, :400:2]  # 151 x 200


def random_weights(channels: int, heads: int = 2, inner: int = 8, hidden: int = 6) -> dict:
    """What a training would write, untrained."""
    rng = np.random.default_rng(3)
    shapes = {
        "place": (inner, channels + 1),
        "query": (inner, inner),
        "key": (inner, inner),
        "none": (1, inner),
        "pair.0": (hidden, heads + PAIR),
        "pair.2": (hidden, hidden),
        "pair.4": (2, hidden),
    }
    found = {}
    for name, shape in shapes.items():
        found[f"{name}.weight"] = rng.normal(0, 0.5, shape).astype(np.float16)
        found[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float16)
    return found


def add_likeness(folder, learnt_for: str | None = None):
    found = ModelFolder.find(folder)
    told = {WEIGHTS: learnt_for or found.weights_sha256}
    save_file(random_weights(1), folder / LIKENESS, told)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return add_likeness(
        write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")
    )


def test_ways_are_the_cheapest_by_dijkstra():
    rng = np.random.default_rng(0)
    L = 100 * rng.random((9, 13)) * np.linspace(0, 1, 13)
    kinds = unit(rng.random((9, 13, 5)))
    places = np.arange(9 * 13).reshape(9, 13)
    rows, columns = np.array([0, 4, 8]), np.array([0, 7, 12])
    found = eases(L, kinds, rows, columns)
    differences = [lambda axis: np.abs(np.diff(L, axis=axis)) + STEP[0]]
    differences += [lambda axis: np.linalg.norm(np.diff(kinds, axis=axis), axis=-1) + STEP[1]]
    for kind, difference in enumerate(differences):
        costs = np.concatenate([difference(1).ravel(), difference(0).ravel()])
        begin = np.concatenate([places[:, :-1].ravel(), places[:-1].ravel()])
        end = np.concatenate([places[:, 1:].ravel(), places[1:].ravel()])
        ways = dijkstra(coo_array((costs, (begin, end)), (117, 117)), False, rows * 13 + columns)
        for scale in (0, 1):
            expected = np.exp(-ways / FAR[kind, scale]).reshape(3, 9, 13)
            np.testing.assert_allclose(found[..., 2 * kind + scale], expected, atol=0.02)
            assert (found[..., 2 * kind + scale] <= expected + 1e-5).all()


def test_the_shares_by_hand():
    """Two places, one hint, by the formula; the hint's own place too."""
    weights = {name: value.astype(np.float64) for name, value in random_weights(3).items()}
    L, ab = np.array([[20.0, 60.0]]), np.array([[[3.0, 4.0], [1.0, -2.0]]])
    features = np.array([[[1.0, 2, 3], [-1, 0, 4]]])
    likeness = Likeness(weights)
    zero = np.array([0])
    found = likeness.carry(likeness.look(L, features), L, ab, zero, zero, np.array([[13.0, 4.0]]))

    def linear(name, x):
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    inner = [
        np.tanh(linear("place", [*(f / (np.sqrt((f**2).mean()) + 1e-3)), light / 50 - 1]))
        for f, light in zip(features[0], L[0], strict=True)
    ]
    key = linear("key", inner[0]).reshape(2, 4)
    ways = eases(L, unit(features), zero, zero)[0, 0]
    for place in (0, 1):
        query = linear("query", inner[place]).reshape(2, 4)
        products = [
            4 * q @ k / np.linalg.norm(q) / np.linalg.norm(k)
            for q, k in zip(query, key, strict=True)
        ]
        lighter = 1.6 * place
        unlike = np.hypot(2, 6) / 25 * place
        about = [place, np.exp(-40 * place), lighter, lighter, unlike, 10 / 40, *2 * ways[place]]
        x = np.array([*products, *about])
        for name in ("pair.0", "pair.2"):
            x = np.maximum(linear(name, x), 0)
        score, gate = linear("pair.4", x)
        none = linear("none", inner[place])[0]
        share = np.exp(3 * score) / (np.exp(3 * score) + np.exp(none)) / (1 + np.exp(-gate - 2))
        even = 0.6 * (ab[0, 0] - ab[0, place])
        np.testing.assert_allclose(found[0, place], share * (even + np.array([10, 0])), atol=1e-3)


def test_hints_are_honored_with_it(folder):
    hints = [
        {"at": [0.3, 0.4], "color": "#9c3b34"},
        {"stroke": [[0.6, 0.1], [0.9, 0.15]], "color": "#777777"},
    ]
    flat = np.full((151, 200), 110, np.uint8)  # whose gamut has both colors
    found = Colorizer(folder, threads=1).with_options(hints=hints).colorize(flat)
    chroma = color.rgb2lab(found / 255.0)[..., 1:]
    red = color.rgb2lab(np.array([0x9C, 0x3B, 0x34]) / 255)[1:]
    assert np.abs(chroma[int(0.4 * 151), int(0.3 * 200)] - red).max() < 2
    assert np.abs(chroma[int(0.1 * 151), int(0.6 * 200)]).max() < 2


def test_a_folder_without_it_keeps_the_way_of_before(folder, tmp_path):
    hints = [{"at": [0.3, 0.4], "color": "#9c3b34"}]
    bare = write_model_folder(tmp_path / "bare", "distribution")
    one, other = (Colorizer(f, threads=1, hints=hints).colorize(CAMERA) for f in (bare, folder))
    assert (one != other).any()
    plain = [Colorizer(f, threads=1).colorize(CAMERA) for f in (bare, folder)]
    assert (plain[0] == plain[1]).all()


def test_likeness_of_other_weights_or_damaged_is_told(tmp_path):
    place = write_model_folder(tmp_path / "tiny", "distribution")
    hints = [{"at": [0.3, 0.4], "color": "#9c3b34"}]
    add_likeness(place, "0" * 64)
    Colorizer(place, threads=1).colorize(CAMERA)  # which asks for no likeness
    with pytest.raises(ColorizerError, match=r"learnt for the weights 0{12}.*colorizer likeness"):
        Colorizer(place, threads=1, hints=hints)
    whole = (add_likeness(place) / LIKENESS).read_bytes()
    for data_ in (b"", whole[:5], whole[:-10], b"\xff" * 100, whole.replace(b"F16", b"F99")):
        (place / LIKENESS).write_bytes(data_)
        with pytest.raises(ColorizerError, match=r"likeness\.safetensors cannot be read"):
            Colorizer(place, threads=1, hints=hints)


def test_what_ships_is_of_the_weights_that_ship():
    for place in SERIALIZED.glob(f"*/{LIKENESS}"):
        tensors = ModelFolder.find(place.parent).learnt(LIKENESS)
        assert tensors is not None
        assert tensors["pair.4.weight"].shape[0] == 2
        assert place.stat().st_size < 250_000


@pytest.mark.parametrize("learnt", [True, False])
def test_a_reach_bounds_a_hint(folder, tmp_path, learnt):
    place = folder if learnt else write_model_folder(tmp_path / "bare", "distribution")
    colorizer = Colorizer(place, threads=1)
    flat = np.full((128, 192), 120, np.uint8)
    hint = {"at": [1 / 3, 0.5], "color": "#b02020"}
    before, free, bound = (
        color.rgb2lab(colorizer.with_options(hints=h).colorize(flat) / 255.0)[..., 1:]
        for h in ([], [hint], [hint | {"reach": 0.25}])
    )
    y, x = np.mgrid[:128, :192]
    far = np.hypot(y - 64, x - 64) > 0.25 * 128 + 16  # two cells more
    assert np.linalg.norm(free - before, axis=-1)[far].max() > 3
    assert np.linalg.norm(bound - before, axis=-1)[far].max() < 0.8
    assert np.linalg.norm(bound - before, axis=-1)[64, 64] > 10


@pytest.mark.parametrize("learnt", [True, False])
def test_no_hint_crosses_into_or_out_of_a_region_kept_apart(folder, tmp_path, learnt):
    place = folder if learnt else write_model_folder(tmp_path / "bare", "distribution")
    colorizer = Colorizer(place, threads=1)
    flat = np.full((128, 192), 120, np.uint8)
    region = {"region": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "keep": "apart"}
    red, blue = ({"at": [x, 0.5], "color": c} for x, c in ((0.25, "#b02020"), (0.75, "#2020b0")))
    before, left, right, both = (
        color.rgb2lab(colorizer.with_options(hints=h).colorize(flat) / 255.0)[..., 1:]
        for h in ([], [red, region], [blue, region], [red, blue, region])
    )
    # two cells beside the line
    inside, outside = np.s_[:, : 96 - 16], np.s_[:, 96 + 16 :]
    assert np.linalg.norm(left - before, axis=-1)[64, 48] > 10
    assert np.linalg.norm(left - before, axis=-1)[outside].max() < 0.8
    assert np.linalg.norm(right - before, axis=-1)[inside].max() < 0.8
    # and neither takes anything from the other
    assert np.linalg.norm(both - left, axis=-1)[inside].max() < 0.8
    assert np.linalg.norm(both - right, axis=-1)[outside].max() < 0.8


@pytest.mark.parametrize("reach", [0, -1, 11, "far", True, [1], float("nan")])
def test_a_reach_that_cannot_be_is_told(reach):
    with pytest.raises(UsageError, match=r"hint 1: reach is .*shares of the short side"):
        read_hints([{"at": [0, 0], "color": "#000000", "reach": reach}])
    assert read_hints([{"at": [0, 0], "color": "#000000", "reach": None}]).points[0].reach is None


def test_no_lone_hint_goes_unheard_among_many():
    weights = random_weights(2)
    heard = []

    class Listening(Likeness):
        def carry(self, alike, L, ab, rows, columns, wanted, within=1.0):
            heard.append((rows, columns, wanted))
            return super().carry(alike, L, ab, rows, columns, wanted, within)

    stroke = [[x, 0.2 + 0.3 * x] for x in np.linspace(0, 0.9, 500).tolist()]
    hints = [{"at": [0.5, 0.9], "color": "#a02020"}, {"stroke": stroke, "color": "#2020a0"}]
    marks = mark(read_hints(hints), 20, 300)
    likeness, rng = Listening(weights), np.random.default_rng(0)
    L, features = 100 * rng.random((20, 300)), rng.random((20, 300, 2))
    by_likeness(likeness, likeness.look(L, features), L, np.zeros((20, 300, 2)), marks)
    rows, columns, wanted = heard[0]
    assert 50 < len(rows) <= MOST_ASKED < (marks.hold > 0).sum()
    lone = (rows == 18) & (columns == 150)
    assert lone.sum() == 1
    assert wanted[lone][0, 0] > 40  # red


@pytest.mark.slow
def test_twenty_thousand_places_take_seconds_at_most(tmp_path):
    place = tmp_path / "flagship"
    shutil.copytree(SERIALIZED / "colornet_lite_cross", place)
    colorizer = Colorizer(place, threads=1)
    rng = np.random.default_rng(0)
    strokes = [
        {"stroke": rng.random((100, 2)).tolist(), "color": f"#{rng.bytes(3).hex()}"}
        for _ in range(200)
    ]
    hints = read_hints(strokes)
    from colorizer.pictures.picture import Picture

    picture = Picture.open(data.camera()[:341])
    seen = colorizer.see(
        picture.thumbnail(0, colorizer.look_size(picture))[0], picture, with_features=True
    )
    begin = time.process_time()
    colorizer.steer(seen, hints)
    assert time.process_time() - begin < 5  # it was minutes


def test_the_file_holds_what_is_read(folder):
    tensors = ModelFolder.find(folder).learnt(LIKENESS)
    assert tensors is not None
    for name, value in load_file(folder / LIKENESS).items():
        np.testing.assert_array_equal(tensors[name], value)
