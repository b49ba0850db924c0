"""ConstantNet: height and width stay constant from input to output, only the depth varies."""

import torch
from torch import Tensor, nn

from colorizer.color.tensors import lightness_to_gray
from colorizer.models.colornet import ColorModel
from colorizer.models.decoders import ConvBlock
from colorizer.models.heads import HeadName, create_head
from colorizer.registry import MODELS

__all__ = ["ConstantNet"]


@MODELS.register("constantnet")
class ConstantNet(ColorModel):
    """Dilated convolutions at full size, with one skip around the middle; no strides, no pooling.

    Args:
        head: "distribution" over ab bins, or "ab" regression; at stride 1.
        width: channels at both ends; the middle has twice as many.
    """

    def __init__(self, head: HeadName = "distribution", width: int = 32) -> None:
        super().__init__()
        self.enter = nn.Sequential(ConvBlock(1, width), ConvBlock(width, width, dilation=2))
        self.middle = nn.Sequential(
            ConvBlock(width, 2 * width, dilation=4),
            ConvBlock(2 * width, 2 * width, dilation=8),
            ConvBlock(2 * width, 2 * width, dilation=16),
            ConvBlock(2 * width, width, dilation=4),
        )
        self.leave = nn.Sequential(ConvBlock(2 * width, width, dilation=2), ConvBlock(width, width))
        self.head = create_head(head, width, stride=1)

    def features(self, L: Tensor) -> Tensor:
        """Shape: L (N, 1, H, W), 0..100 -> (N, width, H, W)."""
        x = self.enter(2 * lightness_to_gray(L) - 1)
        x = torch.cat([x, self.middle(x)], dim=1)  # the skip
        return self.leave(x)
