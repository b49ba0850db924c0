"""What a page shows of a film: stretches, single frames, how far a work is."""

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from fractions import Fraction  # noqa: E402

from PIL import Image  # noqa: E402

from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.key_frames import key_frames  # noqa: E402
from colorizer.film.progress import WorkStoppedError, watched  # noqa: E402
from colorizer.film.source import frames, open_film, stretch  # noqa: E402
from tests.film.films import pan, read_film, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402

KINDS = {
    "capture.ts": {"codec": "libx264", "start": 10},
    "disc.mpg": {"codec": "mpeg2video"},
    "old.avi": {"codec": "mpeg4"},
    "b-frames.mp4": {"codec": "libx264", "options": {"bf": "3", "g": "20"}, "start": 5},
}


@pytest.mark.parametrize("name", KINDS)
def test_a_stretch_begins_at_its_very_frame(tmp_path, name):
    film = open_film(write_film(tmp_path / name, pan(50, 0, 96, 72), **KINDS[name]))
    all_of_it = list(frames(film))
    for first in (0, 13, 19, 20, 47):
        wanted = all_of_it[first : first + 4]
        found = list(stretch(film, wanted[0].pts, 4))
        assert [one.pts for one in found] == [one.pts for one in wanted]
        assert [one.index for one in found] == list(range(len(wanted)))
        pairs = zip(found, wanted, strict=True)
        assert all(np.array_equal(one.luma, other.luma) for one, other in pairs)


def test_single_frames_are_as_a_viewer_sees_them(tmp_path):
    luma = pan(6, 0, 96, 72)
    shape = {"rotation": 90, "aspect": Fraction(4, 3)}
    path = write_film(tmp_path / "turned.mp4", luma, codec="libx264", **shape)
    film = open_film(path)
    (found,) = key_frames(film, [3])
    assert found.index == 3
    assert found.own is None
    assert found.gray.shape == (128, 72)  # 96 wide pixels, upended
    light = ((read_film(path)[0][3] - 16.0) / 219).clip(0, 1) * 255  # of the range of studios
    turned = Image.fromarray(np.rint(np.rot90(light)).astype(np.uint8))
    true = np.asarray(turned.resize((72, 128), Image.Resampling.BILINEAR))
    assert np.abs(found.gray.astype(int) - true).max() <= 2


def test_sixteen_bits_stay(tmp_path):
    luma = pan(3, 0, 96, 72).astype(np.uint16) * 257
    film = open_film(write_film(tmp_path / "deep.mkv", luma, format="gray16le", full=True))
    (found,) = key_frames(film, [1])
    assert np.array_equal(found.gray, luma[1])


def test_a_work_is_told_of_and_ended_by_who_watches(tmp_path):
    model = write_model_folder(tmp_path / "model", "distribution", size=64)
    film = write_film(tmp_path / "in.mkv", pan(8, 0, 96, 72))
    told = []

    def tell(what, done, total):
        told.append((what, done, total))
        return what == "coloring" and done == 3

    with watched(tell), pytest.raises(WorkStoppedError):
        colorize_film(film, tmp_path / "out.mkv", model)
    assert told[-1] == ("coloring", 3, 8)
    assert ("looking", 8, 8) in told
    assert not (tmp_path / "out.mkv").exists()
