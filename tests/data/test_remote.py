"""Training from shards of an object store."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.config import DataSettings
from colorizer.data.module import PhotoModule
from colorizer.data.photos import find_photos
from colorizer.errors import ColorizerError
from colorizer.support.stores import Store
from tests.drawn import landscape


def shard(seeds) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for seed in seeds:
            Image.fromarray(landscape(seed, 40, 50)).save(photo := io.BytesIO(), "PNG")
            about = tarfile.TarInfo(f"{seed:03}.png")
            about.size = len(photo.getvalue())
            tar.addfile(about, io.BytesIO(photo.getvalue()))
    return file.getvalue()


@pytest.fixture
def store(bucket) -> Store:
    made = Store(f"{bucket}/set")
    for number in range(3):
        made.write(f"train_{number:03}.tar", shard(range(4 * number, 4 * number + 4)))
    made.write("report.html", b"no shard")
    return made


def test_shards_are_fetched_once_and_again_when_they_changed(store, tmp_path, monkeypatch):
    fetched = []
    plain = store.fs.get_file
    monkeypatch.setattr(
        store.fs, "get_file", lambda path, *rest: (fetched.append(path), plain(path, *rest))
    )
    pattern = f"{store.url}/train_{{000..002}}.tar"
    photos = find_photos(pattern, tmp_path)
    assert [photo.name for photo in photos] == [
        f"{store.url}/train_{i // 4:03}.tar/{i:03}.png" for i in range(12)
    ]
    with Image.open(io.BytesIO(photos[5].read())) as image:
        np.testing.assert_array_equal(np.asarray(image), landscape(5, 40, 50))
    assert find_photos(store.url, tmp_path) == find_photos(f"{store.url}/*.tar", tmp_path) == photos
    assert len(fetched) == 3
    store.write("train_001.tar", shard([99]))
    assert len(find_photos(pattern, tmp_path)) == 9
    assert len(fetched) == 4


def test_the_same_batches_as_from_the_disk(store, tmp_path):
    for number in range(3):
        Path(tmp_path, f"train_{number:03}.tar").write_bytes(
            store.fs.cat_file(f"{store.root}/train_{number:03}.tar")
        )
    found = []
    for place in (store.url, str(tmp_path / "train_{000..002}.tar")):
        settings = DataSettings(train=place, size=32, crop=32, mode="streaming", batch_size=4)
        settings.cache = str(tmp_path / "cache")
        module = PhotoModule(settings)
        module.setup()
        found.append(module.samples(4).numpy())
    np.testing.assert_array_equal(*found)


def test_each_process_fetches_its_own_shards_only(store, tmp_path):
    names = []
    for rank in range(2):
        cache = tmp_path / str(rank)
        settings = DataSettings(
            train=f"{store.url}/train_{{000..002}}.tar",
            validation=f"{store.url}/train_002.tar",  # one is too few for two
            size=32,
            crop=32,
            cache=str(cache),
        )
        module = PhotoModule(settings, ranks=2, rank=rank)
        module.setup()
        assert len(module.validation) == 4
        assert f"{2 - rank} of 3 train shards" in module.place
        names += module.train.names
        fetched = {shard for shard in range(3) if shard % 2 == rank} | {2}
        assert len(list((cache / "shards").glob("*.tar"))) == len(fetched)
    assert sorted(names) == [photo.name for photo in find_photos(store.url, tmp_path)]


def test_what_is_no_set_of_shards(store, bucket, tmp_path):
    with pytest.raises(ColorizerError, match=r"train_003\.tar: there is no such file"):
        find_photos(f"{store.url}/train_{{002..003}}.tar", tmp_path)
    with pytest.raises(ColorizerError, match=r"are trained on from \.tar shards"):
        find_photos(f"{bucket}/set/none_*.tar", tmp_path)
    store.write("bad.tar", b"no tar" * 200)
    with pytest.raises(ColorizerError, match=r"set/bad\.tar: it is no uncompressed tar"):
        find_photos(f"{store.url}/bad.tar", tmp_path)
