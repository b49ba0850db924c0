"""The loop: every contender colors every photo, and every metric looks at the result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from colorizer.data.photos import Photo
from colorizer.errors import ColorizerError
from colorizer.evaluation import stability
from colorizer.evaluation.contenders import Contender
from colorizer.evaluation.protocol import as_picture, gray_of, read_original
from colorizer.metrics.base import ColorMetric, ImageMean
from colorizer.metrics.knowledge import CalibratedNLL
from colorizer.metrics.perceptual import SetDistance

__all__ = ["Measured", "colored", "measure"]


@dataclass
class Measured:
    """What came out.

    Attributes:
        photos: those that were measured.
        excluded: names of those that were not, with the reason.
        rows: contender -> metric -> (N, K): what is averaged, or the features of each photo.
    """

    photos: list[Photo] = field(default_factory=list)
    excluded: list[tuple[str, str]] = field(default_factory=list)
    rows: dict[str, dict[str, Tensor]] = field(default_factory=dict)


def measure(
    photos: Sequence[Photo],
    contenders: Sequence[Contender],
    metrics: Mapping[str, ColorMetric],
    protocol: str,
    device: str,
    drift: bool = True,
    keep_gray: bool = False,
) -> Measured:
    """Look at all photos, with a progress bar on stderr.

    What reads a network's scores is measured of contenders that have any. Photos without colors of
    their own (unless `keep_gray`), and unreadable ones, are left out of everything. Whether colors
    drift with a photo's size is measured too, as "stability", unless `drift` is False.

    Raises: ColorizerError when no photo is left, or a model fails.
    """
    result = Measured()
    lists: dict[str, dict[str, list[Tensor]]] = {
        contender.name: {name: [] for name in metrics} for contender in contenders
    }
    for contender in contenders:
        if drift and contender.drifts:
            lists[contender.name]["stability"] = []
    for photo in tqdm(photos, unit="photo", disable=None):
        try:
            original = read_original(photo, protocol, keep_gray)
        except ColorizerError as error:
            result.excluded.append((photo.name, str(error)))
            continue
        result.photos.append(photo)
        target = as_picture(original, device)
        gray = gray_of(target.L)
        for contender in contenders:
            prediction = as_picture(contender.picture(photo, gray, original), device)
            found = lists[contender.name]
            for name, metric in metrics.items():
                with torch.inference_mode():
                    if metric.reads_scores:
                        if contender.scores is None:
                            continue
                        raw = torch.from_numpy(contender.scores(gray))[None].to(device)
                        row = cast(CalibratedNLL, metric).features(raw, target)
                    elif isinstance(metric, SetDistance):
                        row = metric.features(prediction)
                    else:
                        row = cast(ImageMean, metric).per_image(prediction, target)
                found[name].append(row.cpu())
            if "stability" in found:
                found["stability"].append(
                    stability.drift(contender, gray, prediction, device).cpu()
                )
    if not result.photos:
        reasons = "; ".join(sorted({reason for _, reason in result.excluded})[:3])
        raise ColorizerError(f"none of the {len(photos)} photos can be measured: {reasons}")
    result.rows = {
        contender: {name: torch.cat(rows) for name, rows in of.items() if rows}
        for contender, of in lists.items()
    }
    for name, metric in metrics.items():
        for found in result.rows.values():
            if metric.reads_scores and name in found:
                found[name] = cast(CalibratedNLL, metric).of_pictures(found[name])
    return result


def colored(
    photos: Sequence[Photo],
    contenders: Sequence[Contender],
    protocol: str,
    keep_gray: bool = False,
) -> Iterator[dict[str, np.ndarray]]:
    """For each photo, what each contender makes of it: name -> (H, W, 3) uint8."""
    for photo in photos:
        original = read_original(photo, protocol, keep_gray)
        gray = gray_of(as_picture(original).L)
        yield {each.name: each.picture(photo, gray, original) for each in contenders}
