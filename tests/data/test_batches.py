"""Squares, and batches of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from colorizer import ColorizerError
from colorizer.data.augment import center_crops, random_crops
from colorizer.data.cache import Decoded, decode_all
from colorizer.data.loader import BatchLoader, equal_batches
from colorizer.data.photos import find_photos
from colorizer.data.resident import ResidentPhotos
from colorizer.data.streaming import StreamedPhotos
from tests.device import device


def beside(*pictures: np.ndarray) -> ResidentPhotos:
    sizes = np.array([picture.shape[:2] for picture in pictures])
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    return ResidentPhotos(Decoded([str(i) for i in range(len(pictures))], sizes, pixels, []))


def test_whole_crops_are_the_photos_themselves() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (16, width, 3), np.uint8) for width in (16, 20, 33)]
    crops = np.array([[0, 5, 16, 0], [0, 0, 16, 1], [0, 4, 16, 0]])
    cut = beside(*pictures).crops(np.array([2, 0, 1]), crops, 16)
    cut = cut.permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(cut[0], pictures[2][:, 5:21])
    np.testing.assert_array_equal(cut[1], pictures[0][:, ::-1])
    np.testing.assert_array_equal(cut[2], pictures[1][:, 4:20])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_crops_cut_at_once_are_those_cut_one_by_one(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (*rng.integers(1, 60, 2), 3), np.uint8) for _ in range(5)]
    photos = beside(*pictures)
    chosen = rng.integers(0, 5, 7)
    crops = random_crops(photos.sizes[chosen], rng.random((7, 4)), (0.1, 1.0))
    one, other = (
        photos.crops(chosen, crops, size),
        photos.to(device())._crops_at_once(chosen, crops, size).cpu(),
    )
    assert (one.int() - other.int()).abs().max() <= 1


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted).map(tuple),
)
def test_crops_lie_inside_the_photo(
    height: int, width: int, draws: list[float], scale: tuple[float, float]
) -> None:
    sizes = np.array([[height, width]])
    both = random_crops(sizes, np.array([draws]), scale), center_crops(sizes)
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
    loader = BatchLoader(photos, order, draws, center_crops, 4, batches, workers=workers)
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
            photos, order, np.zeros((6, 4)), center_crops, 4, 3, workers=workers, done=lambda: 1
        )
        assert torch.cat(list(loader))[:, 0, 0, 0].tolist() == [2, 3, 4, 5]


def test_what_fails_in_a_thread_is_raised_where_the_batch_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("this is no picture")
    photos = StreamedPhotos(find_photos(tmp_path), 32)
    loader = BatchLoader(photos, np.arange(1), np.zeros((1, 4)), center_crops, 32, 1, workers=2)
    with pytest.raises(ColorizerError, match=r"text\.jpg"):
        list(loader)


def test_streamed_and_resident_photos_give_the_same_crops(photos: Path) -> None:
    found = find_photos(photos)
    resident = ResidentPhotos(decode_all(found, 40, None))
    streamed = StreamedPhotos(found, 40)
    order, draws = np.arange(12), np.random.default_rng(0).random((12, 4))
    one, other = (p.batch(order, draws, random_crops, 24) for p in (resident, streamed))
    assert torch.equal(one, other)
    half = np.arange(1, 12, 2)
    assert resident.part(half).names == streamed.part(half).names == resident.names[1::2]
    assert torch.equal(
        resident.part(half).batch(order[:6], draws[half], random_crops, 24), one[half]
    )


def test_a_streamed_photo_that_cannot_be_read_is_named_once(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes((photos / "01.jpg").read_bytes())
    (tmp_path / "b.jpg").write_text("this is no picture")
    streamed = StreamedPhotos(find_photos(tmp_path), 32)
    batch = (np.array([0, 1]), np.zeros((2, 4)), center_crops, 32)
    with pytest.warns(UserWarning, match=r"left out: .*b\.jpg"):
        assert len(streamed.batch(*batch)) == 1
    assert len(streamed.batch(*batch)) == 1


@pytest.mark.parametrize(("count", "ranks", "batch"), [(7, 1, 3), (16, 2, 4), (7, 3, 2), (5, 4, 1)])
def test_processes_share_the_photos_and_take_as_many_steps(
    count: int, ranks: int, batch: int
) -> None:
    shares = [np.arange(rank, count, ranks) for rank in range(ranks)]
    batches = equal_batches([len(share) for share in shares], batch)
    assert sorted(np.concatenate(shares)) == list(range(count))
    assert all(1 <= batches <= len(share) for share in shares)
    assert max(len(share) for share in shares) <= batches * (batch + 1)
