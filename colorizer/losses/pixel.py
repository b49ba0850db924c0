"""Distances between pixels: mean squared, mean absolute, Huber."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.color.tensors import Prediction, Target
from colorizer.errors import UsageError
from colorizer.registry import LOSSES

__all__ = ["AB_SCALE", "HuberLoss", "L1Loss", "MSELoss", "Space"]

AB_SCALE = 20.0
"""Lab units that count as 1: about what chroma varies by in photos, so errors are of order 1."""

Space = Literal["ab", "rgb"]


class _PixelLoss(nn.Module):
    """What the pixel losses share: the space in which they compare.

    Args:
        space: "ab", chroma divided by `AB_SCALE`; or "rgb", sRGB in 0..1.
    """

    def __init__(self, space: Space = "ab") -> None:
        super().__init__()
        self.space = space

    def pair(self, prediction: Prediction, target: Target) -> tuple[Tensor, Tensor]:
        """Both sides in the loss's space and scale, float32: (N, 2 or 3, H, W)."""
        if self.space == "rgb":
            return prediction.rgb.float(), target.rgb.float()
        return prediction.ab.float() / AB_SCALE, target.ab.float() / AB_SCALE


@LOSSES.register("mse")
class MSELoss(_PixelLoss):
    """Mean squared error.

    Args:
        space: "ab", chroma divided by 20 Lab units; or "rgb", sRGB in 0..1.
    """

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        return F.mse_loss(*self.pair(prediction, target))


@LOSSES.register("l1")
class L1Loss(_PixelLoss):
    """Mean absolute error.

    Args:
        space: "ab", chroma divided by 20 Lab units; or "rgb", sRGB in 0..1.
    """

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        return F.l1_loss(*self.pair(prediction, target))


@LOSSES.register("huber")
class HuberLoss(_PixelLoss):
    """Quadratic up to `delta`, linear beyond: strong colors do not drown the rest.

    Args:
        space: "ab", chroma divided by 20 Lab units; or "rgb", sRGB in 0..1.
        delta: where the line begins, in Lab units ("ab", default 10) or in sRGB units
            ("rgb", default 0.1); above 0.
    """

    def __init__(self, space: Space = "ab", delta: float | None = None) -> None:
        super().__init__(space)
        default, scale = (10.0, AB_SCALE) if space == "ab" else (0.1, 1.0)
        self.delta = (default if delta is None else delta) / scale
        if not self.delta > 0:
            raise UsageError(f"loss 'huber': delta is {delta}, it must be above 0")

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        return F.huber_loss(*self.pair(prediction, target), delta=self.delta)
