"""A list of shots that a person has edited: cuts, options of each, and colors that are kept."""

import json
from itertools import chain

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from skimage import data  # noqa: E402

from colorizer.cli import main  # noqa: E402
from colorizer.errors import ColorizerError, UsageError  # noqa: E402
from colorizer.film import steady, unfinished  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.shot_list import read_shots  # noqa: E402
from tests.film.films import pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


def write_color(path, pictures, format="yuv420p", codec="ffv1"):
    """A film whose frames are these RGB pictures; returns the planes that FFmpeg makes of them."""
    with av.open(path, "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = *pictures[0].shape[1::-1], format
        for picture in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(video.encode())
    return path


def planes(path):
    """All planes of all frames."""
    with av.open(path) as container:
        frames = container.decode(video=0)
        if container.streams.video[0].pix_fmt == "nv12":
            frames = (frame.reformat(format="yuv420p") for frame in frames)
        return [
            [
                np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[:, : p.width].copy()
                for p in frame.planes
            ]
            for frame in frames
        ]


def in_color(count, start=0):
    return [data.astronaut()[100:190, 2 * i + start : 2 * i + start + 160] for i in range(count)]


def in_gray(count):
    return [np.repeat(values[..., None], 3, 2) for values in pan(count)]


def test_a_report_comes_back_edited(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(16))
    report = tmp_path / "report.json"
    options = {"codec": "ffv1", "report": report}
    colorize_film(film, tmp_path / "a.mkv", model, **options)
    told = json.loads(report.read_text())
    assert told["shots"] == [{"frame": 0, "time": 0.0}]
    again = colorize_film(film, tmp_path / "b.mkv", model, shots=report, codec="ffv1")
    assert again.shots == (0.0,)
    first, same = planes(tmp_path / "a.mkv"), planes(tmp_path / "b.mkv")
    assert all(map(np.array_equal, chain(*first), chain(*same)))
    told["shots"] += [{"time": 0.2, "vividness": 0.0}, {"frame": 10, "variant": 3}]
    report.write_text(json.dumps(told))
    with pytest.raises(UsageError, match="the list of shots and the report"):
        colorize_film(film, tmp_path / "c.mkv", model, shots=report, **options)
    options["report"] = tmp_path / "new.json"
    edited = colorize_film(film, tmp_path / "c.mkv", model, shots=report, **options)
    assert edited.shots == pytest.approx((0.0, 0.2, 0.4))
    ours = planes(tmp_path / "c.mkv")
    assert np.abs(ours[2][1].astype(int) - first[2][1]).max() <= 3  # its palette is of fewer frames
    assert all(np.ptp(plane) == 0 for frame in ours[5:10] for plane in frame[1:])  # no vividness
    assert np.abs(ours[12][1].astype(int) - first[12][1]).mean() > 1
    assert json.loads((tmp_path / "new.json").read_text())["shots"] == [
        {"frame": 0, "time": 0.0},
        {"frame": 5, "time": 0.2, "vividness": 0.0},
        {"frame": 10, "time": 0.4, "variant": 3},
    ]


def test_a_palette_lies_beside_the_list(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(6))
    (tmp_path / "lists").mkdir()
    av.VideoFrame.from_ndarray(data.coffee(), "rgb24").save(tmp_path / "lists" / "warm.png")
    listed = tmp_path / "lists" / "shots.json"
    listed.write_text(json.dumps([{"frame": 0}, {"frame": 3, "palette": "warm.png"}]))
    colorize_film(film, tmp_path / "a.mkv", model, codec="ffv1")
    colorize_film(film, tmp_path / "b.mkv", model, codec="ffv1", shots=listed)
    first, ours = planes(tmp_path / "a.mkv"), planes(tmp_path / "b.mkv")
    assert not np.array_equal(first[4][1], ours[4][1])
    (tmp_path / "lists" / "warm.png").unlink()
    with pytest.raises(ColorizerError, match=r"shots\.json: shot 2: .*warm\.png"):
        colorize_film(film, tmp_path / "c.mkv", model, shots=listed)


def test_a_shot_has_a_balance_of_its_own(tmp_path, model):
    """As the whole film has it, and only there."""
    film = write_film(tmp_path / "in.mkv", pan(6))
    balance = {"natural": True, "warmth": 0.6, "shadows": 0.2}
    shots = [{"frame": 0}, {"frame": 3, **balance}]
    made = {}
    for name, options in {"as it is": {}, "whole": balance, "one shot": {"shots": shots}}.items():
        path = tmp_path / f"{name}.mkv"
        colorize_film(film, path, model, codec="ffv1", steady=0, **options)
        made[name] = planes(path)
    for i, frame in enumerate(made["one shot"]):
        alike = {n: all(map(np.array_equal, frame, made[n][i])) for n in ("as it is", "whole")}
        assert alike == {"as it is": i < 3, "whole": i >= 3}
    wrong = [{"frame": 0, "natural": "yes"}]
    with pytest.raises(UsageError, match=r"shots: shot 1: .*natural.*yes"):
        colorize_film(film, tmp_path / "wrong.mkv", model, shots=wrong)


@pytest.mark.parametrize("format", ["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "nv12"])
def test_kept_chroma_goes_through(tmp_path, model, format):
    codec = "ffv1" if format.startswith("yuv") and "j" not in format else "rawvideo"
    film = write_color(tmp_path / "in.mkv", in_gray(6) + in_color(6), format, codec)
    shots = [{"frame": 0}, {"frame": 6, "keep": True}]
    colorize_film(film, tmp_path / "out.mkv", model, codec="ffv1", shots=shots)
    colorize_film(film, tmp_path / "auto.mkv", model, codec="ffv1", keep_color=True)
    for made in (planes(tmp_path / "out.mkv"), planes(tmp_path / "auto.mkv")):
        for frame, own in zip(made[6:], planes(film)[6:], strict=True):
            assert all(map(np.array_equal, frame[1:], own[1:]))
        assert all(np.ptp(frame[1]) > 4 for frame in made[:6])  # colored


def test_kept_frames_of_a_folder_are_themselves(tmp_path, model):
    folder = tmp_path / "frames"
    folder.mkdir()
    pictures = in_gray(3) + in_color(3)
    for i, picture in enumerate(pictures):
        av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24").save(folder / f"{i}.png")
    result = colorize_film(folder, tmp_path / "out", model, keep_color=True)
    assert result.shots == (0.0, 0.125)
    assert not any("replaced" in note for note in result.notes)
    for i, picture in enumerate(pictures):
        with av.open(tmp_path / "out" / f"{i}.png") as container:
            made = next(container.decode(video=0)).to_ndarray(format="rgb24")
        assert np.array_equal(made, picture) == (i >= 3)


def test_toned_shots_are_not_in_color(tmp_path, model):
    sepia = [(p * np.array([1, 0.85, 0.6])).astype(np.uint8) for p in in_gray(5)]
    film = write_color(tmp_path / "in.mkv", sepia)
    result = colorize_film(film, tmp_path / "out.mkv", model, codec="ffv1", keep_color=True)
    assert any("they are replaced" in note for note in result.notes)
    assert not np.array_equal(planes(film)[2][1], planes(tmp_path / "out.mkv")[2][1])


def test_goes_on_behind_a_segment_that_is_kept_whole(tmp_path, model, monkeypatch):
    monkeypatch.setattr(unfinished, "SEGMENT", 4)
    film = write_color(tmp_path / "in.mkv", in_color(6) + in_gray(6))
    options = {"codec": "ffv1", "keep_color": True}
    colorize_film(film, tmp_path / "whole.mkv", model, **options)
    blend, calls = steady.Steady.step, iter(range(99))

    class Killed(BaseException):
        pass

    def step(*args, **told):
        if next(calls) == 1:
            raise Killed
        return blend(*args, **told)

    with monkeypatch.context() as patch:
        patch.setattr(steady.Steady, "step", step)
        with pytest.raises(Killed):
            colorize_film(film, tmp_path / "out.mkv", model, **options)
    changed = colorize_film(film, tmp_path / "other.mkv", model, codec="ffv1")
    assert len(changed.shots) == 2
    colorize_film(film, tmp_path / "out.mkv", model, **options)
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()


@pytest.mark.parametrize(
    ("shots", "told"),
    [
        ([], "accepted is a list of shots"),
        ({"shots": [{"frame": 0}], "shotz": 1}, "no 'shotz'; did you mean 'shots'"),
        ([{"frame": 0, "vividnes": 1}], "shot 1: there is no 'vividnes'; did you mean 'vividness'"),
        ([{"frame": 3}], "shot 1 begins at frame 3; the first begins at frame 0"),
        ([{"time": 1}], "shot 1 begins at 1 s; the first begins at frame 0"),
        ([{"frame": 0}, {}], "shot 2: needs `frame` or `time`"),
        ([{"frame": 0}, {"frame": 1.5}], "shot 2: frame is 1.5; accepted are whole numbers"),
        ([{"frame": 0}, {"time": float("nan")}], "shot 2: time is nan"),
        ([{"frame": 0}, {"frame": True}], "shot 2: frame is True"),
        ([{"frame": 0, "keep": "yes"}], "keep is 'yes'; accepted are true and false"),
        ([{"frame": 0, "keep": True, "variant": 2}], "keep leaves its colors alone"),
        ([{"frame": 0}, {"frame": 16}], "shot 2 begins at frame 16; the last frame of the film"),
        ([{"frame": 0}, {"time": 9}], "shot 2 begins at 9 s; the last frame of the film is 15"),
        ([{"frame": 0}, {"frame": 5}, {"frame": 5}], "shot 3 begins at frame 5, the one before it"),
        ([{"frame": 0}, {"frame": 5, "time": 0.4}], "frame 5 is shown at 0.200 s, not at 0.4 s"),
        ([{"frame": 0, "vividness": 3}], "shot 1: vividness is 3; accepted are"),
        ([{"frame": 0, "palette": 3}], "palette is 3; accepted is the path of a photo"),
    ],
)
def test_what_does_not_fit_is_told_before_the_work(tmp_path, model, monkeypatch, shots, told):
    film = write_film(tmp_path / "in.mkv", pan(16))
    monkeypatch.setattr("colorizer.film.painter.Painter.answer", None)  # nothing is looked at
    with pytest.raises(UsageError, match=told):
        colorize_film(film, tmp_path / "out.mkv", model, shots=shots)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_a_file_that_is_no_list(tmp_path, model):
    with pytest.raises(ColorizerError, match="cannot be read"):
        read_shots(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('[{"frame": 0, "frame": 1}]')
    with pytest.raises(UsageError, match="given twice"):
        read_shots(tmp_path / "bad.json")


def test_the_list_is_part_of_what_a_run_goes_on_with(tmp_path, model, capsys):
    film = write_film(tmp_path / "in.mkv", pan(6))
    listed = tmp_path / "shots.json"
    listed.write_text('[{"frame": 0}, {"frame": 3, "keep": true}]')
    command = ["video", str(film), str(tmp_path / "out.mkv"), "--model", str(model)]
    assert main([*command, "--shots", str(listed), "--preview"]) == 2
    assert "--shots: not of a preview" in capsys.readouterr().err
    assert main([*command, "--shots", str(listed), "--keep-color"]) == 0
    assert "6 frames, 2 shots" in capsys.readouterr().out
