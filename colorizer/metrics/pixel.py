"""Distances between pixels, image by image: mse, psnr, psnr_pooled, ssim, channelwise_l2, auc."""

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from colorizer.color.tensors import LabBatch
from colorizer.errors import UsageError
from colorizer.metrics.base import ImageMean, Number
from colorizer.registry import METRICS

__all__ = ["MSE", "PSNR", "PSNR_CAP", "SSIM", "ChannelwiseL2", "PooledPSNR"]

PSNR_CAP = 100.0
"""What an image counts at most, in dB: else one perfect image would make the mean infinite."""

_WINDOW = 11  # pixels: what a Gaussian of 1.5 needs, cut off at 3.5 standard deviations
_BORDER = _WINDOW // 2


def _squared_error(x: Tensor, y: Tensor) -> Tensor:
    """Mean over the pixels of each channel: (N, C, H, W) twice -> (N, C), float32."""
    return (x.float() - y.float()).square().mean((2, 3))


def _squared_error_8bit(prediction: LabBatch, target: LabBatch) -> Tensor:
    """Mean squared error of each image in sRGB rounded to 0..255: (N, 1)."""
    levels = [(side.rgb.float() * 255).round() for side in (prediction, target)]
    return _squared_error(*levels).mean(1, keepdim=True)


def _decibels(squared_error: Tensor) -> Tensor:
    return (10 * torch.log10(255**2 / squared_error)).clamp(max=PSNR_CAP)


@METRICS.register("mse")
class MSE(ImageMean):
    """Mean over images of the mean squared error in sRGB, 0..1."""

    numbers = (Number("mse", "MSE", main=False, plotted=False, ranked=False),)
    order = 13

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        return _squared_error(prediction.rgb, target.rgb).mean(1, keepdim=True)


@METRICS.register("psnr")
class PSNR(ImageMean):
    """Mean over images of the peak signal-to-noise ratio in dB, in 8-bit sRGB.

    Both sides are rounded to 8 bits first. No image counts more than `PSNR_CAP` (100 dB), which
    is what an identical one counts.
    """

    numbers = (Number("psnr", "PSNR", "dB", True),)
    order = 10

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        return _decibels(_squared_error_8bit(prediction, target))


@METRICS.register("psnr_pooled")
class PooledPSNR(ImageMean):
    """Peak signal-to-noise ratio in dB of the mean squared error of all images, in 8-bit sRGB.

    Never more than the mean of the images' own ratios (`psnr`), as a bad image counts more.
    """

    numbers = (Number("psnr_pooled", "PSNR, pooled", "dB", True, per_image=False, main=False),)
    order = 11

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        return _squared_error_8bit(prediction, target)

    def finish(self, mean: Tensor) -> Tensor:
        return _decibels(mean)


@METRICS.register("ssim")
class SSIM(ImageMean):
    """Mean over images of the structural similarity of sRGB, channel by channel, then averaged.

    Gaussian window of standard deviation 1.5 (11x11 pixels), K1 0.01, K2 0.03, without the
    borders, where the window is cut off. At most 1.

    Raises: UsageError for pictures of less than 11 pixels either way.
    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity" (2004).
    """

    numbers = (Number("ssim", "SSIM", "", True),)
    order = 12

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        height, width = target.L.shape[-2:]
        if min(height, width) < _WINDOW:
            raise UsageError(
                f"ssim: pictures are {height}x{width}, it needs {_WINDOW} or more each way"
            )
        # Float64 on a GPU: its float32 convolutions may be TF32, in which variances drown.
        exact = torch.float64 if target.L.is_cuda else torch.float32
        with torch.autocast(target.L.device.type, enabled=False):
            ours, real = prediction.rgb.to(exact), target.rgb.to(exact)
            _, each = structural_similarity_index_measure(
                ours, real, reduction="none", data_range=1.0, return_full_image=True
            )
        inner = each[..., _BORDER:-_BORDER, _BORDER:-_BORDER]
        return inner.mean((1, 2, 3)).float()[:, None]


@METRICS.register("channelwise_l2")
class ChannelwiseL2(ImageMean):
    """Root mean squared error of a and of b, in Lab units, and the sum of the two.

    The squares are averaged over the pixels of each image, then over images.
    """

    numbers = (
        Number("channelwise_l2", "L2 of a + L2 of b", "Lab", main=False, ranked=False),
        Number("channelwise_l2_a", "L2 of a", "Lab", main=False, plotted=False, ranked=False),
        Number("channelwise_l2_b", "L2 of b", "Lab", main=False, plotted=False, ranked=False),
    )
    order = 14
    columns = 2

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        return _squared_error(prediction.ab, target.ab)

    def finish(self, mean: Tensor) -> Tensor:
        roots = mean.sqrt()
        return torch.cat([roots.sum(-1, keepdim=True), roots], dim=-1)
