"""Whether each family of hues has its share of the pixels: hue_shares."""

import torch
from torch import Tensor

from colorizer.color.tensors import LabBatch
from colorizer.metrics.base import ImageMean, Number
from colorizer.registry import METRICS

__all__ = ["FAMILIES", "HueShares"]

FAMILIES = {
    "red": (350.0, 50.0),
    "orange": (50.0, 75.0),
    "yellow": (75.0, 105.0),
    "green": (105.0, 170.0),
    "cyan": (170.0, 230.0),
    "blue": (230.0, 300.0),
    "purple": (300.0, 350.0),
}
"""From which angle to which, in degrees of the ab plane (a is 0, b is 90); the last excluded."""

_CHROMA = (20, 40)  # Lab units, above which a pixel counts
_LEAST = 1e-5  # of all pixels: an original with less of a family says nothing about it


@METRICS.register("hue_shares")
class HueShares(ImageMean):
    """How much there is of each family of hues, ours to the originals': liveliness in its place.

    For seven families and two chromas: the share of all pixels that are of the family and above the
    chroma, in the predictions, divided by that in the originals (`hue_shares_red_20`, ...); 1 is
    right, above 1 too much. NaN where the originals have next to none. The metric's own number sums
    them up: the mean over families and chromas of `1 - min(ours, real) / max(ours, real)`, 0 for
    the right shares and 1 for gray.

    The ratios describe a set, as colorfulness does: a red car painted blue and a blue one painted
    red change nothing.
    """

    numbers = (
        Number("hue_shares", "Hue shares, off", per_image=False),
        *(
            Number(
                f"hue_shares_{family}_{chroma}",
                f"{family.capitalize()} above {chroma}",
                higher_is_better=None,
                per_image=False,
                main=False,
            )
            for chroma in _CHROMA
            for family in FAMILIES
        ),
    )
    order = 32
    columns = 2 * len(_CHROMA) * len(FAMILIES)

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        return torch.cat([_shares(prediction.ab), _shares(target.ab)], dim=1)

    def finish(self, mean: Tensor) -> Tensor:
        ours, real = mean.chunk(2, dim=-1)
        there = real > _LEAST
        ratio = torch.where(there, ours / real.clamp(min=_LEAST), torch.nan)
        apart = 1 - torch.minimum(ours, real) / torch.maximum(ours, real).clamp(min=_LEAST)
        off = torch.where(there, apart, torch.nan).nanmean(-1, keepdim=True)
        return torch.cat([off, ratio], dim=-1)


def _shares(ab: Tensor) -> Tensor:
    """(N, 2, H, W), Lab units -> (N, chromas * families)."""
    a, b = ab.float().unbind(1)
    chroma, hue = torch.hypot(a, b), torch.rad2deg(torch.atan2(b, a)) % 360
    columns = []
    for limit in _CHROMA:
        for start, end in FAMILIES.values():
            inside = (hue >= start) & (hue < end) if start < end else (hue >= start) | (hue < end)
            columns.append((inside & (chroma > limit)).float().mean((1, 2)))
    return torch.stack(columns, dim=1)
