"""What the eye makes of color: delta_e, colorfulness, chroma_histogram."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from colorizer.color.gamut import GRID, bins
from colorizer.color.tensors import LabBatch
from colorizer.metrics.base import ImageMean, Number
from colorizer.registry import METRICS

__all__ = ["ChromaHistogram", "Colorfulness", "DeltaE", "ciede2000", "nearest_bins"]


def ciede2000(L1: Tensor, ab1: Tensor, L2: Tensor, ab2: Tensor) -> Tensor:
    """The CIEDE2000 color difference of every pixel, with kL = kC = kH = 1; symmetric.

    1 is about what can just be seen side by side.

    Shape: L (N, 1, H, W), 0..100, ab (N, 2, H, W), Lab units -> (N, H, W), float32.
    Source: Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula: Implementation Notes,
    Supplementary Test Data, and Mathematical Observations" (2005).
    """
    L1, L2 = L1.float()[:, 0], L2.float()[:, 0]
    (a1, b1), (a2, b2) = (ab.float().unbind(1) for ab in (ab1, ab2))
    mean7 = ((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2) ** 7
    stretch = 1 + 0.5 * (1 - torch.sqrt(mean7 / (mean7 + 25.0**7)))
    a1, a2 = a1 * stretch, a2 * stretch
    C1, C2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = (torch.rad2deg(torch.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))

    gray = C1 * C2 == 0  # one side has no hue: then there is no difference of hues
    dh = h2 - h1
    dh = torch.where(dh > 180, dh - 360, torch.where(dh < -180, dh + 360, dh))
    dh = torch.where(gray, 0, dh)
    dH = 2 * torch.sqrt(C1 * C2) * torch.sin(torch.deg2rad(dh / 2))
    total = h1 + h2
    apart = (h1 - h2).abs() > 180
    mean_h = torch.where(apart, torch.where(total < 360, total + 360, total - 360), total) / 2
    mean_h = torch.where(gray, total, mean_h)

    mean_L, mean_C = (L1 + L2) / 2, (C1 + C2) / 2
    T = 1 - 0.17 * _cos(mean_h - 30) + 0.24 * _cos(2 * mean_h)
    T = T + 0.32 * _cos(3 * mean_h + 6) - 0.20 * _cos(4 * mean_h - 63)
    from_mid = (mean_L - 50) ** 2
    S_L = 1 + 0.015 * from_mid / torch.sqrt(20 + from_mid)
    S_C, S_H = 1 + 0.045 * mean_C, 1 + 0.015 * mean_C * T
    mean7 = mean_C**7
    turn = 60 * torch.exp(-(((mean_h - 275) / 25) ** 2))
    R = -2 * torch.sqrt(mean7 / (mean7 + 25.0**7)) * torch.sin(torch.deg2rad(turn))
    l, c, h = (L2 - L1) / S_L, (C2 - C1) / S_C, dH / S_H  # noqa: E741
    return torch.sqrt((l * l + c * c + h * h + R * c * h).clamp(min=0))


def _cos(degrees: Tensor) -> Tensor:
    return torch.cos(torch.deg2rad(degrees))


@METRICS.register("delta_e")
class DeltaE(ImageMean):
    """Mean over images of the mean CIEDE2000 difference of their pixels (see `ciede2000`)."""

    numbers = (Number("delta_e", "ΔE CIEDE2000", paired=True),)
    order = 21

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        each = ciede2000(prediction.L, prediction.ab, target.L, target.ab)
        return each.mean((1, 2))[:, None]


@METRICS.register("colorfulness")
class Colorfulness(ImageMean):
    """How colorful pictures are, in both published forms, and how far that is from the originals.

    With the opponents `rg = R - G` and `yb = (R + G) / 2 - B` of sRGB in 0..255:
    `hypot(std rg, std yb) + 0.3 * hypot(mean rg, mean yb)`, as published (`colorfulness`); and
    the same of `|rg|` and `|yb|`, which circulates under the same name (`colorfulness_abs`) and
    is lower. For each form also the difference between the mean over predictions and the mean
    over originals (`..._difference_of_means`, the "delta CF" of papers) and the mean over images
    of the difference (`..._mean_difference`), both without sign.

    Source: Hasler and Suesstrunk, "Measuring Colorfulness in Natural Images" (2003).
    """

    numbers = tuple(
        number
        for name, form, known in (("colorfulness", "", True), ("colorfulness_abs", " (abs)", False))
        for number in (
            Number(name, f"Colorfulness{form}", "", None, main=known, plotted=known),
            Number(
                f"{name}_difference_of_means",
                f"Δ colorfulness{form}",
                per_image=False,
                main=known,
            ),
            Number(
                f"{name}_mean_difference",
                f"Colorfulness error{form}",
                main=False,
                plotted=False,
                ranked=known,
            ),
        )
    )
    order = 30

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        columns = []
        for absolute in (False, True):
            ours, real = (_colorfulness(side.rgb, absolute) for side in (prediction, target))
            columns += [ours, ours - real, (ours - real).abs()]
        return torch.stack(columns, dim=1)

    def finish(self, mean: Tensor) -> Tensor:
        unsigned = [mean[..., 1:2].abs(), mean[..., 4:5].abs()]
        parts = [mean[..., :1], unsigned[0], mean[..., 2:4], unsigned[1], mean[..., 5:]]
        return torch.cat(parts, dim=-1)


def _colorfulness(rgb: Tensor, absolute: bool) -> Tensor:
    """(N, 3, H, W) in 0..1 -> (N,)."""
    red, green, blue = (255 * rgb.float()).flatten(2).unbind(1)
    rg, yb = red - green, (red + green) / 2 - blue
    if absolute:
        rg, yb = rg.abs(), yb.abs()
    spread = torch.hypot(rg.std(1, correction=0), yb.std(1, correction=0))
    return spread + 0.3 * torch.hypot(rg.mean(1), yb.mean(1))


@METRICS.register("chroma_histogram")
class ChromaHistogram(ImageMean):
    """Which share of the pixels would have to change their ab bin to match the original's palette.

    Half the sum of the absolute differences between the two histograms over the in-gamut ab bins
    (grid 10; total variation distance, 0..1): the mean over images, and that of the histograms
    averaged over images (`chroma_histogram_pooled`), which forgives a red car painted blue as
    long as some blue car is painted red.
    """

    numbers = (
        Number("chroma_histogram", "Chroma histogram distance"),
        Number(
            "chroma_histogram_pooled",
            "Chroma histogram distance, pooled",
            per_image=False,
            main=False,
        ),
    )
    order = 31
    columns = 1 + 2 * len(bins())

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        ours, real = (_histogram(side.ab) for side in (prediction, target))
        return torch.cat([_variation(ours, real), ours, real], dim=1)

    def finish(self, mean: Tensor) -> Tensor:
        ours, real = mean[..., 1:].chunk(2, dim=-1)
        return torch.cat([mean[..., :1], _variation(ours, real)], dim=-1)


def _variation(p: Tensor, q: Tensor) -> Tensor:
    return (p - q).abs().sum(-1, keepdim=True) / 2


def _histogram(ab: Tensor) -> Tensor:
    """Shares of the bins, a color outside of all counted to the nearest: (N, 2, H, W) -> (N, Q)."""
    index = nearest_bins(ab)
    counts = torch.zeros(len(ab), len(bins()), device=ab.device)
    counts.scatter_add_(1, index, torch.ones_like(index, dtype=counts.dtype))
    return counts / index.shape[1]


def nearest_bins(ab: Tensor) -> Tensor:
    """The index in `gamut.bins` of each pixel's color: (N, 2, H, W), Lab units -> (N, H * W)."""
    table = torch.from_numpy(_nearest_bin()).to(ab.device)
    reach = len(table) // 2
    cells = (ab.float() / GRID).round().clamp(-reach, reach).long() + reach
    return table[cells[:, 0], cells[:, 1]].flatten(1)


@cache
def _nearest_bin() -> np.ndarray:
    """The index of the bin nearest to each cell of the grid: (S, S) int64, a first."""
    centers = bins() / GRID
    reach = int(np.abs(centers).max()) + 1
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cells = np.stack([down, across], -1)
    return ((cells[:, :, None] - centers) ** 2).sum(-1).argmin(-1)
