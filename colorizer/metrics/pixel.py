"""Distances between pixels, image by image: mse, psnr, channelwise_l2."""

from abc import abstractmethod

import torch
from torch import Tensor
from torchmetrics import Metric

from colorizer.color import Picture
from colorizer.registry import METRICS

__all__ = ["MSE", "PSNR", "PSNR_CAP", "ChannelwiseL2", "ImageMean"]

PSNR_CAP = 100.0
"""What an image counts at most, in dB: else one perfect image would make the mean infinite."""


class ImageMean(Metric):
    """Base of metrics that are a mean over images: a float64 sum and a count, both reducible.

    Subclasses answer `per_image`: (N, *shape).
    """

    full_state_update = False
    shape: tuple[int, ...] = ()
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(self.shape, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    @abstractmethod
    def per_image(self, prediction: Picture, target: Picture) -> Tensor:
        """One value, or one of `shape`, for each image."""

    def update(self, prediction: Picture, target: Picture) -> None:
        """Add a batch of pictures."""
        values = self.per_image(prediction, target)
        self.total += values.double().sum(0)
        self.count += len(values)

    def mean(self) -> Tensor:
        """The mean over all images seen, float32."""
        return (self.total / self.count).float()


def _squared_error(x: Tensor, y: Tensor) -> Tensor:
    """Mean over the pixels of each channel: (N, C, H, W) twice -> (N, C), float32."""
    return (x.float() - y.float()).square().mean((2, 3))


@METRICS.register("mse")
class MSE(ImageMean):
    """Mean over images of the mean squared error in sRGB, 0..1."""

    higher_is_better = False

    def per_image(self, prediction: Picture, target: Picture) -> Tensor:
        return _squared_error(prediction.rgb, target.rgb).mean(1)

    def compute(self) -> Tensor:
        return self.mean()


@METRICS.register("psnr")
class PSNR(ImageMean):
    """Mean over images of the peak signal-to-noise ratio in dB, in 8-bit sRGB.

    Both sides are rounded to 8 bits first. No image counts more than `PSNR_CAP` (100 dB), which
    is what an identical one counts.
    """

    higher_is_better = True

    def per_image(self, prediction: Picture, target: Picture) -> Tensor:
        levels = [(side.rgb.float() * 255).round() for side in (prediction, target)]
        error = _squared_error(*levels).mean(1)
        return (10 * torch.log10(255**2 / error)).clamp(max=PSNR_CAP)

    def compute(self) -> Tensor:
        return self.mean()


@METRICS.register("channelwise_l2")
class ChannelwiseL2(ImageMean):
    """Root mean squared error of a and of b, in Lab units, and the sum of the two.

    The squares are averaged over the pixels of each image, then over images.
    """

    higher_is_better = False
    shape = (2,)

    def per_image(self, prediction: Picture, target: Picture) -> Tensor:
        return _squared_error(prediction.ab, target.ab)

    def compute(self) -> dict[str, Tensor]:
        a, b = self.mean().sqrt()
        return {"channelwise_l2": a + b, "channelwise_l2_a": a, "channelwise_l2_b": b}
