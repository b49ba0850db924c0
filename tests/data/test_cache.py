"""Decoded photos, kept for the next run."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer import ColorizerError
from colorizer.config import DataSettings
from colorizer.data.cache import _decode_each, decode_all
from colorizer.data.module import PhotoModule
from colorizer.data.photos import decode_photo, find_photos


def test_unreadable_photos_are_named_and_left_out(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("this is no picture")
    (tmp_path / "empty.png").touch()
    cut = (photos / "01.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(ColorizerError, match=r"none of 3 photos can be used"):
        decode_all(find_photos(tmp_path), 32, None)
    (tmp_path / "good.jpg").write_bytes(cut)
    with pytest.warns(UserWarning, match=r"3 photos are left out: .*cut.jpg.*empty.png.*text.jpg"):
        kept = decode_all(find_photos(tmp_path), 32, None)
    assert [Path(name).name for name in kept.names] == ["good.jpg"]


def test_decoded_photos_are_kept_for_the_next_run(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_photos(photos)
    first = decode_all(found, 40, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("colorizer.data.cache.decode_in_color", None)  # nothing is decoded again
        again = decode_all(found, 40, tmp_path)
        assert again.names == first.names
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.pixels, decode_all(found, 40, None).pixels)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == ["", ".lock"]
    monkeypatch.setattr("colorizer.data.cache.decode_in_color", None)
    for other in ((found, 41), (found[1:], 40)):  # what is not the same is decoded
        with pytest.raises(TypeError):
            decode_all(*other, tmp_path)


def test_what_cannot_be_read_is_named_by_each_run(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    (folder / "text.jpg").write_text("this is no picture")
    settings = DataSettings(train=str(folder), validation=str(photos), size=32)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"1 photos are left out: .*text\.jpg"):
            PhotoModule(settings).setup()


def test_a_changed_photo_and_a_damaged_cache_are_decoded_anew(tmp_path: Path) -> None:
    cache, folder = tmp_path / "cache", tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (40, 40), (9, 0, 0)).save(folder / "a.png")
    found = find_photos(folder)
    assert decode_all(found, 40, cache).pixels.max() == 9
    (pixels,) = cache.glob("*/pixels.u8")
    pixels.write_bytes(pixels.read_bytes()[:-1])
    assert decode_all(found, 40, cache).pixels.max() == 9
    Image.new("RGB", (40, 41), (8, 0, 0)).save(folder / "a.png")
    assert decode_all(found, 40, cache).pixels.max() == 8


def test_a_cache_that_cannot_be_written_is_said_and_done_without(
    photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file"):
        assert len(decode_all(find_photos(photos), 40, tmp_path / "file").names) == 12


def test_the_cache_drops_what_was_used_longest_ago(photos: Path, tmp_path: Path, monkeypatch):
    found = find_photos(photos)
    sizes = []
    for i, short_side in enumerate((20, 21, 22)):
        decode_all(found, short_side, tmp_path)
        folder = max(tmp_path.glob("*/index.json"), key=lambda path: path.stat().st_mtime_ns).parent
        os.utime(folder / "index.json", (i, i))
        sizes.append((folder, sum(path.stat().st_size for path in folder.iterdir())))
    decode_all(found, 20, tmp_path)  # the first is used again
    total = shutil.disk_usage(tmp_path).total
    monkeypatch.setattr("colorizer.data.cache._SHARE", (sizes[0][1] + 3 * sizes[1][1]) / total)
    decode_all(found, 23, tmp_path)
    assert sizes[0][0].exists()
    assert not sizes[1][0].exists()
    monkeypatch.setattr("colorizer.data.cache._SHARE", 0)
    decode_all(found, 24, tmp_path)  # the newest stays, however large
    assert len(list(tmp_path.glob("*/index.json"))) == 1


def test_few_decoded_photos_are_in_memory_at_once(photos: Path, monkeypatch):
    begun, most = [], []
    plain = decode_photo
    monkeypatch.setattr("colorizer.data.cache.cores", lambda: 2)
    monkeypatch.setattr(
        "colorizer.data.cache.decode_in_color",
        lambda *about: (begun.append(about), plain(*about))[1],
    )

    class Kept(list):
        def append(self, part):
            most.append(len(begun) - len(self))
            super().append(part)

    _decode_each(3 * find_photos(photos), 20, Kept().append)
    assert max(most) <= 2 * 2 + 1
