"""How many pictures fit: the search, and a GPU that is played."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from colorizer.config import DataSettings
from colorizer.data.augment import center_crops
from colorizer.data.module import PhotoModule
from colorizer.errors import ColorizerError
from colorizer.losses import create_loss
from colorizer.models import create_model
from colorizer.training import batch_size
from colorizer.training.batch_size import fit_batch, largest_batch, search
from colorizer.training.task import ColorTask
from tests.trainings import quick

# ---- search


@given(st.integers(0, 3000), st.integers(1, 3000))
def test_search_finds_the_largest_that_fits(room: int, most: int) -> None:
    asked = []

    def fits(pictures: int) -> bool:
        asked.append(pictures)
        return pictures <= room

    found = search(fits, most)
    allowed = [n for n in {1, 2, 4, most, *range(8, most, 8)} if n <= min(room, most)]
    assert found == max(allowed, default=0)
    assert max(asked) <= most
    assert len(asked) == len(set(asked)) <= 24


# ---- a GPU


class PlayedGPU:
    """80 pictures' worth of memory; a model takes 4, other programs `others`."""

    total = 80

    def __init__(self, monkeypatch: pytest.MonkeyPatch, others: int = 0, error=None) -> None:
        self.others, self.peak, self.tried = others, 4, []
        self.error = error or torch.OutOfMemoryError("CUDA out of memory")
        for name, value in {
            "mem_get_info": lambda _: (self.total - self.others - 4, self.total),
            "memory_reserved": lambda _: 4,
            "max_memory_reserved": lambda _: self.peak,
            "reset_peak_memory_stats": lambda _: setattr(self, "peak", 4),
            "synchronize": lambda _: None,
            "empty_cache": lambda: None,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr("gc.collect", lambda: 0)  # takes a while in a large process

    def trial(self, pictures: int) -> None:
        self.tried.append(pictures)
        self.peak = 4 + pictures
        if self.peak > self.total - self.others:
            raise self.error


def test_a_gpu_keeps_a_tenth_free(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = PlayedGPU(monkeypatch)
    assert largest_batch(gpu.trial, torch.device("cuda"), 1000) == 64  # 68 of 72
    assert gpu.tried == [8, 16, 32, 64, 128, 96, 80, 72]
    assert largest_batch(PlayedGPU(monkeypatch, 20).trial, torch.device("cuda"), 1000) == 48
    assert largest_batch(PlayedGPU(monkeypatch, 65).trial, torch.device("cuda"), 1000) == 2
    with pytest.raises(ColorizerError, match="not even one picture"):
        largest_batch(PlayedGPU(monkeypatch, 70).trial, torch.device("cuda"), 1000)


def test_only_a_lack_of_memory_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    lack = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
    gpu = PlayedGPU(monkeypatch, error=lack)
    assert largest_batch(gpu.trial, torch.device("cuda"), 1000) == 64
    gpu = PlayedGPU(monkeypatch, error=RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        largest_batch(gpu.trial, torch.device("cuda"), 1000)


# ---- a training


def task_of(settings) -> ColorTask:
    model, loss = create_model(**settings.model), create_loss(settings.loss)
    return ColorTask(model, loss, [], settings.optimizer, settings.schedule)


def data_of(settings) -> PhotoModule:
    data = PhotoModule(settings.data)
    data.setup()
    return data


def test_a_processor_takes_the_usual_batch(photos: Path, tmp_path: Path, monkeypatch) -> None:
    settings = quick(photos, tmp_path)
    data, task = data_of(settings), task_of(settings)
    assert fit_batch(task, settings, data) == 11  # all there are
    monkeypatch.setattr(batch_size, "USUAL", 6)
    assert fit_batch(task, settings, data) == 6


def test_photos_are_on_the_gpu_before_batches_are_tried(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"huber": 1.0, "adversarial": {"channels": 2}}
    settings.data.grow = {0.5: 40}
    data, task = data_of(settings), task_of(settings)
    done = []

    class OnGPU:  # the device is played: everything stays where it is
        type = "cuda"

    data._on_device, data.device = True, OnGPU()
    monkeypatch.setattr(ColorTask, "to", lambda self, *_: self)
    monkeypatch.setattr(type(data.train), "to", lambda self, _: (done.append("moved"), self)[1])
    heaviest = PhotoModule.heaviest_batch

    def made(self, count: int, size: int) -> torch.Tensor:
        done.append((count, size))
        return heaviest(self, count, size)

    def searched(trial, device, most) -> int:
        done.append("search")
        trial(2)
        return most

    monkeypatch.setattr(PhotoModule, "heaviest_batch", made)
    monkeypatch.setattr(batch_size, "largest_batch", searched)
    assert fit_batch(task, settings, data) == 11
    assert done == ["moved", "moved", "search", (2, 40)]


def test_the_heaviest_batch_is_of_the_largest_photo(photos: Path) -> None:
    data = PhotoModule(DataSettings(train=str(photos), size=64, crop=32))
    data.setup()
    data._on_device = True
    batch = data.heaviest_batch(3, 32)
    assert batch.shape == (3, 3, 32, 32)
    largest = data.train.sizes.min(1).argmax()
    expected = data.train.batch(np.array([largest]), np.zeros((1, 4)), center_crops, 32)
    assert torch.equal(batch[:1], expected)
    data._on_device = False
    assert data.heaviest_batch(2, 40).shape == (2, 3, 40, 40)
