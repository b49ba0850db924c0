"""How many pixels are near the original's color, however near is meant: auc."""

import torch
from torch import Tensor

from colorizer.color.gamut import bins, smoothing
from colorizer.color.tensors import LabBatch
from colorizer.metrics.base import ImageMean, Number
from colorizer.metrics.color import nearest_bins
from colorizer.registry import METRICS

__all__ = ["AUC"]


@METRICS.register("auc")
class AUC(ImageMean):
    """Area under the cumulative histogram of chroma errors from 0 to 150 Lab units, in percent.

    The mean over these whole thresholds of the share of pixels whose error, the distance in ab, is
    at most that (`auc`). And the same where each pixel weighs the inverse of how common its
    original's ab bin is among all the originals, smoothed as for rebalancing and without a uniform
    share (`auc_rebalanced`): gray has much less of it, as most pixels of photos are nearly gray.

    Source: "raw accuracy" of Zhang, Isola and Efros, "Colorful Image Colorization" (2016), equation
        4 with lambda 0. There, how common colors are was taken from ImageNet's training photos.
    """

    numbers = (
        Number("auc", "AuC of ab errors", "%", True, main=False, plotted=False),
        Number(
            "auc_rebalanced",
            "AuC of ab errors, rebalanced",
            "%",
            True,
            per_image=False,
            main=False,
            plotted=False,
        ),
    )
    order = 17
    columns = 1 + 2 * len(bins())

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        error = (prediction.ab.float() - target.ab.float()).norm(dim=1)  # N H W
        within = (151 - error.ceil()).clamp(min=0).flatten(1) / 151  # share of the thresholds
        index = nearest_bins(target.ab)  # N H*W
        near, all_there = torch.zeros(2, len(error), len(bins()), device=error.device)
        near.scatter_add_(1, index, within)
        all_there.scatter_add_(1, index, torch.ones_like(within))
        counts = torch.cat([near, all_there], dim=1) / within.shape[1]
        return torch.cat([within.mean(1, keepdim=True), counts], dim=1)

    def finish(self, mean: Tensor) -> Tensor:
        near, there = mean[..., 1:].chunk(2, dim=-1)
        kernel = torch.tensor(smoothing()).to(mean)
        weight = 1 / (there @ kernel.T).clamp(min=1e-12)  # of each bin; one without pixels counts 0
        rebalanced = (weight * near).sum(-1, keepdim=True) / (weight * there).sum(-1, keepdim=True)
        return 100 * torch.cat([mean[..., :1], rebalanced], dim=-1)
