"""`colorizer prepare`: what is kept, what is left out and why, and that it can be interrupted."""

import csv
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import rgb2lab

import colorizer
from colorizer import ColorizerError, UsageError
from colorizer.cli import main
from colorizer.color import gamut
from colorizer.data.photos import decode_photo, find_photos
from colorizer.pictures.finding import find_sources, is_picture
from colorizer.preparation.keys import key_of
from colorizer.preparation.normalize import decode_middle
from tests.drawn import landscape
from tests.systems import needs_posix


def photo(seed: int, height: int = 70, width: int = 90) -> Image.Image:
    """A landscape with clouds and houses, no two alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), np.uint8))
    blocks = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    mixed = (landscape(seed, height, width) * 0.4 + blocks * 0.6).clip(0, 255)
    return Image.fromarray(mixed.astype(np.uint8))


def save(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """Photos worth keeping, one of each kind that is not, and files that are no pictures."""
    folder = tmp_path_factory.mktemp("tree")
    (folder / "deep" / "er").mkdir(parents=True)
    for i in range(10):
        suffix = ("png", "jpg", "webp", "bmp")[i % 4]
        photo(i).save(folder / ("deep/er" if i % 3 else ".") / f"photo.{i}.{suffix}")
    photo(20, 300, 400).save(folder / "large.tif")
    (folder / "no suffix").write_bytes(save(photo(21), format="jpeg", quality=95))
    with tarfile.open(folder / "shard.tar", "w") as shard:
        for name, data in (("in/a.png", save(photo(22), format="png")), ("in/a.txt", b"a photo")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            shard.addfile(entry, io.BytesIO(data))
    bad = folder / "bad"
    bad.mkdir()
    photo(30).convert("L").save(bad / "gray.jpg")
    photo(31, 40, 90).save(bad / "tiny.png")
    Image.new("RGB", (90, 90), (90, 150, 70)).save(bad / "blank.png")
    light = np.asarray(photo(32).convert("L"))[..., None] / 255
    toned = np.array([60, 30, 10]) * (1 - light) + np.array([255, 240, 200]) * light
    Image.fromarray(toned.astype(np.uint8)).save(bad / "sepia.png")
    drawing = np.full((90, 120, 3), 250, np.uint8)
    for i in range(6):
        drawing[20 + 8 * i : 80, 10 + 18 * i : 24 + 18 * i] = (40 * i, 200 - 30 * i, 90)
    Image.fromarray(drawing).save(bad / "chart.png")
    whole = save(photo(33, 300, 300), format="jpeg")
    (bad / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (bad / "text.jpg").write_text("no picture")
    (bad / "empty.png").touch()
    (folder / "copy.tif").write_bytes((folder / "large.tif").read_bytes())
    photo(20, 300, 400).resize((200, 150)).save(folder / "smaller.jpg", quality=70)
    (folder / "notes.txt").write_text("BMW cars and more")
    (folder / ".hidden.jpg").write_text("nothing")
    return folder


@pytest.fixture(scope="module")
def prepared(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "out"
    return colorizer.prepare(tree, out, size=64, shard_size=4, workers=2)


def contents(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


def test_what_is_left_out_has_its_reason(prepared) -> None:
    with (prepared.out / "rejected.csv").open(newline="", encoding="utf-8") as file:
        reasons = {row["name"]: row["reason"] for row in csv.DictReader(file)}
    alike = {reasons.pop(name, "kept") for name in ("large.tif", "copy.tif", "smaller.jpg")}
    assert alike in (
        {"kept", "duplicate", "near-duplicate"},
        {"kept", "near-duplicate"},  # the small one came first
    )
    assert reasons == {
        "bad/gray.jpg": "gray",
        "bad/tiny.png": "tiny",
        "bad/blank.png": "blank",
        "bad/sepia.png": "toned",
        "bad/chart.png": "graphic",
        "bad/cut.jpg": "unreadable",
        "bad/text.jpg": "unreadable",
        "bad/empty.png": "unreadable",
    }
    assert prepared.kept == 13
    assert prepared.others == {".txt": 2}
    assert prepared.status == 1
    assert {name for name, _ in prepared.failed} == {
        *("bad/cut.jpg", "bad/text.jpg", "bad/empty.png"),
    }


def test_nothing_is_lost(prepared, tree) -> None:
    files = find_sources(tree).sources
    counted = prepared.kept + sum(prepared.rejected.values()) + sum(prepared.others.values())
    assert counted == len(files) == prepared.new


def test_shards_hold_the_photos_at_their_size(prepared) -> None:
    found = find_photos(prepared.out)
    assert len(found) == 13
    assert len({entry.name for entry in found}) == 13
    shards = sorted(prepared.out.glob("*.tar"))
    assert [shard.name for shard in shards] == [f"train_{i:06d}.tar" for i in range(4)]
    for entry in found:
        assert min(decode_photo(entry, 10_000).shape[:2]) == 64
    with tarfile.open(shards[0]) as tar:
        names = tar.getnames()
        assert {(entry.mtime, entry.uid, entry.mode) for entry in tar} == {(0, 0, 0o644)}
    assert names == sorted(names)
    assert all(name.endswith(".webp") and name.count(".") == 1 for name in names)


def test_the_histogram_is_that_of_scikit_image(prepared) -> None:
    data = json.loads((prepared.out / "report.json").read_text())
    found = np.array(data["chroma_histogram"]["pixels"], float)
    expected = np.zeros(len(gamut.bins()))
    for entry in find_photos(prepared.out):
        ab = rgb2lab(decode_photo(entry, 10_000))[..., 1:].reshape(-1, 2)
        expected += gamut.histogram(ab)
    assert np.abs(found / found.sum() - expected / expected.sum()).sum() < 0.25  # WebP blurs color
    assert found.sum() == pytest.approx(expected.sum() / 4, rel=0.05)


def test_the_page_opens_alone(prepared) -> None:
    page = (prepared.out / "report.html").read_text(encoding="utf-8")
    assert "{{" not in page
    assert "http" not in page
    assert "bad/<wbr>chart.png" in page
    assert page.count("data:image/jpeg;base64,") >= 13 + 5 + 4  # kept, rejected, pairs
    data = json.loads((prepared.out / "report.json").read_text())
    assert data["kept"] == 13
    assert data["rejected"] == prepared.rejected


def test_the_same_photos_give_the_same_bytes(prepared, tree, tmp_path) -> None:
    again = colorizer.prepare(tree, tmp_path / "again", size=64, shard_size=4, workers=1)
    assert contents(again.out) == contents(prepared.out)


def test_a_second_run_does_nothing(prepared, tree) -> None:
    before = contents(prepared.out)
    again = colorizer.prepare(tree, prepared.out, size=64, shard_size=4)
    assert again.new == 3  # the unreadable ones are tried again
    assert (again.kept, again.rejected, again.status) == (13, prepared.rejected, 1)
    assert contents(prepared.out) == before


KILLED = """if True:
    import os, signal, sys
    from colorizer.preparation import prepare
    replace, left = os.replace, [int(sys.argv[3])]
    def deadly(*paths):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        replace(*paths)
        if left[0] == 0 and sys.argv[4] == "after":
            os.kill(os.getpid(), signal.SIGKILL)
    os.replace = deadly
    prepare(sys.argv[1], sys.argv[2], size=64, shard_size=4, workers=2)
"""


def test_a_photo_may_be_called_like_a_part_of_the_report(tmp_path) -> None:
    (tmp_path / "tree").mkdir()
    photo(1).save(tmp_path / "tree" / "{{settings}}.png")
    photo(2).convert("L").save(tmp_path / "tree" / "{{counts}}.png")
    colorizer.prepare(tmp_path / "tree", tmp_path / "out", size=64, workers=1)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "{{settings}}.png" in page
    assert "{{counts}}.png" in page


@needs_posix("such signals")
@pytest.mark.parametrize(
    ("count", "when"), [(0, "before"), (1, "after"), (2, "before"), (3, "after"), (8, "before")]
)
def test_a_killed_run_goes_on_to_the_same_bytes(prepared, tree, tmp_path, count, when) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, tree, out, str(count), when]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert not (out / "report.html").exists()
    result = colorizer.prepare(tree, out, size=64, shard_size=4, workers=2)
    assert contents(out) == contents(prepared.out)
    assert result.rejected == prepared.rejected


def test_added_and_mended_photos_are_appended(tmp_path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for i in range(3):
        photo(i).save(photos / f"{i}.png")
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    first = colorizer.prepare(photos, out, size=64)
    assert (first.kept, first.status) == (3, 1)
    before = contents(out)["train_000000.tar"]
    photo(7).save(photos / "7.png")
    photo(1).save(photos / "one again.png")
    photo(8).save(photos / "broken.png")
    second = colorizer.prepare(photos, out, size=64)
    assert (second.kept, second.new, second.status) == (5, 3, 0)
    assert second.rejected == {"duplicate": 1}
    assert contents(out)["train_000000.tar"] == before
    assert len(find_photos(out / "train_000001.tar")) == 2


def test_pictures_of_the_evaluation_set_are_left_out(tmp_path) -> None:
    photos, held_out = tmp_path / "photos", tmp_path / "held out"
    photos.mkdir()
    held_out.mkdir()
    for i in range(4):
        photo(i).save(photos / f"{i}.png")
    (held_out / "same.png").write_bytes((photos / "0.png").read_bytes())
    photo(1).resize((180, 140)).save(held_out / "like.jpg", quality=80)
    result = colorizer.prepare(photos, tmp_path / "out", size=64, against=held_out)
    assert (result.kept, result.rejected) == (2, {"also in evaluation": 2})
    with (tmp_path / "out" / "rejected.csv").open(newline="") as file:
        details = [row["detail"] for row in csv.DictReader(file)]
    assert details == [f"also in {held_out}: same.png", f"also in {held_out}: like.jpg"]
    (held_out / "broken.png").write_bytes(b"no picture")
    again = colorizer.prepare(photos, tmp_path / "out 2", size=64, against=held_out)
    assert again.failed[0][0] == "broken.png"


def test_other_settings_are_refused_with_the_fix(prepared, tree, tmp_path) -> None:
    with pytest.raises(UsageError, match=r"made with size 64, not 96: give the same"):
        colorizer.prepare(tree, prepared.out, size=96, shard_size=4)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").touch()
    with pytest.raises(UsageError, match=r"thesis\.doc.*name a new folder"):
        colorizer.prepare(tree, tmp_path / "mine")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"is a file"):
        colorizer.prepare(tree, tmp_path / "file")
    with pytest.raises(UsageError, match=r"contains"):
        colorizer.prepare(tree, tree.parent)
    for options in ({"size": 5}, {"quality": 0}, {"shard_size": 0}, {"workers": 0}):
        with pytest.raises(UsageError, match=r"accepted are whole numbers"):
            colorizer.prepare(tree, tmp_path / "new", **options)
    with pytest.raises(ColorizerError, match=r"no photos at"):
        colorizer.prepare(tmp_path / "nowhere", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_missing_shard_is_named(tmp_path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    photo(1).save(photos / "1.png")
    colorizer.prepare(photos, out)
    (out / "train_000000.tar").unlink()
    with pytest.raises(ColorizerError, match=r"train_000000\.tar is missing"):
        colorizer.prepare(photos, out)


def test_the_command_says_what_it_did(tmp_path, capsys) -> None:
    photos, out = tmp_path / "photos", tmp_path / "photos" / "out"
    photos.mkdir()
    photo(1).save(photos / "1.png")
    assert main(["prepare", str(photos), str(out), "--size", "64"]) == 0
    assert "1 kept; left out: none; 1 files" in capsys.readouterr().out
    (photos / "2.jpg").write_bytes(b"")
    assert main(["prepare", str(photos), str(out), "--size", "64"]) == 1
    said = capsys.readouterr()
    assert "failed: 2.jpg: is empty (0 bytes)" in said.err
    assert main(["prepare", str(photos), str(out)]) == 2
    assert "made with size 64, not 160" in capsys.readouterr().err


def test_stopping_says_how_to_go_on(tmp_path, capsys, monkeypatch) -> None:
    photo(1).save(tmp_path / "1.png")

    def stop(*anything):
        raise KeyboardInterrupt

    monkeypatch.setattr("colorizer.preparation.walk.write_shard", stop)
    assert main(["prepare", str(tmp_path), str(tmp_path / "out")]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_preparing_leaves_torch_alone(tmp_path) -> None:
    photo(1).save(tmp_path / "1.png")
    code = """if True:
        import sys
        from colorizer.cli import main
        assert main(["prepare", sys.argv[1], sys.argv[2]]) == 0
        heavy = {"torch", "lightning", "timm", "onnxruntime"} & set(sys.modules)
        sys.exit(f"imported {heavy}" if heavy else 0)
    """
    command = [sys.executable, "-c", code, tmp_path, tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_damaged_shard_does_not_stop_the_others(tmp_path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    photo(1).save(photos / "1.png")
    (photos / "bad.tar").write_bytes(b"no tar" * 500)
    result = colorizer.prepare(photos, tmp_path / "out")
    assert result.kept == 1
    assert [name for name, _ in result.failed] == ["bad.tar"]


@pytest.mark.parametrize("kind", ["CMYK", "RGBA", "16 bit", "turned", "gif", "profile", "avif"])
def test_every_kind_of_file_becomes_srgb(kind: str, tmp_path: Path) -> None:
    color = np.full((100, 200, 3), (200, 100, 50), np.uint8)
    image, tolerance, expected = Image.fromarray(color), 2, (200, 100, 50)
    if kind == "CMYK":
        data, tolerance = save(image.convert("CMYK"), format="tiff"), 30
    elif kind == "RGBA":
        image.putalpha(0)
        data, expected = save(image, format="png"), (255, 255, 255)
    elif kind == "16 bit":
        deep = pyvips.Image.new_from_array(color.astype(np.uint16) * 257).copy(
            interpretation="rgb16"
        )
        data = deep.bandjoin(65535).pngsave_buffer()
    elif kind == "turned":
        exif = image.getexif()
        exif[0x0112] = 6
        data = save(image, format="jpeg", exif=exif, quality=95)
    elif kind == "profile":
        p3 = pyvips.Image.new_from_array(color).copy(interpretation="srgb")
        data = p3.icc_transform("p3", input_profile="srgb").pngsave_buffer()
    elif kind == "avif":
        data, tolerance = (
            pyvips.Image.new_from_array(color).heifsave_buffer(compression="av1", Q=90),
            6,
        )
    else:
        data, tolerance = save(image, format="gif"), 6
    found = decode_middle(data, 50)
    assert found.rgb.shape == ((100, 50, 3) if kind == "turned" else (50, 100, 3))
    assert (found.width, found.height) == ((100, 200) if kind == "turned" else (200, 100))
    assert np.abs(found.rgb.astype(int) - expected).max() <= tolerance


def test_panoramas_are_cut_and_bombs_refused() -> None:
    wide = save(photo(1, 100, 1000), format="png")
    assert decode_middle(wide, 50).rgb.shape == (50, 200, 3)
    with pytest.raises(ColorizerError, match=r"over the limit"):
        decode_middle(wide, 50, max_pixels=99_999)


@given(st.lists(st.text(min_size=1), unique=True, max_size=30))
def test_keys_are_unique_and_plain(names: list[str]) -> None:
    keys = [key_of(name) for name in names]
    assert len(set(keys)) == len(names)
    for key in keys:
        assert key.isascii()
        assert set("./ ").isdisjoint(key)
        assert len(key) <= 57


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.txt", b"\xff\xd8\xff\xe0" + bytes(12), True),
        ("a.txt", b"BMW is a maker of", False),
        ("a.nef", b"II*\0" + bytes(12), False),
        ("a.mp4", b"\0\0\0\x20ftypisom" + bytes(8), False),
        ("a", b"\0\0\0\x20ftypavif" + bytes(8), True),
        ("a.JPG", b"", True),
    ],
)
def test_content_tells_what_is_a_picture(name: str, head: bytes, expected: bool) -> None:
    assert is_picture(name, head) == expected
