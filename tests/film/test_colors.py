"""A film's colors are those that the same picture gets as a photo, frame by frame."""

from dataclasses import fields

import numpy as np
import pytest

av = pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from skimage.color import rgb2lab  # noqa: E402

from colorizer import Colorizer  # noqa: E402
from colorizer.errors import UsageError  # noqa: E402
from colorizer.film.colorize import colorize_film, steered  # noqa: E402
from colorizer.film.painter import Painter  # noqa: E402
from colorizer.film.source import frames, open_film  # noqa: E402
from colorizer.options import ColorizeOptions, FilmOptions, SteeringOptions  # noqa: E402
from tests.film.films import pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "plain", "ab", size=64)


def wide(count):
    return pan(count, width=240, height=200)


def colors_of(path):
    with av.open(path) as container:
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return rgb2lab(np.stack(found))[..., 1:]


def photo(model, luma, **options):
    rgb = Colorizer(model, **options).colorize(np.repeat(luma[..., None], 3, -1))
    return rgb2lab(rgb)[..., 1:]


OPTIONS = [
    {},
    {"vividness": 0.5},
    {"warmth": 0.6, "shadows": 0.5, "natural": True},
    {"temperature": 0.2},
    {"variant": 3},
    {"quality": "best"},
    {"size": 96},
    {"palette": np.full((40, 40, 3), (200, 90, 40), np.uint8)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "none")
def test_each_frame_has_the_colors_of_its_photo(tmp_path, model, options):
    luma = wide(3)
    film = write_film(tmp_path / "in.mkv", luma, format="gray", full=True)
    out = colorize_film(film, tmp_path / "out.mkv", model, steady=0.0, codec="ffv1", **options).path
    found = colors_of(out)
    chroma = np.linalg.norm(found, axis=-1).mean()
    assert chroma > 1
    for ab, values in zip(found, luma, strict=True):
        expected = photo(model, values, **options)
        apart = np.linalg.norm(ab - expected, axis=-1).mean()
        assert apart < 0.12 * np.linalg.norm(expected, axis=-1).mean() + 0.3
    if not {"quality", "temperature"} & set(options):  # which change so small a network little
        base, mine = (photo(model, luma[0], **given) for given in ({}, options))
        far, near = (np.linalg.norm(found[0] - ab, axis=-1).mean() for ab in (base, mine))
        assert near < far or not options


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_network_sees_the_picture_as_a_viewer_does(
    tmp_path, model, turns, mirrored, monkeypatch
):
    cos, sin = [(1, 0), (0, -1), (-1, 0), (0, 1)][turns]  # counterclockwise, y downward
    across = -1 if mirrored else 1
    matrix = [65536 * v for v in (cos * across, sin * across, 0, -sin, cos, 0, 0, 0, 16384)]
    luma = pan(1, width=160, height=120)
    film = open_film(write_film(tmp_path / "in.mp4", luma, codec="libx264", display=matrix))
    seen = []
    painter = Painter(film, steered(model, FilmOptions()))
    look = painter.model.see
    monkeypatch.setattr(
        painter.model, "see", lambda small, *a, **k: seen.append(small) or look(small, *a, **k)
    )
    (frame,) = frames(film)
    painter.answer(painter.lightness(frame)[1])
    expected = np.rot90(luma[0][:, ::-1] if mirrored else luma[0], turns).astype(np.float32)
    small = cv2.resize(expected, seen[0].shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.corrcoef(seen[0].ravel(), small.ravel())[0, 1] > 0.97


def test_frames_of_16_bits_stay_so(tmp_path, model):
    from PIL import Image

    folder = tmp_path / "frames"
    folder.mkdir()
    luma = wide(2).astype(np.uint16) * 257 + 90
    for i, values in enumerate(luma):
        Image.fromarray(values).save(folder / f"{i}.png")
    colorize_film(folder, tmp_path / "out", model)
    for i, values in enumerate(luma):
        with av.open(tmp_path / "out" / f"{i}.png") as container:
            frame = next(container.decode(video=0))
        assert frame.format.name == "rgb48be"
        rgb = frame.to_ndarray(format="rgb48le").astype(float)
        assert np.abs(rgb @ [0.299, 0.587, 0.114] - values).max() < 1.01
    Image.fromarray((luma[0] >> 8).astype(np.uint8)).save(folder / "9.png")
    with pytest.raises(Exception, match=r"9\.png has 8 bits, the first frame 16"):
        colorize_film(folder, tmp_path / "no.mkv", model, codec="ffv1")


def test_a_turned_film_becomes_upright_frames(tmp_path, model):
    film = write_film(tmp_path / "in.mp4", pan(1), codec="libx264", rotation=90)
    colorize_film(film, tmp_path / "out", model)
    with av.open(tmp_path / "out" / "000001.png") as container:
        shown = next(container.decode(video=0)).to_ndarray(format="gray").astype(float)
    assert shown.shape == (160, 90)
    expected = np.rot90(pan(1)[0], 1).astype(float)
    assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.97


def test_no_option_is_defined_twice():
    shared = {f.name for f in fields(SteeringOptions)}
    for options in (ColorizeOptions, FilmOptions):
        assert not (shared - {"variant"}) & set(vars(options)["__annotations__"])
        assert "vividness: factor on chroma" in options.__doc__
    for name in shared:
        assert FilmOptions._default(name) == ColorizeOptions._default(name)


@pytest.mark.parametrize(
    "options", [{"temperature": 0.5}, {"palette": np.zeros((9, 9, 3), np.uint8)}, {"variant": 2}]
)
def test_what_a_model_cannot_is_refused(plain, options):
    with pytest.raises(UsageError, match="predicts no distribution"):
        steered(plain, FilmOptions(**options))
    with pytest.raises(UsageError, match="predicts no distribution, so it takes no hints"):
        steered(plain, FilmOptions(hints=[]))
