"""Colored frames as references: they hold at their place, and travel to both ends of their shot."""

import shutil

import numpy as np
import pytest

av = pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from skimage import color, data  # noqa: E402

from colorizer.cli import main  # noqa: E402
from colorizer.errors import UsageError  # noqa: E402
from colorizer.film import steady, unfinished  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.painter import Painter  # noqa: E402
from colorizer.film.references import between, spread  # noqa: E402
from colorizer.film.source import open_film  # noqa: E402
from colorizer.film.steady import Recalled  # noqa: E402
from colorizer.inference.steered import SteeredModel  # noqa: E402
from tests.film.films import pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


def window(i):
    """A frame in color of a camera that turns by two pixels."""
    return np.ascontiguousarray(data.coffee()[150:240, 100 + 2 * i : 260 + 2 * i])


@pytest.fixture
def film(tmp_path):
    """A film in gray of twenty such frames, and a shot of something else."""
    luma = [
        av.VideoFrame.from_ndarray(window(i), "rgb24").to_ndarray(format="gray") for i in range(20)
    ]
    return write_film(tmp_path / "in.mkv", np.concatenate([luma, pan(8)]), full=True, matrix=6)


def references(tmp_path, *numbers, shown=None):
    folder = tmp_path / "references"
    folder.mkdir(exist_ok=True)
    for number in numbers:
        picture = window(number if shown is None else shown)
        av.VideoFrame.from_ndarray(picture, "rgb24").save(folder / f"{number:06d}.png")
    return folder


def apart(path, indices):
    """Mean distance in ab of frames of a film from the true ones, within the frame."""
    with av.open(path) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    found = []
    for i in indices:
        ours, true = (color.rgb2lab(p)[8:-8, 8:-8, 1:] for p in (shown[i], window(i)))
        found.append(float(np.linalg.norm(ours - true, axis=-1).mean()))
    return found


def test_colors_hold_and_travel_both_ways_within_the_shot(tmp_path, film, model):
    colorize_film(film, tmp_path / "alone.mkv", model, codec="ffv1")
    folder = references(tmp_path, 10)
    colorize_film(film, tmp_path / "out.mkv", model, codec="ffv1", reference=folder)
    there, near, far = apart(tmp_path / "out.mkv", (10, 7, 16))
    assert there < 3
    assert max(near, far) < 6
    assert min(apart(tmp_path / "alone.mkv", (7, 10, 16))) > 15
    one, other = (tmp_path / name for name in ("alone.mkv", "out.mkv"))
    with av.open(one) as a, av.open(other) as b:
        pairs = [
            [f.to_ndarray(format="rgb24").astype(int) for f in (x, y)]
            for x, y in zip(a.decode(video=0), b.decode(video=0), strict=True)
        ]
    assert all(np.array_equal(x, y) for x, y in pairs[20:])  # the other shot


@pytest.mark.parametrize("hold", [0.0, 0.92])
def test_a_run_goes_on_with_the_same_bytes(tmp_path, film, model, monkeypatch, hold):
    monkeypatch.setattr(unfinished, "SEGMENT", 8)
    options = {"codec": "ffv1", "reference": references(tmp_path, 3, 14), "steady": hold}
    colorize_film(film, tmp_path / "whole.mkv", model, **options)
    step, calls = steady.Steady.step, iter(range(99))

    class Killed(BaseException):
        pass

    def killed(*args):
        if next(calls) == 10:
            raise Killed
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(steady.Steady, "step", killed)
        with pytest.raises(Killed):
            colorize_film(film, tmp_path / "out.mkv", model, **options)
    colorize_film(film, tmp_path / "out.mkv", model, **options)
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_folder_of_frames_has_references_by_name(tmp_path, model):
    frames, folder = tmp_path / "frames", tmp_path / "references"
    frames.mkdir(), folder.mkdir()
    for i in range(6):
        gray = av.VideoFrame.from_ndarray(window(i), "rgb24").reformat(format="gray")
        gray.save(frames / f"scan{i + 101}.png")
    av.VideoFrame.from_ndarray(window(2), "rgb24").save(folder / "scan103.png")
    colorize_film(frames, tmp_path / "out.mkv", model, codec="ffv1", reference=folder)
    assert max(apart(tmp_path / "out.mkv", (0, 2, 5))) < 6
    shutil.move(folder / "scan103.png", folder / "2.png")
    with pytest.raises(UsageError, match="needs the name of one of its frames"):
        colorize_film(frames, tmp_path / "no.mkv", model, reference=folder)


def test_what_does_not_fit_is_told(tmp_path, film, model, capsys):
    def refused(told, folder):
        with pytest.raises(UsageError, match=told):
            colorize_film(film, tmp_path / "out.mkv", model, reference=folder)
        assert not (tmp_path / "out.mkv").exists()
        assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]

    refused("is no folder", tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused("holds no pictures", empty)
    refused("the last frame of .* is 27, counted from 0", references(tmp_path, 28, shown=1))
    shutil.rmtree(tmp_path / "references")
    refused("does not show frame 22 of the film", references(tmp_path, 22, shown=1))
    shutil.rmtree(tmp_path / "references")
    refused("it is like frame 19: frames are counted from 0", references(tmp_path, 20, shown=19))
    shutil.rmtree(tmp_path / "references")
    folder = references(tmp_path, 4)
    shutil.copy(folder / "000004.png", folder / "4.png")
    refused("are both of frame 4", folder)
    (folder / "4.png").unlink()
    shutil.move(folder / "000004.png", folder / "fourth.png")
    refused("needs the number of a frame", folder)
    (folder / "fourth.png").unlink()
    for name, picture, told in (
        ("1.png", window(1)[:, :80], "has 80x90 pixels, .* shows 160 to 90"),
        ("1.png", np.repeat(window(1)[..., :1], 3, 2), "has no colors"),
    ):
        av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24").save(folder / name)
        refused(told, folder)
    command = ["video", str(film), str(tmp_path / "out.mkv"), "--model", str(model)]
    assert main([*command, "--reference", str(folder), "--preview"]) == 2
    assert "--reference: not of a preview" in capsys.readouterr().err


def test_between_two_the_nearer_counts_more():
    one, other = (
        Recalled(np.full((2, 2, 2), value, np.float32), np.full((2, 2), weight, np.float32))
        for value, weight in ((10, 1), (20, 0.5))
    )
    assert between(one, None, 0.3) is one
    assert between(None, None, 0.3) is None
    both = between(one, other, 0.5)
    assert both.ab == pytest.approx(10 + 10 / 3)
    assert both.weight == pytest.approx(1)
    assert between(one, other, 1).ab == pytest.approx(20)


def test_what_is_sure_is_spread_to_where_nothing_is_told(tmp_path, model):
    film = open_film(write_film(tmp_path / "in.mkv", pan(1)))
    painter = Painter(film, SteeredModel(model))
    width, height = painter.grid
    told = Recalled(np.full((height, width, 2), (30, -10), np.float32), np.ones((height, width)))
    assert not spread(told, painter)
    told.weight[:, width // 2 :] = 0
    hints = spread(told, painter)
    assert 10 <= len(hints.points) <= 20
    assert all(hint.places[0][0] < 0.5 and hint.ab == (30, -10) for hint in hints.points)
