"""Pictures that tests draw."""

import numpy as np
import torch

from colorizer.color.tensors import Prediction, Target, rgb_to_lab


def landscape(seed: int, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: a blue sky over green hills, of random brightness."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    horizon = height * (0.5 + 0.2 * np.sin(x / width * rng.uniform(3, 9) + rng.uniform(0, 6)))
    picture = np.where((y > horizon)[..., None], [60, 140, 40], [120, 170, 240])
    picture = picture * rng.uniform(0.7, 1.0) + rng.normal(0, 6, (height, width, 1))
    return picture.clip(0, 255).astype(np.uint8)


def pair(n=2, height=24, width=26, seed=0):
    """A prediction with head `ab` at full size, and a target of the same lightness."""
    generator = torch.Generator().manual_seed(seed)
    L, ab = rgb_to_lab(torch.rand(n, 3, height, width, generator=generator))
    raw = (ab + 10 * torch.randn(ab.shape, generator=generator)).requires_grad_()
    return Prediction(L, raw, lambda raw: raw), Target(L, ab)
