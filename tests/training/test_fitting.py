"""How many pictures fit: the search, the count of bytes, and a GPU that is played."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from colorizer.errors import ColorizerError
from colorizer.models import create_model
from colorizer.training import fitting
from colorizer.training.fitting import bytes_per_step, largest_batch, search
from colorizer.training.live_bytes import LiveBytes

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


# ---- count


def plain_trial(pictures: int) -> None:
    convolution = nn.Conv2d(1, 8, 3, padding=1)
    F.relu(convolution(torch.zeros(pictures, 1, 16, 16))).sum().backward()


def test_bytes_per_step_are_those_counted_by_hand() -> None:
    # Alive at once: the picture, and 8 channels before and after the relu; then the gradient of
    # the former with the latter. Beside them weights and bias with gradients, and some scalars.
    needed = bytes_per_step(plain_trial, 1000)
    assert needed(101) - needed(100) == 4 * 16 * 16 * (1 + 8 + 8)
    assert 0 <= needed(0) < 2 * 4 * (8 * 9 + 8) + 64


def test_bytes_of_a_model_are_those_of_the_large_step() -> None:
    model = create_model("colornet", encoder="test_resnet", head="ab", width=16)
    optimizer = torch.optim.AdamW(model.parameters())

    def trial(pictures: int) -> None:
        model(torch.rand(pictures, 1, 64, 64)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    needed = bytes_per_step(trial, 1000)
    with LiveBytes() as live:
        trial(48)
    assert needed(48) == pytest.approx(live.peak, rel=0.02)


@pytest.mark.parametrize("constant", [0, 5_000, 40_000, 10**6])
def test_what_the_optimizer_takes_hides_nothing(constant: int) -> None:
    def trial(pictures: int) -> None:
        torch.zeros(constant + 10 * pictures, dtype=torch.uint8)
        torch.zeros(1000 * pictures, dtype=torch.uint8)

    needed = bytes_per_step(trial, 10**6)
    assert needed(5000) >= max(constant, 5_000_000)
    if constant < 15_000:  # the pictures' share shows early enough in the counted steps
        assert needed(5000) == pytest.approx(5_000_000)


@pytest.mark.parametrize("most", [1, 2, 3, 5, 9])
def test_no_more_pictures_than_there_are(most: int) -> None:
    asked = []

    def trial(pictures: int) -> None:
        asked.append(pictures)
        plain_trial(pictures)

    assert largest_batch(trial, torch.device("cpu"), most) == most
    assert max(asked) <= most


def test_half_of_the_available_memory_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    device, each = torch.device("cpu"), 4 * 16 * 16 * 17
    monkeypatch.setattr(fitting, "available", lambda device: 2 * 100.5 * each)
    assert largest_batch(plain_trial, device, 10_000) == 96
    assert largest_batch(plain_trial, device, 50) == 50
    monkeypatch.setattr(fitting, "available", lambda device: 2 * 3 * each)
    assert largest_batch(plain_trial, device, 10_000) == 2
    monkeypatch.setattr(fitting, "available", lambda device: each)
    with pytest.raises(ColorizerError, match=r"not even one picture .* of cpu: lower data\.crop"):
        largest_batch(plain_trial, device, 10_000)


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
