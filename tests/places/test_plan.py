"""Which object becomes which: manifests, folders, patterns, shares, and what is done."""

import os
import time

import pyarrow
import pyarrow.parquet
import pytest

from colorizer.errors import ColorizerError, UsageError
from colorizer.places.manifest import read_manifest
from colorizer.places.outputs import result_name
from colorizer.places.plan import plan as plan_all
from colorizer.support.stores import Store
from tests.places.marked import MARKED


def names(items):
    return [item.name for item in items]


def plan(paths, out, **options):
    return plan_all(paths, out.url, collection=True, **options)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "in"
    for name in ("b.png", "deep/a.JPG", "s.tar", "notes.txt", ".hidden.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_without_its_output(photos):
    Store(photos / "out").write("b.png", MARKED)
    todo = plan([str(photos)], Store(photos / "out")).todo
    assert sorted(names(todo)) == ["deep/a.JPG", "s.tar"]
    assert {item.source for item in todo} == {f"{photos}/deep/a.JPG", f"{photos}/s.tar"}


def test_what_is_done_is_left_out_unless_the_photo_is_newer(photos, tmp_path):
    out = Store(tmp_path / "out")
    out.write("b.png", MARKED)
    out.write("deep/a.JPG", MARKED)
    found = plan([str(photos)], out)
    assert (names(found.todo), names(found.done)) == (["s.tar"], ["b.png", "deep/a.JPG"])
    later = time.time() + 100
    os.utime(photos / "b.png", (later, later))
    assert names(plan([str(photos)], out).todo) == ["b.png", "s.tar"]
    out.write("b.png", b"whoever made this")  # newer, but not ours
    assert names(plan([str(photos)], out).todo) == ["b.png", "s.tar"]


def test_in_s3_one_listing_tells_what_is_done(bucket, monkeypatch):
    source, out = Store(f"{bucket}/in"), Store(f"{bucket}/out")
    for i in range(8):
        source.write(f"{i % 2}/{i}.jpg", b"x")
    out.write("0/2.jpg", MARKED)
    asked = []
    call = type(out.fs)._call_s3

    async def record(self, method, *args, **options):
        asked.append((method, options.get("Key", "")))
        return await call(self, method, *args, **options)

    monkeypatch.setattr(type(out.fs), "_call_s3", record)
    found = plan([f"{bucket}/in/"], out)
    assert (len(found.todo), names(found.done)) == (7, ["0/2.jpg"])
    assert {method for method, _ in asked} <= {"list_objects_v2", "head_object", "get_object"}
    looked = [key for _, key in asked if key.endswith(".jpg")]
    assert looked == ["out/0/2.jpg"]  # at its mark; nothing else is asked for by itself
    assert len(asked) <= 10
    source.write("0/2.jpg", b"newer")
    time.sleep(1.1)  # S3 tells whole seconds
    source.write("0/2.jpg", b"newer")
    assert len(plan([f"{bucket}/in/"], out).todo) == 8


def test_shares_are_everything_once(tmp_path):
    listing = tmp_path / "list.txt"
    listing.write_text("".join(f"in/{i}.jpg\n" for i in range(100)))
    out = Store(tmp_path / "out")
    parts = [plan([], out, manifest=str(listing), shard=f"{i}/3").todo for i in (1, 2, 3)]
    assert sorted(name for part in parts for name in names(part)) == sorted(
        f"in/{i}.jpg" for i in range(100)
    )


def test_patterns_and_single_photos(photos, tmp_path):
    out = Store(tmp_path / "out")
    assert names(plan([f"{photos}/b.png"], out).todo) == ["b.png"]
    pattern = f"{photos}/{{b.png,s.tar,notes.txt}}"
    found = plan([pattern, f"{photos}/deep/*"], out)
    assert names(found.todo) == ["b.png", "s.tar", "a.JPG"]
    assert names(found.passed) == ["notes.txt"]


def test_manifests_of_all_kinds_say_the_same(tmp_path, bucket):
    rows = ["a.jpg", "deep/b ü.tif"]
    (tmp_path / "m.txt").write_text("\n".join(rows) + "\n\n")
    (tmp_path / "m.csv").write_text('id,path\n1,a.jpg\n2,"deep/b ü.tif"\n')
    table = pyarrow.table({"id": [1, 2], "path": rows})
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet")
    Store(bucket).write("m.csv", (tmp_path / "m.csv").read_bytes())
    expected = [("s3://b/in/a.jpg", "a.jpg"), ("s3://b/in/deep/b ü.tif", "deep/b ü.tif")]
    for manifest in (*(tmp_path / f"m.{kind}" for kind in ("txt", "csv", "parquet")),):
        assert read_manifest(str(manifest), "s3://b/in/") == expected
    assert read_manifest(f"{bucket}/m.csv", "s3://b/in") == expected


def test_names_of_results(tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,name\ns3://b/in/a.jpg,\nhttp://h/x.jpg,x/y.jpg\n/d/e.jpg\n")
    sources = ["s3://b/in/a.jpg", "http://h/x.jpg", "/d/e.jpg"]
    expected = list(zip(sources, ["in/a.jpg", "x/y.jpg", "d/e.jpg"], strict=True))
    assert read_manifest(str(manifest)) == expected
    with pytest.raises(UsageError, match=r"/d/e\.jpg does not lie in s3://b"):
        read_manifest(str(manifest), "s3://b")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "path\na.jpg\n\n\n,\n", "names no photo in row 3, 4, 5; fill or remove"),
        ("m.txt", "a.jpg\n\nb.jpg\n", "names no photo in row 2"),
        ("m.csv", "id,size\n1,2\n", "has no column path; it has id, size"),
        ("m.csv", "path\n", "is empty; a row for each photo"),
        ("m.txt", b"\xff\xfe", "is no text in UTF-8"),
        ("m.json", "{}", r"is no manifest; accepted are \.txt, \.csv, \.parquet"),
        ("m.parquet", "path", "is no parquet file"),
        ("m.csv", "path,name\na.jpg,../../etc/a.jpg\n", "leads out of the output"),
    ],
)
def test_wrong_manifests(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=message):
        read_manifest(str(path), "in")


def test_bad_usage(photos, tmp_path, bucket):
    out = Store(tmp_path / "out")
    with pytest.raises(UsageError, match=r"in is the folder of the pictures themselves"):
        plan([str(photos)], Store(photos))
    with pytest.raises(UsageError, match=r"contains .*/deep, a folder of the pictures"):
        plan([str(photos / "deep")], Store(photos))
    (tmp_path / "b.png").touch()
    problems = [item.problem for item in plan([str(photos), f"{tmp_path}/b.png"], out).todo]
    told = f"{photos}/b.png and {tmp_path}/b.png would become the same {out.url}/b.png"
    assert sum(told in problem for problem in problems) == 2
    assert len(plan([str(photos), f"{photos}/b.png"], out).todo) == 3  # the same photo twice
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no picture in .*empty: looked for \.3fr \.arw \.avif"):
        plan([str(tmp_path / "empty")], out)
    with pytest.raises(ColorizerError, match="s3://nobucket/in: there is no such"):
        plan(["s3://nobucket/in/"], out)
    with pytest.raises(ColorizerError, match=r"none\.csv: there is no such file"):
        plan([], out, manifest=f"{bucket}/none.csv")
    with pytest.raises(UsageError, match="a manifest takes one folder at most"):
        plan(["a", "b"], out, manifest="m.csv")


def test_heic_becomes_png(tmp_path):
    (tmp_path / "m.txt").write_text("a.heic\na.png\n")
    found = plan([str(tmp_path)], Store(tmp_path / "out"), manifest=str(tmp_path / "m.txt"))
    assert ["a.heic and" in i.problem and "would become the same" in i.problem for i in found.todo]
    names = ("a//b.HEIC", "a.b/c.jpg", "x.tar", ".heic/y.JPG")
    assert [result_name(name) for name in names] == ["a//b.png", *names[1:]]
