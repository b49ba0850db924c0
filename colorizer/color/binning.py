"""From chroma to the in-gamut ab bins: which are near, and how a color is shared among them."""

from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from colorizer.color.gamut import bins

__all__ = ["Binning"]

_CELL = 4.0  # Lab units: width of the cells of the table of candidates
_LIMIT = 128.0  # the table covers -128..128 in a and in b; no sRGB color lies outside


@cache
def _candidates(count: int, kind: Literal["gamut", "zhang"]) -> np.ndarray:
    """For each square cell of the ab plane, the bins that can be among the `count` nearest.

    A bin is left out only if `count` others are nearer to every point of the cell, so searching
    the candidates is exact, and some twenty times cheaper than searching all bins.

    Returns:
        (cells, cells, K) int64, filled up with Q where a cell has fewer than K candidates.
    """
    low = np.arange(-_LIMIT, _LIMIT, _CELL)[:, None]
    near, far = [], []
    for center in bins(kind).astype(np.float64).T:  # a, then b
        below, above = low - center, center - (low + _CELL)
        near.append(np.maximum(np.maximum(below, above), 0) ** 2)  # (cells, Q)
        far.append(np.maximum(np.abs(below), np.abs(above)) ** 2)
    nearest = near[0][:, None] + near[1][None]  # (cells, cells, Q)
    farthest = far[0][:, None] + far[1][None]
    keep = nearest <= np.partition(farthest, count - 1)[..., count - 1 : count]
    order = np.argsort(~keep, axis=-1, kind="stable")[..., : keep.sum(-1).max()]
    return np.where(np.take_along_axis(keep, order, -1), order, len(bins(kind)))


class Binning(nn.Module):
    """Spreads each color over its nearest bins by a Gaussian.

    Args:
        neighbors: how many bins share a color.
        sigma: width of the Gaussian, in Lab units.
        kind: of the bins, see `gamut.bins`.

    Source: Zhang, Isola and Efros, "Colorful Image Colorization" (2016).
    """

    centers: Tensor
    candidates: Tensor

    def __init__(
        self, neighbors: int = 5, sigma: float = 5.0, kind: Literal["gamut", "zhang"] = "gamut"
    ) -> None:
        super().__init__()
        self.neighbors, self.sigma = neighbors, sigma
        nowhere = np.full((1, 2), 1e4, np.float32)  # the bin Q, never near
        centers = torch.from_numpy(np.concatenate([bins(kind), nowhere]))
        self.register_buffer("centers", centers, persistent=False)
        self.register_buffer(
            "candidates", torch.from_numpy(_candidates(neighbors, kind)), persistent=False
        )

    @torch.no_grad()
    def forward(self, ab: Tensor) -> tuple[Tensor, Tensor]:
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
