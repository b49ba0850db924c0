"""What a training gets to see of its photos."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import ColorizerError, UsageError
from colorizer.color import gamut
from colorizer.config import DataSettings
from colorizer.data.augment import DRAWS, center_crops
from colorizer.data.cache import decode_all
from colorizer.data.module import PhotoModule
from colorizer.data.photos import find_photos
from colorizer.data.resident import ResidentPhotos
from colorizer.data.streaming import StreamedPhotos
from tests.drawn import landscape


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


def test_loaders_stand_alone(photos: Path) -> None:
    settings = DataSettings(train=str(photos), holdout=0.25, size=32, crop=32, batch_size=4)
    data = PhotoModule(settings)
    epochs = [list(data.train_dataloader(epoch)) for epoch in (0, 1, 0)]
    assert [tuple(batch.shape) for batch in epochs[0]] == [(3, 3, 32, 32)] * 3
    assert epochs[0][0].dtype == torch.uint8
    same = [torch.equal(torch.cat(epochs[0]), torch.cat(other)) for other in epochs[1:]]
    assert same == [False, True]
    assert sum(len(batch) for batch in data.val_dataloader()) == 3
    settings.batch_size = "auto"
    with pytest.raises(UsageError, match="'auto' is found by a training; alone, say a number"):
        data.train_dataloader()


def test_wrong_datasets_are_one_sentence(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    for train, validation, sentence in (
        ({"path": "x"}, None, r"it lacks its name, such as \{name: hugging_face"),
        ({"name": "hugging_fase"}, None, "did you mean 'hugging_face'"),
        ({"name": "hugging_face", "path": "x"}, None, "pip install datasets"),
        ({"name": "torch.nn.ReLU"}, None, "ReLU has no length"),
        (str(photos), {"name": "hugging_face", "path": "x"}, "data.train is .*name two"),
        ({"name": "hugging_face", "path": "x"}, str(photos), "data.validation is .*name two"),
    ):
        settings = DataSettings(train=train, validation=validation, size=32, crop=32)
        with pytest.raises(UsageError, match=sentence):
            PhotoModule(settings).setup()


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
    """A crop of each photo of a folder."""
    photos = find_photos(folder)
    kept = (
        StreamedPhotos(photos, 40)
        if mode == "streaming"
        else ResidentPhotos(decode_all(photos, 40, None))
    )
    count = len(kept)
    return kept.batch(np.arange(count), np.zeros((count, DRAWS)), center_crops, 16)
