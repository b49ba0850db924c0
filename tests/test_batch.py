"""Which file becomes which, and runs that go on past bad files."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.errors import UsageError
from colorizer.inference.batch import Job, plan, run
from colorizer.inference.colorizer import Colorizer
from tests.model_folder import write_model_folder


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    return Colorizer(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"), threads=1)


@pytest.fixture
def photos(tmp_path):
    """A folder with two photos, one of them nested, and one file that is no photo."""
    folder = tmp_path / "in"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in ("b.png", "deep/er/a.jpg"):
        Image.fromarray(np.full((8, 9), 100, np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no photo")
    return folder


def pairs(jobs: list[Job]) -> dict[str, str]:
    return {str(job.source): str(job.destination) for job in jobs}


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_beside_the_picture():
    assert pairs(plan(["a/old.jpg", "b.TIF"])) == {
        "a/old.jpg": "a/old-colored.jpg",
        "b.TIF": "b-colored.TIF",
    }


def test_one_picture_to_a_file_or_into_a_folder(tmp_path):
    assert pairs(plan(["old.jpg"], "new.png")) == {"old.jpg": "new.png"}
    assert pairs(plan(["old.jpg"], "new/")) == {"old.jpg": "new/old.jpg"}
    assert pairs(plan(["old.jpg"], tmp_path)) == {"old.jpg": str(tmp_path / "old.jpg")}


def test_a_folder_keeps_its_tree(photos, tmp_path):
    out = tmp_path / "out"
    assert pairs(plan([photos], out)) == {
        str(photos / "b.png"): str(out / "b.png"),
        str(photos / "deep/er/a.jpg"): str(out / "deep/er/a.jpg"),
    }


def test_our_own_results_are_not_colored_again(photos, colorizer):
    assert run(plan([photos]), colorizer).status == 0
    names = {"b.png", "deep/er/a.jpg", "notes.txt", "b-colored.png", "deep/er/a-colored.jpg"}
    assert tree(photos) == names
    assert [job.source.name for job in plan([photos])] == ["b.png", "a.jpg"]
    (photos / "b.png").unlink()  # now b-colored.png is a photo like any other
    assert [job.source.name for job in plan([photos])] == ["b-colored.png", "a.jpg"]


def test_the_output_folder_may_lie_in_the_input(photos, colorizer):
    for _ in range(2):
        jobs = plan([photos], photos / "out")
        assert len(jobs) == 2
        run(jobs, colorizer)
    assert tree(photos / "out") == {"b.png", "deep/er/a.jpg"}


@pytest.mark.parametrize(
    ("inputs", "out", "message"),
    [
        ([], None, "no picture given"),
        (["a.jpg", "b.jpg"], "c.jpg", "several pictures need a folder"),
        (["a.jpg"], "c.xyz", r"cannot write c\.xyz: accepted are \.jpg"),
        (["x/a.jpg", "y/a.jpg"], "out", r"x/a\.jpg and y/a\.jpg would both become out/a\.jpg"),
    ],
)
def test_bad_usage(inputs, out, message):
    with pytest.raises(UsageError, match=message):
        plan(inputs, out)


def test_bad_usage_of_folders(photos, tmp_path):
    with pytest.raises(UsageError, match="is a file; several pictures need a folder"):
        plan([photos], photos / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no picture in .*empty: looked for \.avif"):
        plan([tmp_path / "empty"], tmp_path / "out")


def test_bad_files_are_named_and_the_rest_is_done(photos, colorizer, tmp_path, capsys):
    (photos / "bad.jpg").write_text("no photo")
    result = run(plan([photos, tmp_path / "missing.png"], tmp_path / "out"), colorizer)
    assert result.status == 1
    assert {path.name for path in result.done} == {"b.png", "a.jpg"}
    assert {path.name for path, _ in result.failed} == {"bad.jpg", "missing.png"}
    assert tree(tmp_path / "out") == {"b.png", "deep/er/a.jpg"}
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{photos / 'bad.jpg'} is no picture of a known format" in told.err
    assert f"there is no file {tmp_path / 'missing.png'}" in told.err


def test_a_folder_is_taken_up_where_it_was_left(photos, colorizer, tmp_path):
    out = tmp_path / "out"
    run(plan([photos], out), colorizer)
    (out / "b.png").unlink()
    done = (out / "deep/er/a.jpg").stat().st_mtime_ns
    result = run(plan([photos], out), colorizer)
    assert [path.name for path in result.done] == ["b.png"]
    assert [path.name for path in result.skipped] == ["a.jpg"]
    assert (out / "deep/er/a.jpg").stat().st_mtime_ns == done
    later = photos.joinpath("b.png").stat().st_mtime + 100
    os.utime(photos / "b.png", (later, later))  # the photo has changed since
    assert [path.name for path in run(plan([photos], out), colorizer).done] == ["b.png"]


def test_a_file_that_is_named_is_colored_again(photos, colorizer, tmp_path):
    (tmp_path / "out.png").write_bytes(b"something else")
    result = run(plan([photos / "b.png"], tmp_path / "out.png"), colorizer)
    assert (len(result.done), result.status) == (1, 0)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (9, 8)


def test_one_picture_has_no_progress_bar(photos, colorizer, tmp_path, capsys):
    run(plan([photos / "b.png"], tmp_path / "out.png"), colorizer)
    assert capsys.readouterr().err == ""
    run(plan([photos], tmp_path / "out"), colorizer)
    assert "2/2" in capsys.readouterr().err
