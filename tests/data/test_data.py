import io
import os
import shutil
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from colorizer import ColorizerError, UsageError
from colorizer.color import gamut
from colorizer.config import DataSettings
from colorizer.data.augment import DRAWS, center_squares, random_squares
from colorizer.data.cache import Decoded, _decode_each, decode_all
from colorizer.data.loader import BatchLoader, equal_batches
from colorizer.data.module import PhotoModule
from colorizer.data.photos import decode_photo, find_photos
from colorizer.data.resident import ResidentPhotos
from colorizer.data.streaming import StreamedPhotos
from colorizer.pictures.finding import find_sources
from tests.device import device
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


def beside(*pictures: np.ndarray) -> ResidentPhotos:
    sizes = np.array([picture.shape[:2] for picture in pictures])
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    return ResidentPhotos(Decoded([str(i) for i in range(len(pictures))], sizes, pixels, []))


def test_whole_squares_are_the_photos_themselves() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (16, width, 3), np.uint8) for width in (16, 20, 33)]
    squares = np.array([[0, 5, 16, 0], [0, 0, 16, 1], [0, 4, 16, 0]])
    cut = beside(*pictures).squares(np.array([2, 0, 1]), squares, 16)
    cut = cut.permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(cut[0], pictures[2][:, 5:21])
    np.testing.assert_array_equal(cut[1], pictures[0][:, ::-1])
    np.testing.assert_array_equal(cut[2], pictures[1][:, 4:20])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_squares_cut_at_once_are_those_cut_one_by_one(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (*rng.integers(1, 60, 2), 3), np.uint8) for _ in range(5)]
    photos = beside(*pictures)
    chosen = rng.integers(0, 5, 7)
    squares = random_squares(photos.sizes[chosen], rng.random((7, 4)), (0.1, 1.0))
    one, other = (
        photos.squares(chosen, squares, size),
        photos.to(device())._squares_at_once(chosen, squares, size).cpu(),
    )
    assert (one.int() - other.int()).abs().max() <= 1


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted).map(tuple),
)
def test_squares_lie_inside_the_photo(
    height: int, width: int, draws: list[float], scale: tuple[float, float]
) -> None:
    sizes = np.array([[height, width]])
    both = random_squares(sizes, np.array([draws]), scale), center_squares(sizes)
    for ((top, left, side, flip),) in both:
        assert top >= 0
        assert left >= 0
        assert side >= 1
        assert flip in (0, 1)
        assert top + side <= height
        assert left + side <= width


@given(st.integers(1, 60), st.integers(1, 20), st.sampled_from([0, 1, 3]))
def test_an_epoch_means_every_photo_once(count: int, batches: int, workers: int) -> None:
    photos = beside(*(np.full((4, 4, 3), i, np.uint8) for i in range(count)))
    batches = min(batches, count)
    order, draws = np.random.default_rng(0).permutation(count), np.zeros((count, 4))
    loader = BatchLoader(photos, order, draws, center_squares, 4, batches, workers=workers)
    made = list(loader)
    assert len(made) == len(loader) == batches
    assert torch.cat(made)[:, 0, 0, 0].tolist() == order.tolist()
    assert max(map(len, made)) - min(map(len, made)) <= 1
    assert [int(name) for i in range(batches) for name in loader.names(i)] == order.tolist()


def test_a_resumed_epoch_begins_where_it_was_left() -> None:
    photos = beside(*(np.full((4, 4, 3), i, np.uint8) for i in range(6)))
    order = np.arange(6)
    for workers in (0, 2):
        loader = BatchLoader(
            photos, order, np.zeros((6, 4)), center_squares, 4, 3, workers=workers, done=lambda: 1
        )
        assert torch.cat(list(loader))[:, 0, 0, 0].tolist() == [2, 3, 4, 5]


def test_what_fails_in_a_thread_is_raised_where_the_batch_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("this is no picture")
    photos = StreamedPhotos(find_photos(tmp_path), 32)
    loader = BatchLoader(photos, np.arange(1), np.zeros((1, 4)), center_squares, 32, 1, workers=2)
    with pytest.raises(ColorizerError, match=r"text\.jpg"):
        list(loader)


def test_streamed_and_resident_photos_give_the_same_squares(photos: Path) -> None:
    found = find_photos(photos)
    resident = ResidentPhotos(decode_all(found, 40, None))
    streamed = StreamedPhotos(found, 40)
    order, draws = np.arange(12), np.random.default_rng(0).random((12, 4))
    one, other = (p.batch(order, draws, random_squares, 24) for p in (resident, streamed))
    assert torch.equal(one, other)
    half = np.arange(1, 12, 2)
    assert resident.part(half).names == streamed.part(half).names == resident.names[1::2]
    assert torch.equal(
        resident.part(half).batch(order[:6], draws[half], random_squares, 24), one[half]
    )


def test_a_streamed_photo_that_cannot_be_read_is_named_once(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes((photos / "01.jpg").read_bytes())
    (tmp_path / "b.jpg").write_text("this is no picture")
    streamed = StreamedPhotos(find_photos(tmp_path), 32)
    batch = (np.array([0, 1]), np.zeros((2, 4)), center_squares, 32)
    with pytest.warns(UserWarning, match=r"left out: .*b\.jpg"):
        assert len(streamed.batch(*batch)) == 1
    assert len(streamed.batch(*batch)) == 1


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


@pytest.mark.parametrize(("count", "ranks", "batch"), [(7, 1, 3), (16, 2, 4), (7, 3, 2), (5, 4, 1)])
def test_processes_share_the_photos_and_take_as_many_steps(
    count: int, ranks: int, batch: int
) -> None:
    shares = [np.arange(rank, count, ranks) for rank in range(ranks)]
    batches = equal_batches([len(share) for share in shares], batch)
    assert sorted(np.concatenate(shares)) == list(range(count))
    assert all(1 <= batches <= len(share) for share in shares)
    assert max(len(share) for share in shares) <= batches * (batch + 1)


@pytest.mark.parametrize(
    ("mode", "free", "word", "streams"),
    [
        ("auto", 1e9, "resident in the system's memory", False),
        ("auto", 1e5, "streamed, as 0.1 MB", True),
        ("resident", 1e5, "resident", False),
        ("streaming", 1e9, "streamed, as data.mode says", True),
    ],
)
def test_what_fits_is_resident(
    mode: str, free: float, word: str, streams: bool, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorizer.data.module.available", lambda device: int(free))
    data = PhotoModule(DataSettings(train=str(photos), size=40, crop=32, mode=mode))
    data.setup()
    assert word in data.place
    assert isinstance(data.train, StreamedPhotos) == streams
    assert data.samples(1).shape == (1, 3, 32, 32)


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


@pytest.mark.parametrize("mode", ["resident", "streaming"])
def test_photos_without_color_are_named_and_left_out(tmp_path: Path, mode: str) -> None:
    for i in range(4):
        Image.fromarray(landscape(i, 40, 50)).save(tmp_path / f"{i}.png")
    gray = Image.fromarray(landscape(9, 40, 50)).convert("L")
    gray.convert("RGB").save(tmp_path / "gray.jpg", quality=60)
    with pytest.warns(UserWarning, match=r"gray\.jpg has no color to learn from"):
        found = _batch_of_all(tmp_path, mode)
    assert len(found) == 4
    gray.save(tmp_path / "0.png")
    for i in range(1, 4):
        (tmp_path / f"{i}.png").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ColorizerError, match=r"(none of|no photo of) .* can be used.*no color"):
            _batch_of_all(tmp_path, mode)


def _batch_of_all(folder: Path, mode: str) -> torch.Tensor:
    """A square of each photo of a folder."""
    photos = find_photos(folder)
    kept = (
        StreamedPhotos(photos, 40)
        if mode == "streaming"
        else ResidentPhotos(decode_all(photos, 40, None))
    )
    count = len(kept)
    return kept.batch(np.arange(count), np.zeros((count, DRAWS)), center_squares, 16)
