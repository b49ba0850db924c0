"""Pictures that tests draw."""

import numpy as np


def landscape(seed: int, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: a blue sky over green hills, of random brightness."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    horizon = height * (0.5 + 0.2 * np.sin(x / width * rng.uniform(3, 9) + rng.uniform(0, 6)))
    picture = np.where((y > horizon)[..., None], [60, 140, 40], [120, 170, 240])
    picture = picture * rng.uniform(0.7, 1.0) + rng.normal(0, 6, (height, width, 1))
    return picture.clip(0, 255).astype(np.uint8)
