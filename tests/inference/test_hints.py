"""Hints: read from files and lists, honored where they are, and without effect elsewhere."""

import json

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import color, data, draw

from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.fixed_kernels import solve
from colorizer.inference.hints import read_hints
from colorizer.inference.preview import Preview
from colorizer.inference.propagate import mark
from tests.model_folder import write_model_folder

CAMERA = data.camera()[:301:2, :400:2]  # 151 x 200
RED = {"at": [0.3, 0.4], "color": "#9c3b34"}


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    folder = write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")
    return Colorizer(folder, threads=1)


def lab(rgb: np.ndarray) -> np.ndarray:
    return color.rgb2lab(rgb / np.float64(np.iinfo(rgb.dtype).max))


def at(picture: np.ndarray, place) -> np.ndarray:
    height, width = picture.shape[:2]
    return picture[int(place[1] * height), int(place[0] * width)]


def told(hint) -> np.ndarray:
    """The chroma of a hint, by scikit-image."""
    rgb = [int(hint["color"][i : i + 2], 16) for i in (1, 3, 5)]
    return color.rgb2lab(np.array(rgb) / 255)[1:]


def fits(L: float, ab: np.ndarray) -> bool:
    """Whether the gamut of a lightness has a color, with a little to spare."""
    fy = (L + 16) / 116
    f = np.array([fy + ab[0] / 500, fy, fy - ab[1] / 200])
    xyz = np.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787) * (0.95047, 1, 1.08883)
    rgb = np.linalg.inv(color.colorconv.xyz_from_rgb) @ xyz
    return bool((rgb > 0.002).all() and (rgb < 0.998).all())


OPTIONS = [
    {},
    {"quality": "best"},
    {"vividness": 1.7},
    {"vividness": 0.3},
    {"variant": 3},
    {"temperature": 0.1},
    {"size": 128},
    {"palette": data.astronaut()},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options), "plain"))
@pytest.mark.parametrize("depth", [8, 16])
def test_a_hint_is_honored_where_it_is(colorizer, options, depth):
    rng = np.random.default_rng(5)
    picture = data.camera() if depth == 8 else data.camera().astype(np.uint16) * 257
    L = lab(np.stack([picture] * 3, -1))[..., 0]
    hints = []
    for place in rng.uniform(0.02, 0.98, (150, 2)):
        hint = {"at": place.tolist(), "color": f"#{rng.bytes(3).hex()}"}
        far = all(np.abs(place - other["at"]).max() > 0.08 for other in hints)
        y, x = (place[::-1] * L.shape).astype(int)
        edge = np.ptp(L[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5]) > 25
        if far and not edge and fits(at(L, place), told(hint)):
            hints.append(hint)
    assert len(hints) > 5
    found = lab(colorizer.with_options(hints=hints, **options).colorize(picture))
    for hint in hints:
        assert np.abs(at(found, hint["at"])[1:] - told(hint)).max() < 2, hint


def test_elsewhere_the_picture_does_not_change(colorizer):
    halves = np.full((96, 128), 70 * 257, np.uint16)
    halves[:, 64:] = 190 * 257
    before = colorizer.colorize(halves)
    after = colorizer.with_options(hints=[{"at": [0.2, 0.5], "color": "#b02020"}]).colorize(halves)
    change = np.abs(lab(after) - lab(before))
    assert change[:, :60].mean() > 5
    assert change[:, 70:].max() < 0.5
    assert change[..., 0].max() < 0.01


def test_no_hints_change_nothing_and_the_same_hints_give_the_same(colorizer):
    plain = colorizer.colorize(CAMERA)
    assert (colorizer.with_options(hints=[]).colorize(CAMERA) == plain).all()
    hinted = colorizer.with_options(hints=[RED])
    assert (hinted.colorize(CAMERA) == hinted.colorize(CAMERA)).all()
    assert (hinted.with_options(hints=None).colorize(CAMERA) == plain).all()
    assert (hinted.with_options(vividness=1.0).colorize(CAMERA) == hinted.colorize(CAMERA)).all()


def test_gray_keeps_neutral_and_strokes_hold_along_their_way(colorizer):
    stroke = {"stroke": [[0.1, 0.1], [0.3, 0.15], [0.9, 0.1]], "color": "#777777"}
    found = lab(colorizer.with_options(hints=[stroke]).colorize(CAMERA))
    before = lab(colorizer.colorize(CAMERA))
    for share in np.linspace(0, 1, 9):
        place = (0.1 + 0.2 * share, 0.1 + 0.05 * share)
        assert np.hypot(*at(found, place)[1:]) < 3
    assert np.hypot(*at(before, (0.3, 0.15))[1:]) > 10


def test_a_brush_colors_all_that_it_covers(colorizer):
    flat = np.full((128, 160), 120, np.uint8)
    flat[60:] = 200  # an edge, which a thin stroke does not cross
    stroke = {"stroke": [[0.2, 0.5], [0.8, 0.5]], "color": "#5a8a50", "reach": 0.3}
    thin, broad = (
        lab(colorizer.with_options(hints=[one]).colorize(flat))
        for one in (stroke, stroke | {"width": 0.25})
    )
    wanted = told(stroke)
    for place in ((0.3, 0.41), (0.5, 0.59), (0.75, 0.45)):
        assert np.abs(at(broad, place)[1:] - wanted).max() < 3
    apart = [np.abs(at(thin, (x, 0.42))[1:] - wanted).max() for x in (0.3, 0.5, 0.7)]
    assert max(apart) > 3
    for width in (0, 1.5, "broad"):
        with pytest.raises(UsageError, match=r"width is .*up to 1, or null"):
            read_hints([stroke | {"width": width}])


@pytest.mark.parametrize("keep", ["gray", "predicted"])
def test_a_region_is_left_alone(colorizer, keep):
    region = {"region": [[0.2, 0.2], [0.7, 0.2], [0.7, 0.8], [0.2, 0.8]], "keep": keep}
    flat = np.full((128, 160), 120, np.uint8)
    options = {"hints": [{"at": [0.1, 0.1], "color": "#5a8a50"}, region]}
    found = lab(colorizer.with_options(**options).colorize(flat))
    inner = np.s_[36:92, 48:96]
    expected = lab(colorizer.colorize(flat))[inner] if keep == "predicted" else 0
    np.testing.assert_allclose(
        found[inner][..., 1:],
        np.broadcast_to(expected if keep == "gray" else expected[..., 1:], (56, 48, 2)),
        atol=0.5,
    )
    assert np.abs(at(found, (0.1, 0.1))[1:] - told(options["hints"][0])).max() < 2


def test_all_forms_say_the_same(colorizer, tmp_path):
    (tmp_path / "hints.json").write_text(json.dumps({"version": 1, "hints": [RED]}))
    expected = colorizer.with_options(hints=[RED]).colorize(CAMERA)
    for form in (tmp_path / "hints.json", str(tmp_path / "hints.json"), read_hints([RED])):
        assert (colorizer.with_options(hints=form).colorize(CAMERA) == expected).all()


def test_a_layer_counts_where_it_is_fully_opaque(colorizer, tmp_path):
    flat = np.full((151, 200), 90, np.uint8)
    layer = np.zeros((151, 200, 4), np.uint8)
    layer[...] = (0, 0, 255, 254)  # blue, not quite opaque: says nothing
    layer[56:64, 56:64] = (0x9C, 0x3B, 0x34, 255)
    Image.fromarray(layer).save(tmp_path / "layer.png")
    found = lab(colorizer.with_options(hints=tmp_path / "layer.png").colorize(flat))
    ab = found[58:62, 58:62, 1:].mean((0, 1))
    assert np.abs(ab - told(RED)).max() < 3
    assert found[..., 2].min() > -45  # no blue: it has b = -108
    with pytest.raises(UsageError, match=r"1\.325 times as wide as high"):
        colorizer.with_options(hints=tmp_path / "layer.png").colorize(flat[:, :150])


def test_places_are_those_of_the_upright_picture(colorizer, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    Image.fromarray(np.rot90(CAMERA)).save(tmp_path / "turned.png", exif=exif)
    hinted = colorizer.with_options(hints=[RED])
    assert (hinted.colorize(tmp_path / "turned.png") == hinted.colorize(CAMERA)).all()


def test_hints_are_of_one_page(colorizer, tmp_path):
    pages = [Image.fromarray(CAMERA)] * 2
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    hinted = colorizer.with_options(hints=[RED | {"page": 2}])
    hinted.colorize_file(tmp_path / "two.tif", tmp_path / "out.tif")
    first, second = (
        pyvips.Image.new_from_file(str(tmp_path / "out.tif"), page=n).numpy() for n in (0, 1)
    )
    assert (first == colorizer.colorize(CAMERA)).all()
    assert (second == colorizer.with_options(hints=[RED]).colorize(CAMERA)).all()
    xmp = pyvips.Image.new_from_file(str(tmp_path / "out.tif")).get("xmp-data")
    assert b", 1 hint<" in xmp
    with pytest.raises(UsageError, match="no page 3"):
        colorizer.with_options(hints=[RED | {"page": 3}]).colorize_file(
            tmp_path / "two.tif", tmp_path / "out.tif"
        )


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 500)])
def test_extreme_shapes(colorizer, shape):
    hints = [{"at": [1, 1], "color": "#a04040"}, {"at": [0, 0], "color": "#40a040"}]
    found = colorizer.with_options(hints=hints).colorize(np.full(shape, 128, np.uint8))
    assert found.shape == (*shape, 3)


WRONG = [
    ({"hints": []}, "version is None"),
    ({"version": 2, "hints": []}, "version is 2"),
    ({"version": 1, "hint": []}, "no 'hint'; did you mean 'hints'"),
    (["red"], "hint 1 is 'red'"),
    ([RED, {"at": [0.5, 0.5]}], "hint 2: needs `color`"),
    ([RED | {"stroke": [[0, 0]]}], "either `at` or `stroke`"),
    ([RED | {"at": [0.5, 1.5]}], "from 0 to 1"),
    ([RED | {"at": [0.5, float("nan")]}], "from 0 to 1"),
    ([RED | {"at": 3}], r"places \[x, y\]"),
    ([RED | {"color": "red"}], "accepted is #rrggbb"),
    ([RED | {"colour": "#aabbcc"}], "did you mean 'color'"),
    ([RED | {"page": 0}], "page is 0"),
    ([{"region": [[0, 0], [1, 1]]}], "at least 3"),
    ([{"region": [[0, 0], [1, 1], [0, 1]], "keep": "blue"}], "gray, predicted and apart"),
    ([{"stroke": [[0, 0]] * 30_000, "color": "#aabbcc"}], "more than 20,000"),
    (7, "accepted is a list of hints"),
]


@pytest.mark.parametrize(("hints", "sentence"), WRONG)
def test_wrong_hints_are_named(hints, sentence):
    with pytest.raises(UsageError, match=sentence):
        read_hints(hints)


def test_files_that_hold_no_hints(tmp_path):
    with pytest.raises(ColorizerError, match="no file of hints"):
        read_hints(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"version": 1,')
    with pytest.raises(UsageError, match="no valid JSON"):
        read_hints(tmp_path / "bad.json")
    Image.fromarray(CAMERA).save(tmp_path / "gray.png")
    with pytest.raises(UsageError, match="no transparency"):
        read_hints(tmp_path / "gray.png")
    Image.new("RGBA", (20, 20), (255, 0, 0, 100)).save(tmp_path / "thin.png")
    with pytest.raises(UsageError, match="no fully opaque pixel"):
        read_hints(tmp_path / "thin.png")


def test_a_model_without_features_says_so(tmp_path):
    plain = Colorizer(write_model_folder(tmp_path / "ab"), threads=1)
    with pytest.raises(UsageError, match="predicts no distribution, so it takes no hints"):
        plain.with_options(hints=[RED])
    with pytest.raises(UsageError, match="takes no suggestions"):
        plain.suggest(CAMERA, 0.5, 0.5)


def test_hints_on_the_command_line(colorizer, tmp_path, capsys):
    Image.fromarray(CAMERA).save(tmp_path / "a.png")
    Image.fromarray(CAMERA).save(tmp_path / "b.png")
    (tmp_path / "hints.json").write_text(json.dumps({"version": 1, "hints": [RED]}))
    model = [
        "--model",
        str(colorizer._network.folder.path),
        "--hints",
        str(tmp_path / "hints.json"),
    ]
    assert main(["colorize", str(tmp_path / "a.png"), *model, "--variants", "2"]) == 0
    for variant in (1, 2):
        expected = colorizer.with_options(hints=[RED], variant=variant).colorize(CAMERA)
        found = np.asarray(Image.open(tmp_path / f"a-colored-{variant}.png"))
        assert (found == expected).all()
    capsys.readouterr()
    assert main(["colorize", str(tmp_path), *model]) == 2
    assert "hints are of one photo; these are 2" in capsys.readouterr().err


def test_the_problem_is_solved():
    """Beside a dense matrix of the same energy."""
    rng = np.random.default_rng(0)
    height, width = 7, 5
    hold, wanted = rng.uniform(0.01, 1, (height, width)), rng.normal(size=(height, width, 2))
    across, down = rng.uniform(0, 1, (height, width - 1)), rng.uniform(0, 1, (height - 1, width))
    number = np.arange(height * width).reshape(height, width)
    matrix = np.diag(hold.ravel())
    for weights, one, other in (
        (across, number[:, :-1], number[:, 1:]),
        (down, number[:-1], number[1:]),
    ):
        for w, i, j in zip(weights.ravel(), one.ravel(), other.ravel(), strict=True):
            matrix[[i, j], [i, j]] += w
            matrix[[i, j], [j, i]] -= w
    expected = np.linalg.solve(matrix, wanted.reshape(-1, 2)).reshape(wanted.shape)
    np.testing.assert_allclose(solve(hold, across, down, wanted), expected, atol=1e-9)
    turned = solve(hold.T, down.T, across.T, wanted.swapaxes(0, 1))
    np.testing.assert_allclose(turned.swapaxes(0, 1), expected, atol=1e-9)


def test_polygons_are_filled():
    corners = np.array([[0.1, 0.2], [0.9, 0.3], [0.5, 0.5], [0.7, 0.95], [0.2, 0.8]])
    hints = read_hints([{"region": corners.tolist(), "keep": "gray"}])
    found = 1 - mark(hints, 100, 80).color
    expected = draw.polygon2mask((800, 640), corners[:, ::-1] * (800, 640))
    expected = expected.reshape(100, 8, 80, 8).mean((1, 3))
    assert np.abs(found - expected).mean() < 0.005


@pytest.mark.parametrize("place", [(0.2, 0.2), (0.5, 0.6), (0.95, 0.95)])
def test_suggestions_are_colors_of_that_lightness(colorizer, place):
    found = colorizer.suggest(CAMERA, *place, n=9)
    assert len(set(found)) == len(found) == 9
    rgb = np.array([[int(one[i : i + 2], 16) for i in (1, 3, 5)] for one in found])
    values = color.rgb2lab(rgb / 255)
    assert np.ptp(values[:, 0]) < 1.5  # rounding of three channels
    apart = np.linalg.norm(values[:, None, 1:] - values[None, :, 1:], axis=-1)
    assert apart[~np.eye(9, dtype=bool)].min() > 2
    predicted = at(lab(colorizer.colorize(CAMERA)), place)[1:]
    assert np.linalg.norm(values[0, 1:] - predicted) < 25  # the mean of what the first is the mode


def test_suggestions_follow_preferences_and_limits(colorizer):
    assert colorizer.suggest(np.full((40, 40), 255, np.uint8), 0.5, 0.5) == ["#ffffff"]
    assert len(colorizer.suggest(CAMERA, 0.5, 0.5, n=3)) == 3
    with pytest.raises(UsageError, match="no place"):
        colorizer.suggest(CAMERA, 1.5, 0.5)
    other = colorizer.with_options(variant=4)
    assert other.suggest(CAMERA, 0.5, 0.5) != colorizer.suggest(CAMERA, 0.5, 0.5)


@pytest.mark.parametrize("model", ["colornet_lite_cross", "colornet18"])  # learnt, and by hand
def test_how_much_would_follow_is_what_then_changes(model):
    colorizer = Colorizer(model, threads=1)
    hint = {"at": [0.2, 0.1], "color": "#8a6a5a"}
    before = lab(colorizer.colorize(CAMERA))
    after = lab(colorizer.with_options(hints=[hint]).colorize(CAMERA))
    moved = np.linalg.norm((after - before)[..., 1:], axis=-1)
    found = colorizer.follows(CAMERA, hint)
    assert found == pytest.approx((moved > 0.5 * at(moved, hint["at"])).mean(), abs=0.02)
    assert 0.2 < found < 0.6
    assert Preview(CAMERA).follows(colorizer, 0.2, 0.1, ["#808080", "#8a6a5a"])[1] == found


def test_what_nothing_can_follow_is_refused(colorizer):
    with pytest.raises(UsageError, match="followed by nothing"):
        colorizer.follows(CAMERA, {"region": [[0, 0], [1, 0], [1, 1]], "keep": "gray"})
    with pytest.raises(UsageError, match="no page 2"):
        colorizer.follows(CAMERA, {"at": [0.2, 0.1], "color": "#8a6a5a", "page": 2})


def test_a_preview_is_the_picture_at_small_size(colorizer):
    large = np.kron(CAMERA, np.ones((3, 3), np.uint8))
    preview = Preview(large, side=200)
    for options in ({}, {"hints": [RED]}, {"quality": "best"}, {"vividness": 0.5}):
        now = colorizer.with_options(**options)
        shown = preview.colorize(now)
        assert shown.shape == (151, 200, 3)
        full = lab(now.colorize(large)).reshape(151, 3, 200, 3, 3).mean((1, 3))
        assert np.abs(lab(shown) - full).mean() < 1
        assert preview.colorize(now, shrink=2).shape == (75, 100, 3)
    assert np.abs(lab(preview.gray())[..., 1:]).max() < 0.01


def test_an_older_export_is_told_how_to_be_made_anew(colorizer, monkeypatch):
    older = colorizer.with_options(vividness=1.0)
    monkeypatch.setattr(older._network, "_outputs", {"ab", "uncertainty"})
    with pytest.raises(UsageError, match="colorizer export FOLDER FOLDER"):
        older.with_options(hints=[RED])


def test_other_options_share_the_loaded_model(colorizer):
    assert colorizer.with_options(vividness=0.5)._network is colorizer._network
