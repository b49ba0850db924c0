"""Finding photos and decoding them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from colorizer import ColorizerError
from colorizer.data.photos import decode_photo, find_photos
from colorizer.pictures.finding import find_sources
from tests.drawn import landscape


@pytest.fixture(scope="module")
def shard(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photos as `photos`, as a tar shard beside a file that is none."""
    path = tmp_path_factory.mktemp("shards") / "one.tar"
    with tarfile.open(path, "w") as tar:
        for photo in sorted(photos.rglob("*.*")):
            tar.add(photo, photo.relative_to(photos))
        tar.addfile(tarfile.TarInfo("notes.txt"), io.BytesIO())
    return path


def test_a_folder_and_a_shard_give_the_same_photos(photos: Path, shard: Path) -> None:
    from_folder, from_shard = find_photos(photos), find_photos(shard)
    assert len(from_folder) == len(from_shard) == 12
    for one, other in zip(from_folder, from_shard, strict=True):
        assert one.read() == other.read()


def test_patterns_and_folders_of_shards_are_found(shard: Path) -> None:
    assert find_photos(shard.parent / "o*.tar") == find_photos(shard.parent) == find_photos(shard)


def test_missing_and_empty_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(ColorizerError, match=r"no photos at .*nowhere"):
        find_photos(tmp_path / "nowhere")
    with pytest.raises(ColorizerError, match="a folder of "):
        find_photos(tmp_path)
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(ColorizerError, match=r"bad\.tar: it is no uncompressed tar"):
        find_photos(tmp_path)


def test_training_reads_what_prepare_reads_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    photo = Image.fromarray(landscape(0, 40, 50))
    (tmp_path / ".thumbnails").mkdir()
    for name, kind in {
        "a.jpe": "jpeg",
        "b.jfif": "jpeg",
        "c.avif": "avif",
        "d.gif": "gif",
        "e.bmp": "bmp",
        "f": "png",
        ".thumbnails/a.jpg": "jpeg",
        ".hidden.jpg": "jpeg",
    }.items():
        photo.save(tmp_path / name, kind)
    (tmp_path / "._a.jpg").write_bytes(b"what a Mac leaves")
    for name in ("one.txt", "two.txt", "film.mp4", "raw.dng"):
        (tmp_path / name).write_bytes(b"no photo")
    notes: list[str] = []
    found = find_photos(tmp_path, notes=notes)
    assert [Path(photo.name).name for photo in found] == [
        *("a.jpe", "b.jfif", "c.avif", "d.gif", "e.bmp", "f")
    ]
    assert {source.name for source in find_sources(tmp_path).sources} > {
        Path(photo.name).name for photo in found
    }
    assert all(decode_photo(photo, 32).shape == (32, 40, 3) for photo in found)
    (note,) = notes
    assert note.startswith(f"6 files in {tmp_path} are no photos (")
    assert "2 .txt" in note
    assert "2 hidden" in note


def test_decoding_shrinks_the_short_side_and_turns_upright(tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((100, 300, 3), (200, 100, 50), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif)
    picture.save(tmp_path / "plain.png")
    (plain, turned) = (decode_photo(photo, 50) for photo in find_photos(tmp_path))
    assert plain.shape == (50, 150, 3)
    assert turned.shape == (150, 50, 3)
    assert np.abs(turned.astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize(
    ("mode", "expected", "tolerance"),
    [
        ("L", (124, 124, 124), 1),
        ("I;16", (100, 100, 100), 1),
        ("RGBA", (200, 100, 50), 1),
        ("P", (200, 100, 50), 5),
        ("CMYK", (200, 100, 50), 30),  # without a profile, a typical press is assumed
    ],
)
def test_every_kind_of_pixel_becomes_srgb(
    mode: str, expected: tuple[int, int, int], tolerance: int, tmp_path: Path
) -> None:
    picture = Image.fromarray(np.full((40, 50, 3), (200, 100, 50), np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(np.full((40, 50), 100 * 257, np.uint16))
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "x.tif")
    (photo,) = find_photos(tmp_path)
    pixels = decode_photo(photo, 50)
    assert pixels.shape == (40, 50, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[0, 0].astype(int) - expected).max() <= tolerance


def test_a_small_plain_photo_is_decoded_as_libvips_does(photos: Path) -> None:
    for photo in find_photos(photos):
        image = pyvips.Image.new_from_buffer(photo.read(), "")
        assert np.abs(decode_photo(photo, 100).astype(int) - image.numpy()[..., :3]).max() <= 2


@pytest.mark.parametrize("side", [200, 3000])
def test_a_photo_that_was_cut_off_is_no_photo(side: int, tmp_path: Path) -> None:
    Image.fromarray(landscape(0, side, side)).save(tmp_path / "cut.jpg")
    (photo,) = find_photos(tmp_path)
    assert decode_photo(photo, 100).shape == (100, 100, 3)
    path = Path(photo.path)
    path.write_bytes(photo.read()[: path.stat().st_size // 2])
    with pytest.raises(ColorizerError, match=r"cut\.jpg cannot be read"):
        decode_photo(photo, 100)
