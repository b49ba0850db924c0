"""Cross entropy over the in-gamut ab bins, rare colors weighted up."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.color.gamut import bins, class_weights
from colorizer.color.tensors import Prediction, Target
from colorizer.errors import UsageError
from colorizer.registry import LOSSES

__all__ = ["DistributionLoss", "check_bins", "thinned"]

_CELL = 4.0  # Lab units: width of the cells of the table of candidates
_LIMIT = 128.0  # the table covers -128..128 in a and in b; no sRGB color lies outside


@cache
def _candidates(count: int) -> np.ndarray:
    """For each square cell of the ab plane, the bins that can be among the `count` nearest.

    A bin is left out only if `count` others are nearer to every point of the cell, so searching
    the candidates is exact, and some twenty times cheaper than searching all bins.

    Returns:
        (cells, cells, K) int64, filled up with Q where a cell has fewer than K candidates.
    """
    low = np.arange(-_LIMIT, _LIMIT, _CELL)[:, None]
    near, far = [], []
    for center in bins().astype(np.float64).T:  # a, then b
        below, above = low - center, center - (low + _CELL)
        near.append(np.maximum(np.maximum(below, above), 0) ** 2)  # (cells, Q)
        far.append(np.maximum(np.abs(below), np.abs(above)) ** 2)
    nearest = near[0][:, None] + near[1][None]  # (cells, cells, Q)
    farthest = far[0][:, None] + far[1][None]
    keep = nearest <= np.partition(farthest, count - 1)[..., count - 1 : count]
    order = np.argsort(~keep, axis=-1, kind="stable")[..., : keep.sum(-1).max()]
    return np.where(np.take_along_axis(keep, order, -1), order, len(bins()))


def check_bins(loss: str, raw: Tensor, count: int) -> None:
    """Raise UsageError where raw (N, C, h, w) is not that of a head with `count` bins."""
    if raw.shape[1] != count:
        raise UsageError(
            f"loss {loss!r} needs a model with head 'distribution': it compares {count} channels, "
            f"one per bin, and the head gave {raw.shape[1]}"
        )


def thinned(thin: int, *maps: Tensor) -> tuple[Tensor, ...]:
    """One place of `thin` by `thin` of each (N, C, h, w), at the same random offset."""
    if thin == 1:
        return maps
    down, across = torch.randint(thin, (2,)).tolist()  # on the host: no wait
    return tuple(x[..., down::thin, across::thin] for x in maps)


@LOSSES.register("distribution")
class DistributionLoss(nn.Module):
    """Cross entropy between the head's bins and the target's softly binned chroma.

    The target's chroma is averaged over the area of each pixel of the head's output and spread
    over its nearest bins by a Gaussian. A pixel's weight is its nearest bin's, 1 for all until
    `set_prior` tells how common each bin is in the training photos; the weights then have
    expectation 1 under that prior.

    Args:
        neighbors: nearest bins that share a pixel.
        sigma: width of the Gaussian, in Lab units.
        mix: share of the uniform distribution in the prior that is inverted (lambda in the
            paper), above 0 and up to 1; 1 weights all bins alike.
        thin: in training, look at one place of `thin` by `thin`, at a random offset each step:
            neighbors tell nearly the same, and at 2 the loss costs a quarter.

    Shape: prediction.raw (N, Q, h, w), scores before the softmax.
    Raises: UsageError where the head is another than `distribution`.
    Source: Zhang, Isola and Efros, "Colorful Image Colorization" (2016).
    """

    weights: Tensor
    centers: Tensor
    candidates: Tensor

    def __init__(
        self, neighbors: int = 5, sigma: float = 5.0, mix: float = 0.5, thin: int = 1
    ) -> None:
        super().__init__()
        count = len(bins())
        if not (1 <= neighbors <= count and sigma > 0 and 0 < mix <= 1 and thin >= 1):
            raise UsageError(
                f"loss 'distribution': neighbors {neighbors}, sigma {sigma}, mix {mix}, thin "
                f"{thin}; accepted are neighbors in 1..{count}, sigma above 0, mix above 0 and up "
                "to 1, thin from 1 on"
            )
        self.neighbors, self.sigma, self.mix, self.thin = neighbors, sigma, mix, thin
        nowhere = np.full((1, 2), 1e4, np.float32)  # the bin Q, never near
        centers = torch.from_numpy(np.concatenate([bins(), nowhere]))
        self.register_buffer("weights", torch.ones(count))
        self.register_buffer("centers", centers, persistent=False)
        self.register_buffer(
            "candidates", torch.from_numpy(_candidates(neighbors)), persistent=False
        )

    def set_prior(self, prior: Tensor) -> None:
        """Weight the bins against `prior`: (Q,), the training photos' smoothed histogram."""
        weights = class_weights(prior.detach().cpu().numpy(), self.mix)
        self.weights.copy_(torch.from_numpy(weights))

    @torch.no_grad()
    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest bins of each pixel and its shares of them.

        Shape: ab (N, 2, h, w), Lab units -> index (N, neighbors, h, w) int64, the nearest first,
        and share (N, neighbors, h, w) float32, summing to 1 over the bins.
        """
        points = ab.float().movedim(1, -1)  # N h w 2
        cell = ((points + _LIMIT) / _CELL).long().clamp(0, len(self.candidates) - 1)
        near = self.candidates[cell[..., 0], cell[..., 1]]  # N h w K
        distance2 = (self.centers[near] - points[..., None, :]).square().sum(-1)
        distance2, order = distance2.topk(self.neighbors, largest=False)  # N h w neighbors
        share = torch.softmax(distance2 / (-2 * self.sigma**2), dim=-1)
        return near.gather(-1, order).movedim(-1, 1), share.movedim(-1, 1)

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        raw = prediction.raw
        check_bins("distribution", raw, len(self.weights))
        with torch.autocast(raw.device.type, enabled=False):
            ab = F.adaptive_avg_pool2d(target.ab.float(), (raw.shape[2], raw.shape[3]))
            if self.training:
                ab, raw = thinned(self.thin, ab, raw)
            index, share = (x.movedim(1, -1) for x in self.encode(ab))  # N h w neighbors
            # Over the last dimension, which is how a channels-last network leaves it: 2.5 times
            # faster on a processor than over the second.
            log_p = F.log_softmax(raw.movedim(1, -1), dim=-1, dtype=torch.float32)
            entropy = -(share * log_p.gather(-1, index)).sum(-1)  # N h w
            return (self.weights[index[..., 0]] * entropy).mean()
