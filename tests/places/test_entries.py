"""Nothing is passed over in silence, and nothing of the user's is overwritten."""

import contextlib
import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.formats import WRITABLE
from colorizer.pictures.metadata.mark import is_marked
from colorizer.places.plan import plan
from tests.model_folder import write_model_folder
from tests.places.runs import Outcome, run
from tests.systems import needs_posix

ROOT = Path(__file__).resolve().parents[2]
PHOTO = Image.fromarray(np.tile(np.arange(40, 200, 4, dtype=np.uint8), (30, 1)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def colorizer(model):
    return Colorizer(model, threads=1)


def encoded(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    PHOTO.save(buffer, kind, **options)
    return buffer.getvalue()


def worked(colorizer: Colorizer, folder: Path, out: Path) -> tuple[Outcome, dict[str, str]]:
    """What became of a folder, and the status of each entry as its report has it."""
    result = run(plan([folder], out), colorizer)
    with (out / "report.csv").open(newline="", encoding="utf-8") as file:
        return result, {row["path"]: row["status"] for row in csv.DictReader(file)}


def command(*arguments: object, model: Path, **options: object) -> subprocess.CompletedProcess:
    options = {"capture_output": True, "timeout": 60, "check": False, "cwd": ROOT} | options
    line = [sys.executable, "-m", "colorizer.cli", "colorize", *arguments]
    return subprocess.run([*line, "--model", model, "--threads", "1"], **options)


@needs_posix("named pipes")
def test_every_entry_ends_in_the_report(colorizer, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    jpeg = encoded("JPEG")
    for name in ("a.jpg", "scan", "b.mpo", "c.jpg_large", "IMG.0001", "sub/d.JPG"):
        (folder / name).write_bytes(jpeg)
    (folder / "really.txt").write_bytes(encoded("PNG"))
    (folder / "film.mov").write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")
    (folder / "notes.txt").write_text("BM: no photo, though it begins as one")
    (folder / ".hidden.jpg").write_bytes(jpeg)
    (folder / ".trash").mkdir()
    (folder / "raw.cr2").write_bytes(b"II*\0\x10\0\0\0CR\2\0")
    (folder / "broken.jxl").write_text("no photo")
    os.mkfifo(folder / "pipe")
    (folder / "dangling.jpg").symlink_to(folder / "gone.jpg")
    (folder / "around").symlink_to(folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.png").write_bytes(encoded("PNG"))
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "twice").symlink_to(tmp_path / "elsewhere")
    result, found = worked(colorizer, folder, out)
    colored = {"a.jpg", "scan", "b.mpo", "c.jpg_large", "IMG.0001", "sub/d.JPG", "really.txt"}
    none = {"film.mov", "notes.txt", ".hidden.jpg", ".trash", "pipe", "around", "twice"}
    expected = dict.fromkeys(colored | {"linked/e.png"}, "colored")
    expected |= dict.fromkeys(none, "not a picture")
    expected |= dict.fromkeys({"raw.cr2", "broken.jxl", "dangling.jpg"}, "failed")
    assert found == expected
    assert result.status == 1
    made = {path.name for path in out.rglob("*") if path.is_file()}
    assert {"scan.jpg", "b.jpg", "c.jpg", "IMG.0001.jpg", "really.txt.png"} < made
    _, again = worked(colorizer, folder, out)
    skipped = {name for name, status in again.items() if status == "skipped"}
    assert skipped == {name for name, status in expected.items() if status == "colored"}


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root reads everything")
@needs_posix("modes of files")
def test_an_unreadable_folder_is_named(colorizer, tmp_path):
    (tmp_path / "in" / "closed").mkdir(parents=True)
    (tmp_path / "in" / "a.jpg").write_bytes(encoded("JPEG"))
    (tmp_path / "in" / "closed").chmod(0)
    result, found = worked(colorizer, tmp_path / "in", tmp_path / "out")
    assert found["closed"] == "failed"
    assert result.status == 1


def test_two_that_would_become_one_are_named_and_the_others_go_on(colorizer, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("IMG_1.heic", "IMG_1.png", "other.png"):
        (folder / name).write_bytes(encoded("PNG"))
    result, found = worked(colorizer, folder, tmp_path / "out")
    assert found == {"IMG_1.heic": "failed", "IMG_1.png": "failed", "other.png": "colored"}
    (_, reason), _ = result.failed
    assert "IMG_1.heic and" in reason
    assert "would become the same" in reason
    same = [folder / "other.png"] * 2
    assert run(plan(same, tmp_path / "out2"), colorizer).status == 0


@pytest.mark.parametrize("extension", sorted(WRITABLE))
def test_our_results_are_known_by_their_mark(colorizer, tmp_path, extension):
    source = tmp_path / "in.png"
    source.write_bytes(encoded("PNG"))
    out = tmp_path / f"out{extension}"
    assert run(plan([source], out), colorizer).status == 0
    assert is_marked(out)
    assert not is_marked(source)
    assert run(plan([source], out), colorizer).status == 0


@pytest.mark.parametrize("where", ["beside", "named", "folder", "variant", "itself"])
def test_what_is_the_users_stays(model, tmp_path, where):
    (tmp_path / "e.jpg").write_bytes(encoded("JPEG"))
    theirs = encoded("JPEG", quality=50)
    options = {
        "beside": ("e-colored.jpg", []),
        "named": ("x.jpg", ["-o", "x.jpg"]),
        "folder": ("out/e.jpg", ["-o", "out"]),
        "variant": ("x-2.jpg", ["-o", "x.jpg", "--variants", "2"]),
        "itself": ("e.jpg", ["-o", "e.jpg"]),
    }
    name, more = options[where]
    if where == "variant":
        model = write_model_folder(tmp_path / "d", "distribution")
    (tmp_path / "out").mkdir()
    before = theirs if where != "itself" else (tmp_path / "e.jpg").read_bytes()
    (tmp_path / name).write_bytes(before)
    place = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "model": model}
    done = command("e.jpg", *more, **place)
    assert done.returncode == 1
    assert f"{name} is there already and bears no mark of ours" in done.stderr.decode()
    assert (tmp_path / name).read_bytes() == before
    assert command("e.jpg", *more, "--overwrite", **place).returncode == 0
    assert is_marked(tmp_path / name)


def test_the_users_own_colored_photo_is_a_photo_like_others(tmp_path):
    for name in ("e.jpg", "e-colored.jpg"):
        (tmp_path / name).write_bytes(encoded("JPEG"))
    names = [Path(item.source).name for item in plan([tmp_path]).todo]
    assert names == ["e-colored.jpg", "e.jpg"]


@needs_posix("symbolic links without a right of their own")
@pytest.mark.parametrize("linked", [False, True])
def test_the_output_is_not_the_input(tmp_path, linked):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(encoded("JPEG"))
    out = tmp_path / "in"
    if linked:
        out = tmp_path / "link"
        out.symlink_to(tmp_path / "in")
    with pytest.raises(UsageError, match="is the folder of the pictures themselves"):
        plan([tmp_path / "in"], out)


def test_patterns_in_quotes(tmp_path):
    (tmp_path / "f").mkdir()
    for name in ("f/a.jpg", "f/b.jpg", "f/c.png", "f/x[1].jpg"):
        (tmp_path / name).write_bytes(encoded("JPEG"))
    found = plan([f"{tmp_path}/f/*.jpg"], tmp_path / "out").todo
    assert [Path(item.target).name for item in found] == ["a.jpg", "b.jpg", "x[1].jpg"]
    assert plan([tmp_path / "f/x[1].jpg"]).todo[0].source == str(tmp_path / "f/x[1].jpg")


def test_a_name_that_gets_too_long_is_noticed_first(colorizer, tmp_path):
    name = "ä" * 122 + "n.jpg"  # 249 bytes, and 257 with the suffix
    (tmp_path / name).write_bytes(encoded("JPEG"))
    found = plan([tmp_path / name])
    assert "the name of its result has 257 bytes, more than 255" in found.todo[0].problem
    assert run(found, colorizer).status == 1


def test_a_format_for_all_results(tmp_path):
    (tmp_path / "a.jp2").write_bytes(encoded("JPEG2000"))
    (item,) = plan([tmp_path], tmp_path / "out", format="tif").todo
    assert item.target == str(tmp_path / "out" / "a.tif")
    with pytest.raises(UsageError, match=r"cannot write \.xyz"):
        plan([tmp_path], format="xyz")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are any bytes there")
def test_names_that_are_not_utf8(model, tmp_path):
    folder = os.fsencode(tmp_path) + b"/f\xe9"
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/caf\xe9.jpg")).write_bytes(encoded("JPEG"))
    own = os.fsdecode(folder + b"/m\xf6del")
    os.rename(model, own)
    try:
        for options in ([], ["-o", folder + b"/out.tif"], ["-o", folder + b"/o\xfct/"]):
            env = os.environ | {"PYTHONIOENCODING": "cp1252"}
            done = command(folder + b"/caf\xe9.jpg", *options, model=own, env=env)
            assert done.returncode == 0, done.stderr
            assert b"Traceback" not in done.stderr
    finally:
        os.rename(own, model)
    assert os.path.exists(folder + b"/caf\xe9-colored.jpg")
    assert os.path.exists(folder + b"/o\xfct/caf\xe9.jpg")


def test_a_console_that_cannot_show_a_name(model, tmp_path):
    (tmp_path / "Łódź.jpg").write_bytes(encoded("JPEG"))
    env = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = command(tmp_path / "Łódź.jpg", model=model, env=env)
    assert done.returncode == 0
    assert b"\\u0141\xf3d\\u017a-colored.jpg" in done.stdout


def test_standard_input_and_output(model, tmp_path):
    jpeg = encoded("JPEG")
    done = command("-", "-o", "-", "--format", "png", model=model, input=jpeg)
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("PNG", PHOTO.size)
    done = command("-", "-o", "-", model=model, input=jpeg)
    assert Image.open(io.BytesIO(done.stdout)).format == "JPEG"
    assert command("-", "-o", tmp_path / "o.webp", model=model, input=jpeg).returncode == 0
    assert is_marked(tmp_path / "o.webp")
    for arguments, text in ((["-"], b"name the output"), (["-", "b", "-o", "-"], b"one picture")):
        done = command(*arguments, model=model, input=jpeg)
        assert done.returncode == 2
        assert text in done.stderr
    done = command("-", "-o", "-", model=model, input=b"")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"nothing at standard input" in done.stderr


@needs_posix("bash")
def test_a_pipe_that_closes_early_ends_quietly():
    line = f"{sys.executable} -m colorizer.cli --help | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, check=False)
    assert done.stderr == b""


def test_a_second_run_over_one_picture_says_so(model, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(encoded("JPEG"))
    for expected in (b"out/a.jpg", b"0 colored, 1 done before, 0 failed"):
        done = command(tmp_path / "in", "-o", tmp_path / "out", model=model)
        assert expected in done.stdout


def test_damage_is_told_and_salvaged_on_request(colorizer, tmp_path):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (64, 64), np.uint8))
    noise.save(tmp_path / "whole.jpg", quality=95)
    data = bytearray((tmp_path / "whole.jpg").read_bytes())
    assert colorizer.colorize_file(bytes(data), tmp_path / "out.png") == ()
    notes = colorizer.colorize_file(bytes(data[:-2]), tmp_path / "out.png")
    assert "lacks its end marker; all of its pixels are there" in notes[0]
    (note,) = colorizer.colorize_file(bytes(data) + b"trailer", tmp_path / "out.png")
    assert "7 bytes behind the picture cannot be kept" in note
    harmless = bytes(data[:20]) + b"\0\0" + bytes(data[20:])  # between two segments
    assert colorizer.colorize_file(harmless, tmp_path / "out.png") == ()
    refused = 0
    for place in range(len(data) // 2, len(data) // 2 + 400, 20):  # of noise, in one scan
        damaged = data.copy()
        damaged[place] ^= 0xFF
        with contextlib.suppress(ColorizerError):
            colorizer.colorize_file(bytes(damaged), tmp_path / "out.png")
            continue
        refused += 1
        tolerant = colorizer.with_options(salvage=True)
        notes = tolerant.colorize_file(bytes(damaged), tmp_path / "out.png")
        assert "cannot be read" in notes[0]
        assert "what could be decoded is colored" in notes[0]
    assert refused > 10
