"""How colorful the prediction is, whatever the original."""

import torch
from torch import Tensor, nn

from colorizer.color.tensors import Prediction, Target
from colorizer.registry import LOSSES

__all__ = ["ColorfulnessLoss"]

_LEAST = 1e-4  # under the roots, in squared levels: their gradient at gray is 0 and not infinite


@LOSSES.register("colorfulness")
class ColorfulnessLoss(nn.Module):
    """1 less a hundredth of the prediction's colorfulness, the mean over pictures.

    With the opponents `rg = R - G` and `yb = (R + G) / 2 - B` of sRGB in 0..255, colorfulness is
    `hypot(std rg, std yb) + 0.3 * hypot(mean rg, mean yb)`. It does not look at the original:
    beside others it draws them to livelier colors, alone it wants the most garish ones. From 1 at
    gray down to below 0.

    Source: Kang et al., "DDColor: Towards Photo-Realistic Image Colorization via Dual Decoders"
        (2023); Hasler and Suesstrunk, "Measuring Colorfulness in Natural Images" (2003).
    """

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        red, green, blue = (255 * prediction.rgb.float()).flatten(2).unbind(1)  # N H*W
        opponents = torch.stack([red - green, (red + green) / 2 - blue])
        variance = opponents.var(-1, correction=0).sum(0)  # N
        mean2 = opponents.mean(-1).square().sum(0)
        colorfulness = (variance + _LEAST).sqrt() + 0.3 * (mean2 + _LEAST).sqrt()
        return 1 - colorfulness.mean() / 100
