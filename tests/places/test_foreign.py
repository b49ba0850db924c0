"""What is the user's is neither replaced nor taken for a result, in every kind of output."""

import io
import os
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from colorizer.cli import main
from colorizer.pictures.formats import WRITABLE
from colorizer.pictures.metadata.mark import is_marked
from colorizer.places.archive import is_marked_archive
from colorizer.places.place import Place, place_of
from colorizer.places.plan import plan
from colorizer.support.stores import Store, read
from tests.places.runs import run
from tests.systems import needs_posix

MINE = b"of the user"


@pytest.fixture
def color(colorizer):
    """`colorizer colorize` with the tiny model."""
    return lambda *args: main(
        ["colorize", *map(str, args), "--model", str(colorizer._network.folder)]
    )


@pytest.fixture
def photo() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.tile(np.arange(40, 200, 4, dtype=np.uint8), (30, 1))).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(params=["file", "s3", "memory"])
def base(request, tmp_path) -> str:
    """The address of a folder that is empty yet."""
    if request.param == "s3":
        return request.getfixturevalue("bucket")
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
        return "memory://b"
    return f"file://{tmp_path}"


def made_at(base: str, name: str, content: bytes, age: float = 0) -> str:
    """A file in a folder; of a disk, so many seconds old."""
    Store(base).write(name, content)
    if base.startswith("file"):
        path = Path(base.removeprefix("file://"), name)
        now = path.stat().st_mtime - age
        os.utime(path, (now, now))
    return f"{base}/{name}"


@pytest.mark.parametrize("age", [-100, 100])  # older or newer than the photo
def test_a_folder_of_results(base, color, photo, capsys, age):
    made_at(base, "in/a.png", photo)
    made_at(base, "in/b.png", photo)
    theirs = made_at(base, "out/a.png", MINE, age)
    assert color(f"{base}/in", "-o", f"{base}/out") == 1
    told = capsys.readouterr()
    assert "1 colored, 0 done before, 1 failed" in told.out
    assert "out/a.png is there already and bears no mark of ours" in told.err
    assert read(theirs) == MINE
    assert color(f"{base}/in", "-o", f"{base}/out") == 1  # and again
    assert read(theirs) == MINE
    assert color(f"{base}/in", "-o", f"{base}/out", "--overwrite") == 0
    assert "1 colored, 1 done before, 0 failed" in capsys.readouterr().out
    assert read(theirs) == read(f"{base}/out/b.png")


def test_a_file_that_appears_after_the_listing(base, colorizer, photo):
    made_at(base, "in/a.png", photo)
    found = plan([f"{base}/in"], f"{base}/out", collection=True)
    theirs = made_at(base, "out/a.png", MINE)
    result = run(found, colorizer)
    assert "bears no mark of ours" in result.failed[0][1]
    assert read(theirs) == MINE


def test_one_photo_to_a_file(base, color, photo, capsys):
    source, theirs = made_at(base, "a.png", photo), made_at(base, "precious.png", MINE)
    assert color(source, "-o", theirs) == 1
    assert "precious.png is there already and bears no mark" in capsys.readouterr().err
    assert color(source, "-o", source) == 1
    assert (read(source), read(theirs)) == (photo, MINE)
    assert color(source, "-o", theirs, "--overwrite") == 0
    assert color(source, "-o", theirs) == 0  # ours now
    assert color(theirs, "-o", theirs) == 1  # which is a photo here, and marked
    assert "would be replaced by its own result" in capsys.readouterr().err


def test_rows_of_a_manifest(base, color, photo, tmp_path, monkeypatch, capsys):
    made_at(base, "in/a.png", photo)
    theirs = made_at(base, "out/a.png", MINE)
    (tmp_path / "list.txt").write_text("a.png\n")
    request = [f"{base}/in", "--manifest", tmp_path / "list.txt", "-o", f"{base}/out"]
    assert color(*request) == 1
    assert read(theirs) == MINE
    assert color(*request, "--overwrite") == 0
    assert color(*request) == 0
    assert "0 colored, 1 done before, 0 failed" in capsys.readouterr().out
    assert color(*request[:-1], f"{base}/in") == 2
    assert color(*request[:-1], base) == 2
    assert "contains" in capsys.readouterr().err
    assert read(f"{base}/in/a.png") == photo


def test_relative_rows_into_their_own_folder(color, photo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(photo)
    (tmp_path / "list.txt").write_text("in/a.png\n")
    assert color("--manifest", "list.txt", "-o", ".") == 2
    assert ". contains in, a folder of the pictures" in capsys.readouterr().err
    assert color("--manifest", "list.txt", "-o", "out") == 0
    assert is_marked(tmp_path / "out" / "in" / "a.png")
    later = (tmp_path / "in" / "a.png").stat().st_mtime + 100
    os.utime(tmp_path / "in" / "a.png", (later, later))  # the photo has changed since
    assert color("--manifest", "list.txt", "-o", "out") == 0
    assert "1 colored, 0 done before" in capsys.readouterr().out


@needs_posix("symbolic links without a right of their own")
@pytest.mark.parametrize("way", ["link", "hard link", "dots", "file"])
def test_a_photo_under_another_name_is_still_the_photo(color, photo, tmp_path, capsys, way):
    source, other = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(photo)
    assert color(source, "-o", other) == 0
    os.replace(other, source)  # it bears the mark now
    before = source.read_bytes()
    named = {"dots": f"{tmp_path}/../{tmp_path.name}/a.png", "file": f"file://{source}"}
    if way == "link":
        other.symlink_to(source)
    elif way == "hard link":
        other.hardlink_to(source)
    assert color(source, "-o", named.get(way, other)) == 1
    assert "would be replaced by its own result" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_no_output_contains_its_photos(base, color, photo, capsys):
    source = made_at(base, "in/deep/a.png", photo)
    for out in (base, f"{base}/in", f"{base}/in/deep", f"{base}/in/deep/"):
        assert color(f"{base}/in/deep", "-o", out) == 2
    assert read(source) == photo
    assert color(f"{base}/in", "-o", f"{base}/in/out") == 0
    assert color(f"{base}/in", "-o", f"{base}/in/out") == 0  # which is no photo of the input
    assert "0 colored, 1 done before" in capsys.readouterr().out


def tar(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as shard:
        for name, content in members.items():
            about = tarfile.TarInfo(name.replace("_", "."))
            about.size = len(content)
            shard.addfile(about, io.BytesIO(content))
    return buffer.getvalue()


def test_archives(base, color, photo, capsys):
    source = made_at(base, "in/s.tar", tar(a_png=photo))
    theirs = made_at(base, "out/s.tar", tar(a_png=photo))
    assert color(source, "-o", f"{base}/out") == 1
    assert "out/s.tar is there already and bears no mark" in capsys.readouterr().err
    assert read(theirs) == tar(a_png=photo)
    assert color(source, "-o", f"{base}/out", "--overwrite") == 0
    assert is_marked_archive(read(theirs))
    assert color(source, "-o", f"{base}/out") == 0
    assert "0 colored, 1 done before" in capsys.readouterr().out
    colored = {}
    with tarfile.open(fileobj=io.BytesIO(read(theirs))) as shard:
        colored = {m.name: shard.extractfile(m).read() for m in shard}
    made_at(base, "out2/s.tar", tar(b_png=colored["a.png"]))  # of our results, but not ours
    assert color(source, "-o", f"{base}/out2") == 1


@pytest.mark.parametrize("extension", WRITABLE)
def test_every_format_bears_the_mark(color, photo, tmp_path, extension, capsys):
    """So also BMP and GIF, which no reader of metadata would look into."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(photo)
    (tmp_path / "out").mkdir()
    theirs = tmp_path / "out" / f"a{extension}"
    Image.open(io.BytesIO(photo)).save(io.BytesIO(), "PNG")
    theirs.write_bytes(MINE)
    request = [tmp_path / "in", "-o", tmp_path / "out", "--format", extension]
    assert color(*request) == 1
    assert theirs.read_bytes() == MINE
    assert color(*request, "--overwrite") == 0
    assert is_marked(theirs)
    with Image.open(theirs) as image:
        image.load()
        assert image.size == (40, 30)
    assert color(*request) == 0
    assert "0 colored, 1 done before" in capsys.readouterr().out


def test_a_table_of_the_users_is_no_report(color, photo, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(photo)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.csv").write_text("account,sum\n1,2\n")
    assert color(tmp_path / "in", "-o", tmp_path / "out") == 1
    assert "report.csv is there already and is no report of ours" in capsys.readouterr().err
    assert (tmp_path / "out" / "report.csv").read_text() == "account,sum\n1,2\n"
    assert not (tmp_path / "out" / "a.png").exists()  # known before the first photo


def test_names_that_differ_in_case_only(color, photo, tmp_path, monkeypatch):
    for name in ("IMG_1.heic", "img_1.PNG", "other.png"):
        (tmp_path / name).write_bytes(photo)
    problems = lambda: {i.name: i.problem for i in plan([tmp_path], tmp_path / "out").todo}  # noqa: E731
    assert not any(problems().values())  # two files, on a disk that tells them apart
    monkeypatch.setattr(Place, "folds_case", lambda _: True)
    assert "would become the same" in problems()["img_1.PNG"]
    assert "would become the same" in problems()["IMG_1.heic"]
    assert not problems()["other.png"]


def test_whether_a_disk_tells_case_apart_is_tried(tmp_path, monkeypatch):
    assert not place_of(tmp_path / "none" / "yet").folds_case()
    assert list(tmp_path.iterdir()) == []
    plain = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: plain(path.with_name(path.name.swapcase())))
    assert place_of(tmp_path).folds_case()


@pytest.mark.parametrize("sign", ["[1954]", "{a,b}", "*?"])
def test_signs_of_patterns_in_names(base, color, photo, capsys, sign):
    if base.startswith("s3") and sign == "*?":
        pytest.skip("the server's own router takes ? for a query")
    made_at(base, f"in {sign}/a {sign}.png", photo)
    made_at(base, f"in {sign}/b.png", photo)
    assert color(f"{base}/in {sign}", "-o", f"{base}/out") == 0
    assert color(f"{base}/in {sign}/a {sign}.png", "-o", f"{base}/o {sign}.png") == 0
    assert color(f"{base}/in {sign}/?.png", "-o", f"{base}/out2/") == 0
    assert read(f"{base}/out/a {sign}.png") == read(f"{base}/o {sign}.png")
    assert read(f"{base}/out2/b.png") == read(f"{base}/out/b.png")


def test_a_photo_of_a_store_in_a_format_that_is_only_read(base, color, photo, capsys):
    """HEIC and raw names are one photo like any other; what they hold is looked at."""
    source = made_at(base, "x.heic", photo)
    assert color(source, "-o", f"{base}/x.png") == 0
    assert read(f"{base}/x.png").startswith(b"\x89PNG")
    assert color(source, "-o", f"{base}/y.png", "--shard", "1/1", "--workers", "1") == 0
    done = [color(source, "-o", f"{base}/z{i}.png", "--shard", f"{i}/2") for i in (1, 2)]
    assert done == [0, 0]
    assert "nothing to do" in capsys.readouterr().err  # of one of the two
    assert sum(place_of(f"{base}/z{i}.png").is_ours() or False for i in (1, 2)) == 1


def test_streams_and_stores(base, color, photo, capfdbinary, monkeypatch, tmp_path):
    source = made_at(base, "a.png", photo)
    assert color(source, "-o", "-") == 0
    out = capfdbinary.readouterr().out
    assert color(source, "-o", f"{base}/b.png") == 0
    assert out == read(f"{base}/b.png")
    with (tmp_path / "photo").open("wb+") as file:
        file.write(photo)
        file.seek(0)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        theirs = made_at(base, "c.png", MINE)
        assert color("-", "-o", theirs) == 1
        assert read(theirs) == MINE
        assert color("-", "-o", theirs, "--overwrite") == 0
        assert read(theirs) == out
    assert color(source, "-o", "-", "--engine", "ray") == 2
    assert b"- is of this process" in capfdbinary.readouterr().err


def test_formats_and_variants_work_everywhere(base, color, photo):
    made_at(base, "in/a.png", photo)
    assert color(f"{base}/in", "-o", f"{base}/out", "--format", "jpg") == 0
    assert read(f"{base}/out/a.jpg").startswith(b"\xff\xd8")
    source = made_at(base, "in2/s.tar", tar(a_png=photo, b_txt=b"text"))
    assert color(source, "-o", f"{base}/out", "--format", "jpg") == 0
    with tarfile.open(fileobj=io.BytesIO(read(f"{base}/out/s.tar"))) as shard:
        assert shard.getnames() == ["a.jpg", "b.txt"]


def test_results_are_looked_at_by_few_bytes(bucket, photo, color, monkeypatch):
    Store(f"{bucket}/in").write("a.png", photo)
    assert color(f"{bucket}/in", "-o", f"{bucket}/out") == 0
    asked = []
    fs = Store(bucket).fs
    call = type(fs)._call_s3

    async def record(self, method, *args, **options):
        if method == "get_object":
            asked.append((options["Key"], options["Range"]))
        return await call(self, method, *args, **options)

    monkeypatch.setattr(type(fs), "_call_s3", record)
    assert len(plan([f"{bucket}/in"], f"{bucket}/out", collection=True).done) == 1
    assert asked == [("out/a.png", "bytes=0-32767")]
    Store(f"{bucket}/out").write("a.png", b"")  # of which there is no range
    assert plan([f"{bucket}/in"], f"{bucket}/out", collection=True).done == []
