import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from colorizer import ColorizerError, UsageError, gamut
from colorizer.config import DataSettings
from colorizer.data import PhotoModule, find_photos
from colorizer.data.augment import center_crop, random_crop
from colorizer.data.module import CropLoader
from colorizer.data.photos import decode
from colorizer.data.resident import Crop, ResidentPhotos


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
    with pytest.raises(ColorizerError, match=r"a folder of \.jpeg"):
        find_photos(tmp_path)
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(ColorizerError, match=r"bad\.tar is not an uncompressed tar"):
        find_photos(tmp_path)


def test_decoding_shrinks_the_short_side_and_turns_upright(tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((100, 300, 3), (200, 100, 50), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif)
    picture.save(tmp_path / "plain.png")
    (plain, turned) = (decode(photo, 50) for photo in find_photos(tmp_path))
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
    pixels = decode(photo, 50)
    assert pixels.shape == (40, 50, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[0, 0].astype(int) - expected).max() <= tolerance


def test_unreadable_photos_are_named_and_left_out(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("this is no picture")
    (tmp_path / "empty.png").touch()
    cut = (photos / "01.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(ColorizerError, match=r"none of 3 photos can be read"):
        ResidentPhotos.read(find_photos(tmp_path), 32)
    (tmp_path / "good.jpg").write_bytes(cut)
    with pytest.warns(UserWarning, match=r"3 photos are left out: .*cut.jpg.*empty.png.*text.jpg"):
        kept = ResidentPhotos.read(find_photos(tmp_path), 32)
    assert [Path(name).name for name in kept.names] == ["good.jpg"]


def test_whole_crops_are_the_photos_themselves() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (16, width, 3), np.uint8) for width in (16, 20, 33)]
    photos = ResidentPhotos(["a", "b", "c"], pictures)
    crops = [Crop(2, 0, 5, 16), Crop(0, 0, 0, 16, flip=True), Crop(1, 0, 4, 16)]
    cut = photos.crops(crops, 16).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(cut[0], pictures[2][:, 5:21])
    np.testing.assert_array_equal(cut[1], pictures[0][:, ::-1])
    np.testing.assert_array_equal(cut[2], pictures[1][:, 4:20])


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 2**32 - 1),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted).map(tuple),
)
def test_crops_lie_inside_the_photo(
    height: int, width: int, seed: int, scale: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    for crop in (random_crop(0, height, width, rng, scale), center_crop(0, height, width)):
        assert crop.top >= 0
        assert crop.left >= 0
        assert crop.side >= 1
        assert crop.top + crop.side <= height
        assert crop.left + crop.side <= width


def test_an_epoch_means_every_photo_once() -> None:
    colors = np.arange(7, dtype=np.uint8) * 30
    photos = ResidentPhotos(list("abcdefg"), [np.full((8, 8, 3), color) for color in colors])
    loader = CropLoader(photos, np.random.default_rng(0).permutation(7), center_crop, 8, 3)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    assert sorted(torch.cat(batches)[:, 0, 0, 0].tolist()) == colors.tolist()


def test_held_out_photos_are_not_trained_on(photos: Path) -> None:
    data = PhotoModule(DataSettings(train=str(photos), holdout=0.25, size=32, crop=32))
    data.setup()
    assert len(data.validation) == 3
    assert sorted(data.train.names + data.validation.names) == sorted(
        photo.name for photo in find_photos(photos)
    )


def test_the_prior_counts_the_colors_of_the_training_photos(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "a.png")
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "b.png")
    data = PhotoModule(DataSettings(train=str(tmp_path), validation=str(tmp_path), size=32))
    data.setup()
    prior = data.color_prior()
    assert prior.sum() == pytest.approx(1)
    assert gamut.bins()[prior.argmax()].tolist() == [80, 70]  # red is at a 80.1, b 67.2


def test_no_training_photos_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.train"):
        PhotoModule(DataSettings())
    Image.new("RGB", (40, 40)).save(tmp_path / "only.png")
    with pytest.raises(ColorizerError, match=r"at least two"):
        PhotoModule(DataSettings(train=str(tmp_path))).setup()
