"""Colors from another colored version of a photo: found, taken, filled in, or refused."""

import io
import pickle
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import color, data, transform

from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colored_version import read_colored_version
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.preview import Preview
from colorizer.inference.registration import ALIKE, register
from tests.model_folder import write_model_folder

pytest.importorskip("cv2")

ASTRONAUT = data.astronaut()
MAGENTA = (200, 30, 200)
PATCH = slice(30, 170), slice(20, 180)  # rows and columns of the background that are painted over


def gray(rgb: np.ndarray) -> np.ndarray:
    """Of the same lightness."""
    neutral = color.rgb2lab(rgb) * (1, 0, 0)
    return np.rint(255 * color.lab2rgb(neutral)[..., 0]).astype(np.uint8)


def jpeg(rgb: np.ndarray, quality: int = 80) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return file.getvalue()


def shifted(rgb: np.ndarray, scale: float = 1.04, right: float = 12, down: float = 9):
    """As an editor hands it back: enlarged around the middle, and shifted."""
    to = transform.AffineTransform(scale=scale, translation=(right, down))
    middle = transform.AffineTransform(translation=np.array(rgb.shape[1::-1]) / -2)
    whole = middle + to + middle.inverse
    moved = transform.warp(rgb, whole.inverse, mode="edge", preserve_range=True)
    return np.rint(moved).astype(np.uint8), whole


def repainted(rgb: np.ndarray) -> np.ndarray:
    other = rgb.copy()
    other[PATCH] = MAGENTA
    return other


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return color.deltaE_ciede2000(color.rgb2lab(one), color.rgb2lab(other))


def chroma(rgb: np.ndarray) -> np.ndarray:
    return color.rgb2lab(rgb)[..., 1:]


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer("colornet_lite_cross", threads=1, size=128)


@pytest.fixture(scope="module")
def lent(colorizer):
    """The astronaut in the colors of a version that is moved and repainted."""
    version = jpeg(repainted(shifted(ASTRONAUT)[0]))
    return colorizer.with_options(colors_from=version).colorize(gray(ASTRONAUT))


@pytest.mark.parametrize("turned", [0, 3, 90])
@pytest.mark.parametrize("stretched", [1, 1.1])
def test_places_are_those_of_a_known_map(turned, stretched):
    rotation = np.deg2rad(turned)
    middle = transform.AffineTransform(translation=(-256, -256))
    to = transform.AffineTransform(scale=(1.04 * stretched, 1.04), rotation=rotation)
    whole = middle + to + transform.AffineTransform(translation=(262, 250))
    L = color.rgb2lab(ASTRONAUT)[..., 0]
    moved = transform.warp(L, whole.inverse, mode="edge", preserve_range=True)
    toned = 100 * (moved / 100) ** 1.3  # another contrast
    found = register(L, toned)
    places = np.stack(np.meshgrid(np.arange(512), np.arange(512)), -1)
    true = whole(places.reshape(-1, 2)).reshape(512, 512, 2)
    off = np.hypot(found.x * 512 - 0.5 - true[..., 0], found.y * 512 - 0.5 - true[..., 1])
    inside = ((true > 8) & (true < 503)).all(-1)
    assert np.median(off[inside]) < 0.5
    assert np.quantile(off[inside], 0.95) < 3
    assert found.alike > 2 * ALIKE
    outside = ((true < -8) | (true > 519)).any(-1)
    assert not outside.any() or found.agreement[outside].max() < 0.01


def test_colors_are_those_of_the_original_off_what_is_repainted(colorizer, lent):
    _, whole = shifted(ASTRONAUT)
    corners = whole.inverse([(PATCH[1].start, PATCH[0].start), (PATCH[1].stop, PATCH[0].stop)])
    (left, top), (right, bottom) = np.rint(corners).astype(int)
    patch = np.zeros((512, 512), bool)
    patch[top:bottom, left:right] = True
    found = apart(lent, ASTRONAUT)
    automatic = apart(colorizer.colorize(gray(ASTRONAUT)), ASTRONAUT)
    assert found[~patch].mean() < 2.5 < 8 < automatic[~patch].mean()
    # Inside there is no magenta, and what lies around it tells the rest.
    assert found[patch].mean() < automatic[patch].mean()
    inner = chroma(lent)[top + 12 : bottom - 12, left + 12 : right - 12]
    magenta = chroma(np.uint8([[MAGENTA]]))[0, 0]
    assert np.linalg.norm(inner - magenta, axis=-1).min() > 40


def test_a_tiny_version_makes_nothing_else_coarse(colorizer):
    """What it does not show is as fine as a prediction is, and hints are as exact."""
    tiny = np.array(Image.fromarray(ASTRONAUT).resize((40, 40)))
    other = colorizer.with_options(colors_from=tiny)
    seen = other.look(Preview(gray(ASTRONAUT))._thumbnail, Preview(gray(ASTRONAUT)).picture)
    assert min(seen.L.shape) >= colorizer.size
    assert apart(other.colorize(gray(ASTRONAUT)), ASTRONAUT).mean() < 6


def test_lightness_is_the_photos_own(lent):
    near = np.abs(color.rgb2lab(lent)[..., 0] - color.rgb2lab(ASTRONAUT)[..., 0])
    assert near.mean() < 0.5


@pytest.mark.parametrize("lossless", [True, False])
def test_a_version_that_lies_on_the_photo_is_taken_as_it_is(colorizer, lossless):
    version = ASTRONAUT if lossless else jpeg(ASTRONAUT, 95)
    found = colorizer.with_options(colors_from=version).colorize(gray(ASTRONAUT))
    own = version if lossless else np.asarray(Image.open(io.BytesIO(version)))
    assert apart(found, own).mean() < 1


def test_our_own_layer_gives_our_own_picture(colorizer, tmp_path):
    """Seen through: its place is the photo's, and where it says nothing the photo is gray."""
    photo = gray(ASTRONAUT)
    colorizer.with_options(result="layer").colorize_file(photo, tmp_path / "layer.png")
    other = colorizer.with_options(colors_from=tmp_path / "layer.png", variant=3)
    before, after = colorizer.colorize(photo), other.colorize(photo)
    assert np.abs(before.astype(int) - after).mean() < 1


def test_what_a_layer_leaves_open_is_filled(colorizer, tmp_path):
    layer = np.zeros((512, 512, 4), np.uint8)
    layer[300:, :200] = (220, 60, 20, 255)
    Image.fromarray(layer).save(tmp_path / "layer.png")
    found = colorizer.with_options(colors_from=tmp_path / "layer.png").colorize(gray(ASTRONAUT))
    painted = chroma(np.uint8([[[220, 60, 20]]]))[0, 0]
    said = chroma(found)[360:, :140]
    assert np.median(said @ painted / (painted @ painted)) > 0.6  # less where it is dark
    assert chroma(found)[:200, 200:300].std() > 1


def test_layers_of_another_shape_are_refused(colorizer, tmp_path):
    Image.fromarray(np.full((50, 80, 4), (200, 0, 0, 128), np.uint8)).save(tmp_path / "layer.png")
    with pytest.raises(UsageError, match=r"layer.png has transparency, and is 1.600 times"):
        colorizer.with_options(colors_from=tmp_path / "layer.png").colorize(gray(ASTRONAUT))


@pytest.mark.parametrize("other", [data.coffee(), data.chelsea(), data.rocket()])
def test_another_photo_is_refused(colorizer, tmp_path, other):
    version = tmp_path / "other.png"
    Image.fromarray(other).save(version)
    told = r"other.png does not show what the photo shows: their structure has a correlation of"
    with pytest.raises(ColorizerError, match=told):
        colorizer.with_options(colors_from=version).colorize_file(
            gray(ASTRONAUT), tmp_path / "new.png"
        )
    assert not (tmp_path / "new.png").exists()


@pytest.mark.parametrize(
    ("version", "error", "told"),
    [
        (gray(ASTRONAUT), UsageError, "has no colors to take"),
        (np.dstack([gray(ASTRONAUT)] * 3), UsageError, "has no colors to take"),
        (ASTRONAUT[:20], UsageError, "has 512x20 pixels; a colored version needs 32"),
        (jpeg(ASTRONAUT)[:9000], ColorizerError, "cannot be read"),
        (b"words", ColorizerError, "no picture|not a picture"),
        ("nowhere.jpg", ColorizerError, "nowhere.jpg"),
    ],
)
def test_what_is_no_version_is_told(colorizer, version, error, told):
    with pytest.raises(error, match=told):
        colorizer.with_options(colors_from=version)


@pytest.mark.parametrize("option", ["colors_from", "reference", "palette"])
def test_a_damaged_lender_is_refused_without_advice_that_is_not_for_it(colorizer, option):
    with pytest.raises(ColorizerError, match="cannot be read") as told:
        colorizer.with_options(**{option: jpeg(ASTRONAUT)[:9000]})
    assert "salvage" not in str(told.value)


def test_hints_lie_on_top(colorizer):
    hints = [{"at": [153.5 / 512, 384.5 / 512], "color": "#3060c0"}]
    both = colorizer.with_options(colors_from=jpeg(ASTRONAUT), hints=hints)
    found = chroma(both.colorize(gray(ASTRONAUT)))[384, 153]
    wanted = chroma(np.uint8([[[0x30, 0x60, 0xC0]]]))[0, 0]
    assert np.linalg.norm(found - wanted) < 4


@pytest.mark.parametrize("options", [{"quality": "best"}, {"result": "pair"}, {"vividness": 0.5}])
def test_other_options_go_with_it(colorizer, options):
    photo = gray(ASTRONAUT)[::2, ::2]
    found = colorizer.with_options(colors_from=ASTRONAUT, **options).colorize(photo)[:, -256:]
    factor = options.get("vividness", 1)
    original = chroma(ASTRONAUT[::2, ::2])
    assert np.median(np.linalg.norm(chroma(found) - factor * original, axis=-1)) < 3


def test_models_without_features_lend_too(tmp_path):
    plain = Colorizer(write_model_folder(tmp_path / "ab"), threads=1)
    other = plain.with_options(colors_from=jpeg(repainted(ASTRONAUT)))
    found = apart(other.colorize(gray(ASTRONAUT)), ASTRONAUT)
    assert np.median(found) < 2


def test_a_preview_shows_what_is_written(colorizer):
    other = colorizer.with_options(colors_from=jpeg(ASTRONAUT))
    photo = gray(ASTRONAUT)
    preview = Preview(photo)
    np.testing.assert_array_equal(preview.colorize(other), other.colorize(photo))
    assert other.look_key != colorizer.look_key
    again = colorizer.with_options(colors_from=jpeg(ASTRONAUT[..., ::-1]))
    assert (preview.colorize(again) != preview.colorize(other)).mean() > 0.5
    assert other.with_options(colors_from=None).look_key == colorizer.look_key


def test_a_photo_is_found_once_while_other_options_change(colorizer, monkeypatch):
    from colorizer.inference import registration

    found = []
    monkeypatch.setattr(
        registration, "register", lambda *both: found.append(register(*both)) or found[-1]
    )
    other = colorizer.with_options(colors_from=jpeg(ASTRONAUT))
    preview = Preview(gray(ASTRONAUT))
    for variant in (1, 2, 3):
        preview.colorize(other.with_options(variant=variant))
    assert len(found) == 1
    other.colorize(gray(ASTRONAUT)[::2, ::2])
    assert len(found) == 2


def test_it_is_kept_and_told(colorizer, tmp_path, monkeypatch):
    version = tmp_path / "by hand.jpg"
    version.write_bytes(jpeg(ASTRONAUT))
    other = colorizer.with_options(colors_from=version)
    version.unlink()  # it is read once
    colored, _ = other.with_options(vividness=0.9).colorize_bytes(jpeg(gray(ASTRONAUT)), ".jpg")
    assert b"colors of by hand.jpg" in colored
    assert pickle.loads(pickle.dumps(other)).look_key == other.look_key


def test_further_pages_are_automatic_and_that_is_told(colorizer, tmp_path):
    photo = Image.fromarray(gray(ASTRONAUT)[::2, ::2])
    photo.save(tmp_path / "two.tif", save_all=True, append_images=[photo])
    other = colorizer.with_options(colors_from=jpeg(ASTRONAUT))
    notes = other.colorize_file(tmp_path / "two.tif", tmp_path / "new.tif")
    assert any("is of its first page; the others are automatic" in note for note in notes)
    with Image.open(tmp_path / "new.tif") as made:
        made.seek(1)
        second = np.asarray(made)
    np.testing.assert_array_equal(second, colorizer.colorize(np.asarray(photo)))


def test_without_opencv_a_sentence_says_what_to_install(colorizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "colorizer.inference.registration")
    with pytest.raises(ColorizerError, match=r"registration extra .*pip install"):
        colorizer.with_options(colors_from=ASTRONAUT)


@settings(max_examples=12)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(32, 90), st.integers(32, 90)),
    st.integers(0, 2),
)
@example((1, 1), (32, 32), 0)
@example((1, 90), (90, 32), 1)
@example((60, 60), (60, 60), 2)
def test_any_sizes_give_a_picture_or_a_sentence(colorizer, sides, others, kind):
    rng = np.random.default_rng(0)
    photo = [
        np.full(sides, 128, np.uint8),
        rng.integers(0, 256, sides, dtype=np.uint8),
        np.tile(np.linspace(0, 255, sides[1]).astype(np.uint8), (sides[0], 1)),
    ][kind]
    version = np.array(Image.fromarray(photo).resize(others[::-1]).convert("RGB"))
    version[..., 2] = 255 - version[..., 2]
    version[..., 0] |= 1
    try:
        found = colorizer.with_options(colors_from=version, size=32).colorize(photo)
    except ColorizerError as error:
        found, told = None, str(error)
    if found is None:
        assert len(told.splitlines()) == 1
        assert len(told) > 40
    else:
        assert found.shape == (*sides, 3)


@pytest.fixture
def folders(tmp_path):
    """Three photos, and versions of two of them."""
    photos, versions = tmp_path / "photos", tmp_path / "versions"
    for folder in (photos / "deep", versions / "deep"):
        folder.mkdir(parents=True)
    pictures = {"a": ASTRONAUT, "deep/b": data.coffee(), "c": data.chelsea()}
    for name, rgb in pictures.items():
        Image.fromarray(gray(rgb)[::2, ::2]).save(photos / f"{name}.png")
    Image.fromarray(pictures["a"]).save(versions / "a.jpg")
    Image.fromarray(pictures["deep/b"]).save(versions / "deep/b_Colorized.webp")
    return photos, versions, pictures


def colorize(*args) -> int:
    return main(["colorize", *map(str, args), "--size", "64"])


def test_folders_are_matched_by_name(folders, tmp_path, capsys):
    photos, versions, pictures = folders
    assert colorize(photos, "-o", tmp_path / "out", "--colors-from", versions) == 1
    told = capsys.readouterr().err
    assert f"failed: {photos / 'c.png'}: there is no colored version of its name in" in told
    for name in ("a", "deep/b"):
        found = np.asarray(Image.open(tmp_path / "out" / f"{name}.png"))
        assert np.median(apart(found, pictures[name][::2, ::2][: len(found)])) < 3
    assert not (tmp_path / "out" / "c.png").exists()
    assert colorize(photos, "-o", tmp_path / "out") == 0  # the one that is left, automatic


def test_named_photos_are_matched_too_and_two_of_a_name_are_told(folders, tmp_path, capsys):
    photos, versions, _ = folders
    assert colorize(photos / "a.png", "-o", tmp_path / "a.png", "--colors-from", versions) == 0
    assert b"colors of a.jpg" in (tmp_path / "a.png").read_bytes()
    Image.fromarray(ASTRONAUT).save(versions / "a.png")
    args = (photos / "a.png", "-o", tmp_path / "b.png", "--colors-from", versions)
    assert colorize(*args) == 1
    assert "have its name; leave one" in capsys.readouterr().err


def test_one_version_is_of_one_photo(folders, capsys):
    photos, versions, _ = folders
    assert colorize(photos, "--colors-from", versions / "a.jpg") == 2
    assert (
        "a colored version (of several, give a folder) is of one photo" in capsys.readouterr().err
    )


def test_a_folder_without_pictures_is_told(folders, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert colorize(folders[0], "--colors-from", tmp_path / "empty") == 2
    assert "there is no picture in" in capsys.readouterr().err


def test_what_is_read_is_known_by_its_pixels():
    first, second = (read_colored_version(jpeg(ASTRONAUT), 10**9) for _ in range(2))
    assert first.key == second.key
    assert first.key != read_colored_version(jpeg(ASTRONAUT[:, ::-1]), 10**9).key
