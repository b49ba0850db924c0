"""Which file becomes which, and runs that go on past bad files."""

import csv
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures import picture as door
from colorizer.pictures.formats import writer
from colorizer.pictures.formats.format import Frame
from colorizer.pictures.picture import Page, Picture
from colorizer.places import memory
from colorizer.places.memory import Budget
from colorizer.places.on_threads import threads_of, workers_of
from colorizer.places.plan import Plan, plan
from colorizer.support.files import temporary
from tests.model_folder import write_model_folder
from tests.places.runs import run
from tests.systems import needs_posix

ROOT = Path(__file__).resolve().parents[2]


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


def pairs(found: Plan) -> dict[str, str]:
    return {item.source: item.target for item in found.todo}


def sources(found: Plan) -> list[str]:
    return [Path(item.source).name for item in (*found.todo, *found.done)]


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
    assert sources(plan([photos])) == ["b.png", "a.jpg"]
    (photos / "b.png").unlink()  # now b-colored.png is a photo like any other
    assert sources(plan([photos])) == ["b-colored.png", "a.jpg"]


def test_the_output_folder_may_lie_in_the_input(photos, colorizer):
    for _ in range(2):
        found = plan([photos], photos / "out")
        assert len(sources(found)) == 2
        run(found, colorizer)
    assert tree(photos / "out") == {"b.png", "deep/er/a.jpg", "report.csv"}


@pytest.mark.parametrize(
    ("inputs", "out", "message"),
    [
        ([], None, "no picture given"),
        (["a.jpg", "b.jpg"], "c.jpg", "several pictures need a folder"),
        (["a.jpg"], "c.xyz", r"cannot write c\.xyz: accepted are \.jpg"),
        (["*.nothing"], None, r"nothing fits the pattern \*\.nothing"),
    ],
)
def test_bad_usage(inputs, out, message):
    with pytest.raises(UsageError, match=message):
        plan(inputs, out)


def test_bad_usage_of_folders(photos, tmp_path):
    with pytest.raises(UsageError, match="is a file; several pictures need a folder"):
        plan([photos], photos / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no picture in .*empty: looked for \.3fr \.arw \.avif"):
        plan([tmp_path / "empty"], tmp_path / "out")


def test_bad_files_are_named_and_the_rest_is_done(photos, colorizer, tmp_path, capsys):
    (photos / "bad.jpg").write_text("no photo")
    result = run(plan([photos, tmp_path / "missing.png"], tmp_path / "out"), colorizer)
    assert result.status == 1
    assert {path.name for path in result.done} == {"b.png", "a.jpg"}
    assert {path.name for path, _ in result.failed} == {"bad.jpg", "missing.png"}
    assert tree(tmp_path / "out") == {"b.png", "deep/er/a.jpg", "report.csv"}
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
    for _ in range(2):
        result = run(plan([photos / "b.png"], tmp_path / "out.png"), colorizer)
        assert (len(result.done), result.status) == (1, 0)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (9, 8)


@needs_posix("such signals")
def test_a_killed_run_leaves_no_trace_after_the_next(photos, tmp_path):
    """The child is killed between writing a file and giving it its name."""
    out = tmp_path / "out"
    model = write_model_folder(tmp_path / "tiny")
    script = (
        "import os, signal, sys, pathlib\n"
        "from colorizer.places.plan import plan\n"
        "from colorizer.inference.colorizer import Colorizer\n"
        "from tests.places.runs import run\n"
        "if len(sys.argv) > 4:\n"
        "    kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    pathlib.Path.replace = kill\n"
        "run(plan([sys.argv[1]], sys.argv[2]), Colorizer(sys.argv[3], threads=1))\n"
    )
    command = [sys.executable, "-c", script, photos, out, model]
    options = {"env": os.environ | {"PYTHONPATH": str(ROOT)}, "capture_output": True}
    assert subprocess.run([*command, "killed"], **options, check=False).returncode < 0
    left = tree(out) - {"report.csv"}
    assert left
    assert all(name.startswith(".colorizer-") for name in left)
    with temporary(out / "other.png", ".png") as ours:  # of a run that goes on beside
        subprocess.run(command, **options, check=True)
        assert ours.exists()
    assert tree(out) == {"b.png", "deep/er/a.jpg", "report.csv"}


def test_one_picture_has_no_progress_bar(photos, colorizer, tmp_path, capsys):
    run(plan([photos / "b.png"], tmp_path / "out.png"), colorizer)
    assert capsys.readouterr().err == ""
    run(plan([photos], tmp_path / "out"), colorizer)
    assert "2/2" in capsys.readouterr().err


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def many(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        Image.fromarray(np.full((20, 10 + i), 60 + i, np.uint8)).save(folder / f"{i:02d}.png")
    return folder


def test_workers_do_the_same_work(colorizer, tmp_path):
    photos = many(tmp_path / "in", 12)
    (photos / "bad.jpg").write_text("no photo")
    found = []
    for workers in (1, 3):
        out = tmp_path / f"out{workers}"
        result = run(plan([photos], out), colorizer, workers=workers)
        assert (len(result.done), len(result.failed)) == (12, 1)
        found.append({path.name: path.read_bytes() for path in out.glob("*.png")})
    assert found[0] == found[1]
    with pytest.raises(UsageError, match="workers is 0; accepted are"):
        run(plan([photos], tmp_path / "out3"), colorizer, workers=0)


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [workers_of(None, count) for count in (0, 1, 3, 1000)] == [1, 1, 3, 8]
    assert workers_of(2, 1000) == 2
    assert [threads_of(workers) for workers in (1, 3, 8, 20)] == [None, 2, 1, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_report_has_a_row_for_each_picture(photos, colorizer, tmp_path, workers):
    (photos / "bad, ü.jpg").write_text("no photo")
    out = tmp_path / "out"
    path = out / "report.csv"
    run(plan([photos], out), colorizer, workers=workers)
    found = {row["path"]: row for row in rows(path)}
    assert set(found) == {"b.png", "deep/er/a.jpg", "bad, ü.jpg", "notes.txt"}
    assert found["notes.txt"]["status"] == "not a picture"
    assert found["b.png"]["status"] == "colored"
    assert found["b.png"]["size"] == "9x8"
    assert float(found["b.png"]["seconds"]) >= 0
    assert found["bad, ü.jpg"]["status"] == "failed"
    assert "no picture of a known format" in found["bad, ü.jpg"]["reason"]
    run(plan([photos], out), colorizer)
    assert sorted(row["status"] for row in rows(path)) == [
        "failed",
        "not a picture",
        "skipped",
        "skipped",
    ]


def test_only_a_folder_has_a_report(photos, colorizer, tmp_path):
    assert plan([photos]).report is None
    assert plan([photos / "b.png"], tmp_path).report is None
    run(plan([photos], tmp_path / "out", shard="2/4"), colorizer)
    assert (tmp_path / "out" / "report-2-of-4.csv").exists()


def test_shards_are_everything_once(colorizer, tmp_path, monkeypatch):
    folder, out = many(tmp_path / "in", 40), tmp_path / "out"
    every = plan([folder], out).todo
    parts = [plan([folder], out, shard=f"{i}/3").todo for i in (1, 2, 3)]
    assert sorted(item for part in parts for item in part) == every
    assert min(map(len, parts)) > 3
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert plan([folder], out).todo == parts[1]
    assert plan([folder], out).share == (2, 3)
    assert plan([folder], out, shard="1/1").todo == every
    for path in list(folder.iterdir())[9:]:  # no share hangs on what there is besides
        path.unlink()
    left = [item for item in parts[1] if Path(item.source).exists()]
    assert plan([folder], out).todo == left


def test_a_lone_photo_is_no_share(photos, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in "01":  # in one of these it would be skipped
        monkeypatch.setenv("RANK", rank)
        assert len(plan([photos / "b.png"]).todo) == 1


def test_variants_are_files(tmp_path):
    folder = many(tmp_path / "in", 1)
    model = Colorizer(write_model_folder(tmp_path / "d", "distribution"), threads=1)
    found = plan([folder / "00.png"], tmp_path / "new.png", variants=3)
    targets = [Path(item.target) for item in found.todo]
    assert [path.name for path in targets] == ["new-1.png", "new-2.png", "new-3.png"]
    run(found, model)
    assert len({path.read_bytes() for path in targets}) == 3
    run(plan([folder], variants=2), model)
    assert tree(folder) == {"00.png", "00-colored-1.png", "00-colored-2.png"}
    assert len(sources(plan([folder], variants=2))) == 2
    with pytest.raises(UsageError, match="variants is 0; accepted are"):
        plan([folder], variants=0)


def test_what_cannot_be_written_becomes_png(tmp_path):
    (tmp_path / "a.HEIC").touch()
    assert pairs(plan([tmp_path], "out")) == {str(tmp_path / "a.HEIC"): "out/a.png"}
    assert pairs(plan([tmp_path / "a.HEIC"])) == {
        str(tmp_path / "a.HEIC"): str(tmp_path / "a-colored.png")
    }


def test_memory_is_shared(colorizer, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "memory_taken", lambda: 800 * 10**6)  # not what other tests left
    photos = many(tmp_path / "in", 8)
    result = run(plan([photos], tmp_path / "out"), colorizer, workers=4, memory=1000)
    assert (len(result.done), result.notes) == (8, [])
    with pytest.raises(UsageError, match="memory is 1; accepted are numbers from"):
        run(plan([photos], tmp_path / "out"), colorizer, memory=1)


def picture(width: int, height: int, suffix: str = ".jpg") -> Picture:
    return Picture(Path("a"), writer(suffix), (Page(Frame(), width, height, 8),))


def test_pictures_too_large_for_the_bound(colorizer, monkeypatch):
    monkeypatch.setattr(memory, "memory_taken", lambda: 50 * 10**6)
    large = colorizer.with_options(size=512, threads=8)
    jpeg = Path("out.jpg")
    whole = memory.estimate(picture(8000, 8000), jpeg, 512, 8) // 10**6 + 101
    with Budget(whole, large).share(picture(8000, 8000), jpeg) as (options, notes):
        assert (options, notes) == ({}, ())
    with Budget(whole - 20, large).share(picture(8000, 8000), jpeg) as (options, notes):
        assert options == {"threads": 1}
        assert "smaller strips" in notes[0]
    with Budget(200, large).share(picture(8000, 8000), jpeg) as (options, notes):
        assert options == {"threads": 1, "size": 256}
        assert "saw it at 256 pixels only" in notes[0]
    fit = Budget(200, large).share(picture(8000, 8000, ".webp"), jpeg)
    with pytest.raises(ColorizerError, match=r"8000 x 8000 .* takes about \d+ MB as WebP to"):
        fit.__enter__()


def test_without_a_bound_nothing_is_refused(colorizer, monkeypatch):
    monkeypatch.setattr(memory, "memory_installed", lambda: 100 * 10**6)
    large = picture(8000, 8000, ".webp")
    budget = Budget(None, colorizer)
    with budget.share(large, Path("out.webp")) as (options, notes):
        assert (options, notes) == ({}, ())
        with ThreadPoolExecutor(1) as pool:  # but a second one waits
            second = pool.submit(budget.share(large, Path("b.webp")).__enter__)
            time.sleep(0.05)
            assert not second.done()
            budget._free = 10**12
            with budget._changed:
                budget._changed.notify_all()
            assert second.result() == ({}, ())


def test_pictures_wait_for_each_other(colorizer, monkeypatch):
    monkeypatch.setattr(memory, "memory_taken", lambda: -50 * 10**6)
    most, running, lock = [0], [0], threading.Lock()
    need = memory.estimate(picture(500, 500), Path("a.jpg"), colorizer.size, 1)
    budget = Budget(2 * need // 10**6 + 1, colorizer)

    def work(_):
        with budget.share(picture(500, 500), Path("a.jpg")):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.01)
            with lock:
                running[0] -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert 1 <= most[0] <= 2


def test_the_header_of_a_picture_is_read_once(photos, colorizer, tmp_path, monkeypatch):
    looked: list[Path] = []
    plain = door.identified
    monkeypatch.setattr(door, "identified", lambda path: (looked.append(path), plain(path))[1])
    run(plan([photos], tmp_path / "out"), colorizer)
    assert sorted(looked) == sorted([photos / "b.png", photos / "deep/er/a.jpg"])


def test_a_photo_that_is_of_another_share_is_said_to_be(photos, colorizer, tmp_path, capsys):
    photo, out = str(photos / "b.png"), tmp_path / "out.png"
    told = {}
    for part in ("1/2", "2/2"):
        model = str(colorizer._network.folder)
        command = ["colorize", photo, "-o", str(out), "--model", model, "--shard", part]
        assert main([*command, "--overwrite"]) == 0
        told[part] = capsys.readouterr()
    done = [part for part in told if told[part].out == f"{out}\n"]
    (other,) = told.keys() - set(done)
    assert f"note: nothing to do: {photo} not in share {other}" in told[other].err
    assert told[done[0]].err == ""
