import pytest
import torch

from colorizer import UsageError
from colorizer.data.jitter import Jitter


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_strength_does_what_it_says() -> None:
    rgb = torch.rand(64, 3, 8, 8) * 0.4 + 0.3  # nothing is clipped
    gray = rgb.mean(1, keepdim=True)
    found = Jitter(saturation=0.5)(rgb, draw())
    assert torch.allclose(found.mean(1, keepdim=True), gray, atol=1e-6)
    factors = (found - gray).flatten(1).norm(dim=1) / (rgb - gray).flatten(1).norm(dim=1)
    assert factors.min() >= 0.5
    assert factors.max() <= 1.5
    assert factors.std() > 0.1
    found = Jitter(saturation=0, brightness=0.3)(rgb, draw())
    assert torch.allclose(found / rgb, (found / rgb)[:, :1, :1, :1].expand_as(rgb), atol=1e-5)
    found = Jitter(saturation=0, contrast=0.3)(rgb, draw())
    assert torch.allclose(found.mean((1, 2, 3)), rgb.mean((1, 2, 3)), atol=1e-6)
    assert torch.allclose(Jitter(saturation=0)(rgb, draw()), rgb, atol=1e-6)


def test_chance_comes_from_the_generator() -> None:
    rgb = torch.rand(2, 3, 8, 8)
    pictures = [Jitter()(rgb, draw(seed)) for seed in (1, 1, 2)]
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])


def test_out_of_range() -> None:
    with pytest.raises(UsageError, match=r"contrast is 1\.5; accepted are 0 to 1"):
        Jitter(contrast=1.5)
