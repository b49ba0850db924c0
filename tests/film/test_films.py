"""Folders of films: each becomes one of ours, is refused, or is told to be none."""

import csv
import os

import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from colorizer.cli import main  # noqa: E402
from colorizer.film.colorize import colorize_film  # noqa: E402
from colorizer.film.films import is_colored_film  # noqa: E402
from tests.film.films import pan, read_film, write_film  # noqa: E402
from tests.model_folder import write_model_folder  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("film") / "model", "distribution", size=64)


@pytest.fixture
def color(model, tmp_path):
    """`colorizer video in out`, with the tiny model."""
    source, out = tmp_path / "in", tmp_path / "out"
    return lambda *more: main(["video", str(source), str(out), "--model", str(model), *more])


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    (folder / "reels" / "deep").mkdir(parents=True)
    write_film(folder / "one.mp4", pan(3), codec="libx264", sound=True)
    write_film(folder / "reels" / "deep" / "two.mpg", pan(4), codec="mpeg2video")
    (folder / "notes.txt").write_text("nothing")
    return folder


def rows(report):
    with report.open(encoding="utf-8-sig", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_a_tree_of_films_is_colored_once(color, folder, tmp_path, model, capsys):
    out = tmp_path / "out"
    assert color() == 0
    assert "2 colored, 0 done before, 0 failed, 1 no films" in capsys.readouterr().out
    assert len(read_film(out / "reels" / "deep" / "two.mkv")[0]) == 4
    alone = colorize_film(folder / "one.mp4", tmp_path / "alone.mp4", model).path
    assert alone.read_bytes() == (out / "one.mp4").read_bytes()
    told = rows(out / "report.csv")
    assert {name: row["status"] for name, row in told.items()} == {
        "notes.txt": "not a film",
        "one.mp4": "colored",
        "reels/deep/two.mpg": "colored",
    }
    assert color() == 0
    assert "0 colored, 2 done before, 0 failed" in capsys.readouterr().out
    later = (out / "one.mp4").stat().st_mtime + 10
    os.utime(folder / "one.mp4", (later, later))
    assert color() == 0
    assert "1 colored, 1 done before" in capsys.readouterr().out


def test_failures_and_files_of_the_user_stop_nothing(color, folder, tmp_path, capsys):
    (folder / "broken.avi").write_bytes(b"RIFF nothing of a film")
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "one.mp4"
    mine.write_bytes(b"mine")
    assert color() == 1
    told = capsys.readouterr()
    assert "1 colored, 0 done before, 2 failed" in told.out
    assert "one.mp4 is there already and bears no mark of ours" in told.err
    assert "broken.avi" in told.err
    assert mine.read_bytes() == b"mine"
    assert color("--overwrite") == 1
    assert is_colored_film(mine)


def test_films_that_would_become_one_are_named(color, folder, capsys):
    (folder / "reels" / "deep" / "two.vob").write_bytes(b"")
    for _ in range(2):
        assert color() == 1
        assert "would become the same" in capsys.readouterr().err


def test_shares_are_all_of_it_and_the_format_is_chosen(color, folder, tmp_path):
    for share in ("1/3", "2/3", "3/3"):
        assert color("--shard", share, "--format", "mov") == 0
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.mov"))
    assert made == ["one.mov", "reels/deep/two.mov"]


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"])
def test_the_mark_is_seen_in_every_container(tmp_path, model, suffix):
    codec = "libvpx-vp9" if suffix == ".webm" else "mpeg4"
    film = write_film(tmp_path / f"in{suffix}", pan(2), codec=codec)
    assert not is_colored_film(film)
    assert is_colored_film(colorize_film(film, tmp_path / f"out{suffix}", model).path)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--preview"], "--preview does not go with a folder of films"),
        (["--rate", "18"], "--rate does not go with a folder of films"),
        (["--format", "xyz"], "cannot write .xyz"),
        (["--shard", "4/3"], "accepted is i/n"),
    ],
)
def test_what_is_of_one_film_is_refused(color, folder, capsys, more, words):
    assert color(*more) == 2
    assert words in capsys.readouterr().err


def test_folders_that_cannot_be_meant(folder, tmp_path, model, capsys):
    own = ["--model", str(model)]
    assert main(["video", str(folder), str(tmp_path), *own]) == 2
    assert "contains the films" in capsys.readouterr().err
    assert main(["video", str(folder), str(tmp_path / "a.mkv"), *own]) == 2
    assert "needs a folder to go to" in capsys.readouterr().err
    assert main(["video", str(folder / "one.mp4"), str(tmp_path / "a.mkv"), "--shard", "1/2"]) == 2
    assert "--shard does not go with one film" in capsys.readouterr().err
    (folder / "0001.png").write_bytes(b"")
    assert main(["video", str(folder), str(tmp_path / "out"), *own]) == 2
    assert "holds films (one.mp4) and pictures (0001.png)" in capsys.readouterr().err
