"""How much the colors of a photo change when it is fed at another size."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from colorizer.color.tensors import Target
from colorizer.evaluation.contenders import Contender
from colorizer.evaluation.protocol import as_picture
from colorizer.metrics.base import Number
from colorizer.metrics.color import ciede2000

__all__ = ["FACTORS", "NUMBERS", "drift", "finish"]

FACTORS = (0.5, 2.0)
"""The sizes, besides its own, at which a photo is fed."""

NUMBERS = (
    Number("stability", "Color drift over size", ranked=False),
    Number("stability_half", "Color drift at half size", main=False, plotted=False, ranked=False),
    Number(
        "stability_double", "Color drift at double size", main=False, plotted=False, ranked=False
    ),
)


def drift(contender: Contender, gray: np.ndarray, colored: Target, device: str) -> Tensor:
    """Mean CIEDE2000 difference to the colors at half and at double size: (1, 2).

    The gray picture is resized (Pillow, Lanczos) and colored; the chroma is brought back to its
    own size (bilinear, antialiased), and joins the lightness that it had.

    Args:
        gray: (H, W) uint8, what the contender is given.
        colored: what it made of that, a batch of one.
    """
    height, width = gray.shape
    found = []
    for factor in FACTORS:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        resized = np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.LANCZOS))
        other = as_picture(contender.color(resized, np.repeat(resized[..., None], 3, 2)), device)
        ab = F.interpolate(
            other.ab, (height, width), mode="bilinear", align_corners=False, antialias=True
        )
        found.append(ciede2000(colored.L, colored.ab, colored.L, ab).mean())
    return torch.stack(found)[None]


def finish(mean: Tensor) -> Tensor:
    """The numbers that follow: (..., 2) -> (..., 3)."""
    return torch.cat([mean.mean(-1, keepdim=True), mean], dim=-1)
