"""Runs that are killed, run twice, or run side by side: whole films, or none."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from colorizer.errors import ColorizerError, UsageError  # noqa: E402
from colorizer.film import steady, unfinished  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from tests.film.films import pan, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402
from tests.systems import needs_posix  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


@pytest.fixture
def short(monkeypatch):
    """Segments of a few frames."""
    monkeypatch.setattr(unfinished, "SEGMENT", 8)


@pytest.fixture
def frames(tmp_path):
    """A folder of frames, named without leading zeros."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, values in enumerate(pan(20), 1):
        av.VideoFrame.from_ndarray(values, "gray").save(folder / f"f{i}.png")
    return folder


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def dies(monkeypatch, owner, name, after):
    """Let a function end the run at its n-th call."""
    whole, calls = getattr(owner, name), iter(range(10_000))

    def method(*args, **options):
        if next(calls) == after:
            raise Killed
        return whole(*args, **options)

    monkeypatch.setattr(owner, name, method)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_resumes_after_a_kill_with_the_same_bytes(tmp_path, model, monkeypatch, short):
    film = write_film(tmp_path / "in.mkv", np.concatenate([pan(14), pan(9, seed=3)]), sound=True)
    first = colorize_film(film, tmp_path / "whole.mkv", model, report=tmp_path / "a.json")
    with monkeypatch.context() as patch:
        dies(patch, steady.Steady, "step", 18)
        with pytest.raises(Killed):
            colorize_film(film, tmp_path / "out.mkv", model, report=tmp_path / "b.json")
    assert not (tmp_path / "out.mkv").exists()
    counted, step = [], steady.Steady.step
    monkeypatch.setattr(steady.Steady, "step", lambda *a: counted.append(1) or step(*a))
    again = colorize_film(film, tmp_path / "out.mkv", model, report=tmp_path / "b.json")
    assert len(counted) == 23 - 16
    assert (tmp_path / "out.mkv").read_bytes() == (tmp_path / "whole.mkv").read_bytes()
    assert again.steadiness == pytest.approx(first.steadiness)  # of all frames, not of the last
    assert json.loads((tmp_path / "b.json").read_text())["steadiness"]["frames"] == 23
    names = ["a.json", "b.json", "in.mkv", "out.mkv", "whole.mkv"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_a_report_says_how_many_frames_it_is_of(tmp_path, model, monkeypatch, short):
    film = write_film(tmp_path / "in.mkv", pan(20))
    with monkeypatch.context() as patch:
        dies(patch, steady.Steady, "step", 10)
        with pytest.raises(Killed):
            colorize_film(film, tmp_path / "out.mkv", model)
    result = colorize_film(film, tmp_path / "out.mkv", model, report=tmp_path / "b.json")
    assert result.steadiness["frames"] == 12


@pytest.mark.parametrize("after", [0, 3, 11, 19])
def test_frames_that_are_killed_while_they_come_together(
    tmp_path, model, frames, monkeypatch, short, after
):
    colorize_film(frames, tmp_path / "whole", model)
    replace = Path.replace
    moved = []

    def move(self, target):
        if Path(target).parent.name == "result":
            if len(moved) == after:
                raise Killed
            moved.append(target)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", move)
        with pytest.raises(Killed):
            colorize_film(frames, tmp_path / "out", model)
    assert not (tmp_path / "out").exists()
    result = colorize_film(frames, tmp_path / "out", model)
    assert result.frames == 20
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["frames", "out", "whole"]


@pytest.mark.parametrize("kind", ["frames", "film"])
@pytest.mark.parametrize("name", ["state", "segment"])
def test_a_kill_between_a_segment_and_its_state(
    tmp_path, model, frames, monkeypatch, short, name, kind
):
    film = frames if kind == "frames" else write_film(tmp_path / "in.mkv", pan(20))
    out = tmp_path / ("out" if kind == "frames" else "out.mkv")
    replace = Path.replace

    def move(self, target):
        if Path(target).name.startswith(f"{name}-000001"):
            raise Killed
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", move)
        with pytest.raises(Killed):
            colorize_film(film, out, model)
    assert colorize_film(film, out, model).frames == 20
    again = out.with_name(f"again{out.suffix}")
    colorize_film(film, again, model)
    if kind == "frames":
        assert contents(out) == contents(again)
        assert len(contents(out)) == 20
    else:
        assert out.read_bytes() == again.read_bytes()


def test_an_empty_folder_is_filled_and_a_full_one_refused(tmp_path, model, frames):
    (tmp_path / "out").mkdir()
    colorize_film(frames, tmp_path / "out", model)
    assert len(contents(tmp_path / "out")) == 20
    with pytest.raises(UsageError, match="with files in it"):
        colorize_film(frames, tmp_path / "out", model)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        colorize_film(frames, tmp_path / "file", model, overwrite=True)
    (tmp_path / "dir.mkv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        colorize_film(frames, tmp_path / "dir.mkv", model, overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_two_frames_of_one_name_are_refused(tmp_path, model, frames):
    av.VideoFrame.from_ndarray(pan(1)[0], "gray").save(frames / "f2.jpg")
    with pytest.raises(UsageError, match=r"f2\.jpg and f2\.png would both become f2\.png"):
        colorize_film(frames, tmp_path / "out", model)


def test_two_runs_to_one_film(tmp_path, model, monkeypatch):
    film = write_film(tmp_path / "in.mkv", pan(6))
    refused = []
    step = steady.Steady.step

    def second(self, *args):
        if not refused:
            with pytest.raises(UsageError, match=r"another run is at work on .*out\.mkv") as told:
                colorize_film(film, tmp_path / "out.mkv", model, vividness=2.0)
            refused.append(told)
        return step(self, *args)

    monkeypatch.setattr(steady.Steady, "step", second)
    colorize_film(film, tmp_path / "out.mkv", model, vividness=0.0, codec="ffv1")
    assert refused
    with av.open(tmp_path / "out.mkv") as container:
        for frame in container.decode(video=0):
            assert set(bytes(frame.planes[1])[: frame.width // 2]) == {128}


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path, model, monkeypatch):
    film, out = write_film(tmp_path / "in.mkv", pan(6)), tmp_path / "out.mkv"
    step = steady.Steady.step
    monkeypatch.setattr(
        steady.Steady, "step", lambda *args: out.write_bytes(b"mine") and step(*args)
    )
    with pytest.raises(UsageError, match="--overwrite"):
        colorize_film(film, out, model)
    assert out.read_bytes() == b"mine"


@needs_posix("such signals")
def test_a_process_that_is_killed_leaves_no_film_and_is_gone_on_with(tmp_path, model):
    film = write_film(tmp_path / "in.mkv", pan(16))
    out = tmp_path / "out.mkv"
    # the child stops itself where it is asked to, so that nothing hangs on who is faster
    code = (
        "import os, signal, sys; from colorizer.film import unfinished, steady;"
        "unfinished.SEGMENT = 4; step, calls = steady.Steady.step, [];"
        "ends = int(sys.argv.pop());"
        "kill = lambda: len(calls) == ends and os.kill(os.getpid(), signal.SIGKILL);"
        "steady.Steady.step = lambda *a: (calls.append(1), kill(), step(*a))[-1];"
        "from colorizer.film import colorize_film; colorize_film(*sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, str(film), str(out), str(model)]
    assert subprocess.run([*command, "10"], stderr=subprocess.DEVNULL).returncode == -9
    assert not out.exists()
    assert len(list((tmp_path / ".out.mkv.colorizer-parts").glob("segment-*"))) == 2
    subprocess.run([*command, "9"], check=True, stderr=subprocess.DEVNULL)  # 8 are left
    subprocess.run([*command[:-2], str(tmp_path / "again.mkv"), command[-1], "99"], check=True)
    assert out.read_bytes() == (tmp_path / "again.mkv").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.mkv", "in.mkv", "out.mkv"]


def test_parts_of_other_settings_are_not_used(tmp_path, model, monkeypatch):
    film = write_film(tmp_path / "in.mkv", pan(6))
    monkeypatch.setattr("colorizer.film.film_file.FilmFile.join", _fails)
    with pytest.raises(ColorizerError, match="No space left"):
        colorize_film(film, tmp_path / "out.mkv", model)
    monkeypatch.undo()
    result = colorize_film(film, tmp_path / "out.mkv", model, vividness=0.5)
    assert any("thrown away" in note for note in result.notes)


def _fails(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"report": "no/report.json"}, "is in no folder"),
        ({"report": "."}, "is a folder"),
        ({"report": "out.mkv"}, "cannot be the film and its report"),
        ({"preview": True, "report": "r.json"}, "--report: not of a preview"),
        ({"preview": True, "hints": "missing.json"}, "--hints: not of a preview"),
        ({"preview": True, "drop": ["audio"]}, "--drop: not of a preview"),
    ],
)
def test_what_would_be_dropped_or_fail_after_the_work_is_refused(
    tmp_path, model, monkeypatch, options, words
):
    monkeypatch.chdir(tmp_path)
    film = write_film(tmp_path / "in.mkv", pan(2))
    with pytest.raises(UsageError, match=words):
        colorize_film(film, "out.mkv", model, **options)
    assert list(tmp_path.iterdir()) == [film]


def test_a_log_gets_a_line_a_minute(tmp_path, model, monkeypatch, capsys):
    monkeypatch.setattr("colorizer.film.progress.EVERY", 0.0)
    film = write_film(tmp_path / "in.mkv", pan(4))
    colorize_film(film, tmp_path / "out.mkv", model)
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("coloring: 3 of 4 frames, ") and "left" in line for line in lines)
    monkeypatch.setattr("colorizer.film.progress.EVERY", 60.0)
    colorize_film(film, tmp_path / "again.mkv", model)
    assert not capsys.readouterr().err
