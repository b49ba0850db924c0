"""From store to store: the bytes of the local engine, shards, failures as rows, reports."""

import csv
import io
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.places import table as reports
from colorizer.places.place import place_of
from colorizer.places.table import Report, Row, merge
from colorizer.support.stores import Store, read


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Ten photos of several formats and depths, some nested, one with pages, one cut off."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "deep/er").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i, kind in enumerate(("png", "jpg", "tif", "webp", "png", "jpg", "tif", "png", "bmp")):
        image = Image.fromarray(rng.integers(0, 255, (20 + i, 30), np.uint8))
        pages = {"save_all": True, "append_images": [image]} if i == 6 else {}
        image.save(folder / ("deep/er" if i % 3 == 0 else ".") / f"{i} ü.{kind}", **pages)
    whole = (folder / "1 ü.jpg").read_bytes()
    (folder / "bad.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "report" not in path.relative_to(folder).parts[0]
    }


@pytest.fixture(scope="module")
def expected(photos, colorizer, tmp_path_factory) -> dict[str, bytes]:
    """What the engine for folders makes of them."""
    out = tmp_path_factory.mktemp("expected")
    model = str(colorizer._network.folder)
    assert main(["colorize", str(photos), "-o", str(out), "--model", model]) == 1
    found = tree(out)
    assert len(found) == 9
    return found


@pytest.fixture
def color(colorizer):
    """`colorizer colorize` with the tiny model."""
    return lambda *args: main(["colorize", *args, "--model", str(colorizer._network.folder)])


def put(photos: Path, store: Store) -> None:
    for name, data in tree(photos).items():
        store.write(name, data)


def objects(store: Store) -> dict[str, bytes]:
    return {
        name: read(store.address(name)) for name, _ in store.find() if not name.startswith("report")
    }


def test_from_s3_to_s3_the_same_bytes(photos, expected, bucket, color, capsys):
    put(photos, Store(f"{bucket}/in"))
    assert color(f"{bucket}/in/", "-o", f"{bucket}/out/") == 1
    told = capsys.readouterr()
    assert "9 colored, 0 done before, 1 failed" in told.out
    assert f"failed: {bucket}/in/bad.jpg cannot be read: " in told.err
    assert objects(Store(f"{bucket}/out")) == expected
    assert color(f"{bucket}/in/", "-o", f"{bucket}/out/") == 1  # again: the bad one alone
    assert "0 colored, 9 done before, 1 failed" in capsys.readouterr().out
    assert main(["report", f"{bucket}/out"]) == 1
    assert "9 colored, 1 failed" in capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(read(f"{bucket}/out/report.csv").decode())))
    assert {row["path"] for row in rows} == {*expected, "bad.jpg"}
    assert {row["path"] for row in rows if row["status"] == "failed"} == {"bad.jpg"}
    assert {row["size"] for row in rows if row["path"] == "1 ü.jpg"} == {"30x21"}


def test_between_s3_and_the_disk_by_manifest(
    photos, expected, bucket, color, tmp_path, capsys, monkeypatch
):
    manifest = tmp_path / "list.csv"
    manifest.write_text("path\n" + "\n".join(sorted(expected)) + "\n")
    list_it = ["--manifest", str(manifest)]
    assert color(str(photos), *list_it, "-o", f"{bucket}/out") == 0
    assert objects(Store(f"{bucket}/out")) == expected
    for task in "345":  # an array that starts at 3
        about = {"ID": task, "MIN": "3", "COUNT": "3"}
        for name, value in about.items():
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
        assert color(f"{bucket}/out", *list_it, "-o", str(tmp_path / "out")) == 0
    assert tree(tmp_path / "out").keys() == expected.keys()
    told = capsys.readouterr()
    assert "share 2 of 3: " in told.err
    assert main(["report", str(tmp_path / "out")]) == 0
    assert "9 colored, 0 failed" in capsys.readouterr().out


def test_one_photo(photos, expected, bucket, color, capsys):
    Store(bucket).write("old.png", (photos / "4 ü.png").read_bytes())
    assert color(f"{bucket}/old.png", "-o", f"{bucket}/new.png") == 0
    assert capsys.readouterr().out == f"{bucket}/new.png\n"
    assert read(f"{bucket}/new.png") == expected["4 ü.png"]
    assert color(f"{bucket}/none.png", "-o", f"{bucket}/new.png") == 1
    assert capsys.readouterr().err == f"failed: {bucket}/none.png: there is no such file\n"
    assert color(f"{bucket}/old.png", "-o", f"{bucket}/old.png") == 1
    assert "old.png is there already and bears no mark of ours" in capsys.readouterr().err


def shard_of(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as shard:
        for name in sorted(tree(folder)):
            shard.add(folder / name, name)
        about = tarfile.TarInfo("0.json")
        about.size = 2
        shard.addfile(about, io.BytesIO(b"{}"))
    return path


def test_shards_become_shards(photos, expected, bucket, color, tmp_path, capsys):
    whole = shard_of(photos, tmp_path / "a_000.tar").read_bytes()
    store = Store(f"{bucket}/in")
    store.write("a_000.tar", whole)
    store.write("a_001.tar", whole)
    store.write("a_002.tar", whole[: len(whole) // 2])
    assert color(f"{bucket}/in/a_{{000..002}}.tar", "-o", f"{bucket}/out/") == 1
    told = capsys.readouterr()
    assert "18 colored, 0 done before, 3 failed" in told.out
    assert f"{bucket}/in/a_000.tar/bad.jpg cannot be read" in told.err
    assert f"{bucket}/in/a_002.tar: it is no whole, uncompressed tar shard" in told.err
    found = objects(Store(f"{bucket}/out"))
    assert sorted(found) == ["a_000.tar", "a_001.tar"]
    with tarfile.open(fileobj=io.BytesIO(found["a_001.tar"])) as shard:
        members = {member.name: shard.extractfile(member).read() for member in shard}
    assert members.pop("0.json") == b"{}"
    assert members == expected
    assert color(f"{bucket}/in/a_*.tar", "-o", f"{bucket}/out/") == 1
    assert "0 colored, 2 done before, 1 failed" in capsys.readouterr().out


def test_a_store_that_fails_now_and_then(photos, expected, color, monkeypatch):
    """Every third request fails, at its start or when all was done but the answer."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    put(photos, Store("memory://b/in"))
    monkeypatch.setattr("colorizer.support.retries._PAUSE", 0.001)
    count = 0

    def flaky(plain):
        def call(*args, **options):
            nonlocal count
            count += 1
            if count % 6 == 0:
                raise TimeoutError("no answer")
            done = plain(*args, **options)
            if count % 6 == 3:
                raise ConnectionResetError("cut off")
            return done

        return call

    for name in ("cat_file", "pipe_file", "ls", "exists"):
        monkeypatch.setattr(fs, name, flaky(getattr(fs, name)))
    assert color("memory://b/in", "-o", "memory://b/out") == 1
    monkeypatch.undo()
    assert objects(Store("memory://b/out")) == expected
    assert merge("memory://b/out")[1] == {"colored": 9, "failed": 1}


def test_no_permission_is_known_before_the_first_photo(
    photos, bucket, request, color, monkeypatch, capsys
):
    def start(*_, **__):
        raise AssertionError("a photo was begun")

    put(photos, Store(f"{bucket}/in"))
    request.getfixturevalue("reader")  # from here on
    monkeypatch.setattr("colorizer.places.request.threads", start)
    assert color(f"{bucket}/in", "-o", f"{bucket}/out") == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"error: {bucket}/out/report/part-")
    assert told.endswith(": no permission (Access Denied)")


def test_a_key_that_the_store_does_not_know(reader, color, monkeypatch, capsys):
    monkeypatch.setitem(fsspec.config.conf["s3"], "key", "nobody")
    assert color(f"{reader}/in", "-o", f"{reader}/out") == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"error: {reader}/in: no permission (The AWS Access Key Id")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["s3://b/in"], "need an output; give it as -o OUT"),
        (["--manifest", "m.csv"], "need an output"),
        (["-o", "s3://b/out"], "no picture given; name one"),
        (["s3://b/in", "-o", "out.jpg"], "out.jpg is the name of a picture"),
        (["s3://b/in", "-o", "out", "--uncertainty", "m.png"], "not of a store"),
        (["s3://b/in", "-o", "out", "--engine", "spark"], "engine is 'spark'; accepted are"),
        (["a.jpg", "-o", "out", "--gpus", "0.5", "--device", "cuda"], "--gpus is for Ray's"),
        (["a.jpg", "-o", "out", "--gpus", "0.5", "--engine", "ray"], "add --device cuda"),
        (["a", "-o", "out", "--engine", "ray", "--memory", "2000"], "leave --memory out"),
        (["s5://b/in", "-o", "out"], "unknown scheme s5"),
        (["s3://b/in", "-o", "out", "--shard", "3/2"], "accepted is i/n"),
    ],
)
def test_bad_usage(color, args, message, capsys):
    assert color(*args) == 2
    assert message in capsys.readouterr().err


def test_reports_of_many_parts_and_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(reports, "_ROWS", 3)
    fsspec.filesystem("memory").store.clear()
    out = place_of("memory://b/out")
    with Report(out, (1, 2)) as first:
        first.add(Row(f"{i}.jpg", "colored", "", "3x4", 0.5, ("a note",)) for i in range(4))
        first.add([Row("bad.jpg", "failed", "no, picture")])
    monkeypatch.setattr("time.strftime", lambda *_: "30000101T000000")  # later
    with Report(out, (1, 2)) as second:
        second.add([Row("0.jpg", "skipped", "done before"), Row("bad.jpg", "colored")])
        second.add([Row("new.jpg", "skipped", "done before")])  # its row was lost in a kill
    address, counts, failed = merge(out.address)
    assert counts == {"colored": 5, "skipped": 1}
    assert "0.jpg,colored,a note,3x4,0.50\n" in read(address).decode().replace("\r", "")
    with Report(place_of(tmp_path), (1, 2)) as local:
        local.add([Row("local.jpg", "failed", "no, picture")])
    (tmp_path / "report-2-of-2.csv").write_text(
        "path,status,reason,size,seconds\nother.jpg,colored,,,0.00\n"
    )
    address, counts, failed = merge(str(tmp_path))
    assert (address, counts) == (str(tmp_path / "report.csv"), {"colored": 1, "failed": 1})
    assert [row.path for row in failed] == ["local.jpg"]
    with pytest.raises(UsageError, match="holds no report"):
        merge(str(tmp_path / "none"))
    (tmp_path / "report-3-of-3.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ColorizerError, match=r"3\.csv is no part of a report"):
        merge(str(tmp_path))
