"""Hints on the page without a server: what its scripts compute is what Python computes."""

from functools import partial

import numpy as np
import pytest

from colorizer.color import gamut
from colorizer.errors import UsageError
from colorizer.inference import likeness, predict, propagate, suggest
from colorizer.inference.hints import read_hints
from colorizer.inference.priors import shares
from colorizer.model_folder import LIKENESS, ModelFolder
from colorizer.options import DEFAULT_MODEL
from colorizer.pictures.resize import resize
from tests.site.node import HERE, call, needs_node

pytestmark = needs_node
FOLDER = ModelFolder.find(DEFAULT_MODEL)
BYTES = (FOLDER.path / LIKENESS).read_bytes()
LEARNT = likeness.Likeness(FOLDER.learnt(LIKENESS))
H, W = 64, 80
POINTS = [
    {"at": [0.2, 0.3], "color": "#8a2f2b"},
    {"at": [0.7, 0.6], "color": "#808080"},
    {"at": [1, 0], "color": "#2244cc", "reach": 0.3},
    {"stroke": [[0.1, 0.9], [0.4, 0.7], [0.9, 0.95]], "color": "#228833"},
    {"at": [0.2001, 0.3001], "color": "#AA8822"},
    {"stroke": [[0.6, 0.2], [0.95, 0.35]], "color": "#337799", "width": 0.15},
]
REGIONS = [
    {"region": [[0.5, 0.1], [0.9, 0.2], [0.6, 0.5]], "keep": "gray"},
    {"region": [[0, 0], [0.2, 0.05], [0.1, 0.6]]},
    {"region": [[0.5, 0.4], [0.9, 0.45], [0.8, 0.9], [0.5, 0.8]], "keep": "apart"},
]
MANY = [
    {"at": [x / 40 + 0.01, y / 40 + 0.01], "color": "#228833" if x > y else "#8a2f2b"}
    for x in range(40)
    for y in range(12)
]
KINDS = {"points": POINTS, "regions": [*POINTS, *REGIONS], "gray": REGIONS, "many": MANY}


def told(kind):
    return {"version": 1, "hints": KINDS[kind]}


@pytest.fixture(scope="module")
def seen():
    """A picture of patches, on the grid: L (H, W), features, predicted ab; and at 1.5 times it."""
    rng = np.random.default_rng(3)
    patches = np.kron(rng.integers(0, 5, (8, 8)), np.ones((12, 15), int))
    large = rng.uniform(15, 90, 5)[patches] + rng.normal(0, 1, patches.shape)
    kinds = rng.normal(0, 1, (5, 96))[patches] + rng.normal(0, 0.2, (*patches.shape, 96))
    ab = resize(rng.normal(0, 25, (6, 7, 2)).astype(np.float32), H, W)
    L = resize(large, H, W)[..., 0]
    return large.astype(np.float32), L, resize(kinds, H, W), ab


def close(found, expected, within=1e-3):
    expected = np.asarray(expected)
    assert np.abs(np.reshape(found, expected.shape) - expected).max() < within


def test_look(seen):
    _, L, features, _ = seen
    expected = LEARNT.look(L, features)
    found = call("hinting.mjs", "look", BYTES, L, features, H, W, folder=HERE)
    for name, values in found.items():
        close(values, getattr(expected, name), 1e-4)


def test_ways_and_pairs(seen):
    _, L, features, ab = seen
    rows, columns = np.array([0, 30, 63]), np.array([79, 12, 0])
    cells = (rows * W + columns).tolist()
    kinds = likeness.unit(features)
    ways = likeness.eases(L, kinds, rows, columns)
    close(call("hinting.mjs", "waysOf", L, kinds, H, W, cells, folder=HERE), ways, 1e-4)
    difference = np.array([[3, 4], [0, 0], [-50, 60.0]])
    expected = likeness.pairs(L, ab, rows, columns, difference, ways)
    arguments = L, ab, H, W, cells, difference.tolist(), [*ways]
    close(call("hinting.mjs", "pairsOf", *arguments, folder=HERE), expected, 1e-4)


@pytest.mark.parametrize(
    ("kind", "size"),
    [("regions", (H, W)), ("many", (64, 101)), ("regions", (5, 3)), ("points", (1, 1))],
)
def test_marks(kind, size):
    expected = propagate.mark(read_hints(told(kind)), *size)
    found = call("hinting.mjs", "marksOf", told(kind), *size, folder=HERE)
    for name in ("hold", "ab", "change", "color"):
        close(found[name], getattr(expected, name), 1e-9)
    close(found["reach"], expected.reach.clip(max=1e9), 1e-9)
    rows, columns = propagate._spokesmen(expected)
    assert sorted(found["cells"]) == sorted(rows * size[1] + columns)
    rows, columns = np.divmod(np.array(found["cells"], int), size[1])
    if len(rows):
        within = np.broadcast_to(expected.within(rows, columns), (len(rows), *size))
        close(found["within"], within, 1e-9)


@pytest.mark.parametrize("kind", ["points", "many"])
def test_carry(seen, kind):
    _, L, features, ab = seen
    marks = propagate.mark(read_hints(told(kind)), H, W)
    alike = LEARNT.look(L, features)
    function = "carried" if kind == "points" else "carriedAtOnce"
    found = call("hinting.mjs", function, BYTES, L, features, H, W, ab, told(kind), folder=HERE)
    for name, now in (("first", ab), ("second", ab / 2)):
        expected = propagate.by_likeness(LEARNT, alike, L, now.astype(np.float64), marks)
        assert np.abs(expected).max() > 5
        close(found[name], expected)


@pytest.mark.parametrize("kind", ["points", "regions"])
def test_follow(seen, kind):
    large, _, features, ab = seen
    coloring = np.concatenate([resize(ab / 100, *large.shape), resize(ab, *large.shape)], -1)
    small = resize(large, H, W)[..., 0]
    spread = partial(propagate.by_likeness, LEARNT, LEARNT.look(small, features))
    expected = propagate.follow(
        large, coloring[..., :2], coloring[..., 2:], (H, W), read_hints(told(kind)), spread
    )
    arguments = BYTES, large, *large.shape, coloring, features, H, W, small, told(kind)
    found = call("hinting.mjs", "followed", *arguments, folder=HERE)
    found = found.reshape(*large.shape, 4)
    apart = np.abs(
        found[..., :2] * large[..., None]
        + found[..., 2:]
        - (expected[0] * large[..., None] + expected[1])
    )
    # where a picture is shrunk, libvips is a hair off, see test_resize
    assert np.mean(apart < 1e-3) > 0.99
    assert apart.max() < 0.05
    if kind == "points":  # each says exactly what it says
        x, y = 0.7 * large.shape[1] - 0.5, 0.6 * large.shape[0] - 0.5
        near = found[int(y) : int(y) + 2, int(x) : int(x) + 2, 2:]
        fy, fx = y % 1, x % 1
        share = np.outer([1 - fy, fy], [1 - fx, fx])[..., None]
        assert np.abs((share * near).sum((0, 1))).max() < 0.05


def test_how_much_would_follow(seen):
    large, _, features, ab = seen
    coloring = np.concatenate([resize(ab / 100, *large.shape), resize(ab, *large.shape)], -1)
    small = resize(large, H, W)[..., 0]
    spread = partial(propagate.by_likeness, LEARNT, LEARNT.look(small, features))
    points = [{"at": [x, y], "color": "#8a2f2b"} for x, y in ((0.2, 0.3), (0.7, 0.6), (1, 0))]
    expected = [
        propagate.followers(large, coloring[..., :2], coloring[..., 2:], (H, W), one, spread)
        for one in read_hints(points).points
    ]
    assert max(expected) > 0.01
    told = {"version": 1, "hints": points}
    arguments = BYTES, large, *large.shape, coloring, features, H, W, small, told
    found = call("hinting.mjs", "following", *arguments, folder=HERE)
    np.testing.assert_allclose(found, expected, atol=2 / (H * W))


@pytest.mark.parametrize("size", [(60, 83), (5, 300)])
def test_what_the_network_saw_over_the_picture(size):
    rng = np.random.default_rng(4)
    h, w = (-(-side // 32) * 8 for side in size)
    values = rng.normal(size=(3, h, w)).astype(np.float32)
    found = call(
        "chroma.js",
        "overPicture",
        {"values": values, "count": 3, "height": h, "width": w},
        *size,
    )
    expected = predict.over_picture(values, np.zeros(size))
    assert (found["h"], found["w"]) == expected.shape[:2]
    close(found["values"], expected, 1e-5)


def test_suggestions():
    rng = np.random.default_rng(5)
    bins = gamut.bins()
    logits = rng.normal(size=(len(bins), 24, 32)).astype(np.float32) * 3
    lean, prior = rng.normal(size=len(bins)), rng.uniform(0.2, 2, len(bins)).astype(np.float32)
    x, y = rng.uniform(0, 1, 2).tolist()
    small = np.zeros((83, 110))
    values = predict.over_picture(logits, small).astype(np.float64) + lean + np.log(prior)
    of = suggest._at(shares(values), x, y)
    lightness = [0, 12, 55, 88, 100]
    arguments = bins.tolist(), logits, len(bins), 24, 32, *small.shape, x, y, lean, prior, lightness
    found = call("hinting.mjs", "suggested", *arguments, folder=HERE)
    for L, colors in zip(lightness, found, strict=True):
        assert colors == [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in suggest.likeliest(of, L, 9)]


WRONG = [
    {"at": [0.5, 1.2], "color": "#112233"},
    {"at": [0.5], "color": "#112233"},
    {"at": [0.5, True], "color": "#112233"},
    {"at": [0.5, 0.5], "stroke": [[0, 0]], "color": "#112233"},
    {"at": [0.5, 0.5], "color": "red"},
    {"at": [0.5, 0.5], "color": "#112233", "reach": 0},
    {"at": [0.5, 0.5], "color": "#112233", "page": 0},
    {"at": [0.5, 0.5], "color": "#112233", "colour": 1},
    {"region": [[0, 0], [1, 1]]},
    {"region": [[0, 0], [1, 1], [0, 1]], "keep": "blue"},
    "point",
]


def test_wrong_hints_are_refused_in_the_same_words():
    first = {"at": [0, 0], "color": "#000000"}
    told = [{"version": 1, "hints": [first, entry]} for entry in WRONG]
    for entry, found in zip(WRONG, call("hinting.mjs", "refused", told, folder=HERE), strict=True):
        with pytest.raises(UsageError) as refused:
            read_hints([first, entry])
        assert found.startswith("hint 2")
        assert found.split(";")[0].split(" is ")[0] in str(refused.value)


def test_hints_are_counted_as_python_counts_them():
    found = call("hinting.mjs", "counted", [*map(told, KINDS), None], folder=HERE)
    assert found == [*([str(read_hints(told(kind)))] for kind in KINDS), []]
