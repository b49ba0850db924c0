"""How a trained model is decoded best: working size, temperature and moderation, by measurement."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from colorizer.color import gamut
from colorizer.data.photos import find_photos
from colorizer.errors import ColorizerError, UsageError
from colorizer.evaluation.protocol import as_picture, gray_of, read_original
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.network import Network
from colorizer.model_folder import SERIALIZED, ModelFolder
from colorizer.registry import METRICS
from colorizer.weights import export_weights

__all__ = ["LIVELY", "Calibration", "Setting", "best", "calibrate"]

LIVELY = 0.75
"""Colorfulness, as a share of the originals', that a setting must reach to be chosen."""

_SIZES = (192, 256, 320)
_TEMPERATURES = (0.2, 0.38, 0.6, 1.0)
_MODERATIONS = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Setting:
    """One way to decode, and how it did; means over the photos.

    Attributes:
        size: working size, pixels.
        temperature, moderation: of the distribution head.
        psnr, delta_e, colorfulness: as the metrics of these names.
        lpips: likewise; None where the weights of its network were not given.
    """

    size: int
    temperature: float
    moderation: float
    psnr: float
    delta_e: float
    colorfulness: float
    lpips: float | None


@dataclass(frozen=True)
class Calibration:
    """What was found.

    Attributes:
        chosen: by the rule, see `best`.
        settings: all that were tried, that is the whole grid.
        gray: the same metrics for photos left gray, by name.
        original: colorfulness of the photos themselves.
        photos: how many were measured.
    """

    chosen: Setting
    settings: list[Setting]
    gray: dict[str, float]
    original: float
    photos: int

    def __str__(self) -> str:
        """The grid as a Markdown table, gray first, the choice marked."""
        names = ["psnr", "delta_e", *(["lpips"] if "lpips" in self.gray else []), "colorfulness"]
        lines = [
            f"| size | temperature | moderation | {' | '.join(names)} | |",
            f"|---:|---:|---:|{'---:|' * len(names)}---|",
            f"| gray | | | {' | '.join(f'{self.gray[name]:.4g}' for name in names)} | |",
        ]
        for s in self.settings:
            values = " | ".join(f"{getattr(s, name):.4g}" for name in names)
            mark = "chosen" if s == self.chosen else ""
            lines.append(f"| {s.size} | {s.temperature:g} | {s.moderation:g} | {values} | {mark} |")
        return "\n".join(lines)


def best(settings: Sequence[Setting], original: float) -> Setting:
    """The rule: of all settings that are lively enough, the one that looks most like the originals.

    Lively enough is a mean colorfulness of at least `LIVELY` of the originals' (`original`); most
    like them is the lowest LPIPS, or CIEDE2000 where LPIPS was not measured. Where no setting is
    lively enough it is the liveliest.
    """
    lively = [s for s in settings if s.colorfulness >= LIVELY * original]
    if not lively:
        return max(settings, key=lambda s: s.colorfulness)
    return min(lively, key=lambda s: s.delta_e if s.lpips is None else s.lpips)


def calibrate(
    model: str | Path,
    data: str,
    output: str | Path | None = None,
    *,
    alexnet: str | None = None,
    limit: int | None = 120,
    sizes: Sequence[int] = _SIZES,
    temperatures: Sequence[float] = _TEMPERATURES,
    moderations: Sequence[float] = _MODERATIONS,
) -> Calibration:
    """Find how a model is decoded best on photos in color, and write that into its folder.

    Args:
        model: a shipped name or a model folder, with the distribution head.
        data: photos, as `find_photos` takes them; none that the model was trained on.
        output: the model folder to write; None changes `model` itself.
        alexnet: the network behind LPIPS: a file, or "imagenet" to download it once.
        limit: only so many photos, evenly spread; None takes all.
        sizes: working sizes to try, pixels.
        temperatures: to try, above 0.
        moderations: to try, from 0 on.

    Raises:
        UsageError: a model that predicts no distribution, or a value out of range.
        ColorizerError: no photo can be measured, or the folder cannot be written.
    """
    folder = ModelFolder.find(model)
    if min(sizes) < 32 or min(temperatures) <= 0 or min(moderations) < 0:
        raise UsageError(
            f"sizes {list(sizes)}, temperatures {list(temperatures)}, moderations "
            f"{list(moderations)}: accepted are sizes from 32 on, temperatures above 0 and "
            "moderations from 0 on"
        )
    if output is None and folder.path.parent == SERIALIZED:
        raise UsageError(f"{model} ships with the package: name a folder to write with --output")
    network = _Remembering(folder)
    if not (network.has_prior and network.has_temperature):
        raise UsageError(f"the model {network.name} predicts no distribution: nothing to calibrate")
    metrics: dict[str, Any] = {
        name: METRICS.create(name) for name in ("psnr", "delta_e", "colorfulness")
    }
    if alexnet is not None:
        metrics["lpips"] = METRICS.create("lpips", alexnet=alexnet)
    grid = [(s, t, m) for s in sizes for t in temperatures for m in moderations]
    photos = find_photos(data)
    if limit is not None and limit < len(photos):
        photos = [photos[i] for i in np.linspace(0, len(photos) - 1, limit).astype(int)]
    rows: dict[Any, list[list[Tensor]]] = {key: [] for key in ("original", "gray", *grid)}
    for photo in tqdm(photos, unit="photo", disable=None):
        try:
            original = read_original(photo, "native")
        except ColorizerError:  # gray, toned or damaged: nothing to measure
            continue
        target = as_picture(original)
        gray = gray_of(target.L)
        network.forget()
        for key in rows:
            if key == "original":
                colored = original
            elif key == "gray":
                colored = np.repeat(gray[..., None], 3, axis=2)
            else:
                size, network.temperature, network.moderation = key
                colored = network.colorizer(size).colorize(gray)
            with torch.inference_mode():
                picture = as_picture(colored)
                rows[key].append([m.per_image(picture, target)[0] for m in metrics.values()])
    if not rows["gray"]:
        raise ColorizerError(f"none of the {len(photos)} photos of {data} can be measured")
    means = {
        key: {
            name: metric.finish(torch.stack(values).mean(0))[0].item()  # its own number
            for (name, metric), values in zip(
                metrics.items(), zip(*found, strict=True), strict=True
            )
        }
        for key, found in rows.items()
    }
    found: dict[Any, dict[str, Any]] = {key: {"lpips": None} | means[key] for key in grid}
    settings = [Setting(*key, **found[key]) for key in grid]
    colorfulness = means["original"]["colorfulness"]
    chosen = best(settings, colorfulness)
    export_weights(
        folder.path,
        output or folder.path,
        size=chosen.size,
        temperature=chosen.temperature,
        moderation=chosen.moderation,
    )
    return Calibration(chosen, settings, means["gray"], colorfulness, len(rows["gray"]))


class _Remembering(Network):
    """A network that looks once at each lightness, and decodes what it saw in many ways."""

    def __init__(self, folder: ModelFolder) -> None:
        super().__init__(folder)
        self._colorizer = Colorizer(folder)
        self._colorizer._network = self
        self._seen: dict[tuple[int, int], np.ndarray] = {}
        self.moderation = 0.0
        self._common = np.log(0.5 * self.training_prior() + 0.5 / len(gamut.bins()))

    def colorizer(self, size: int) -> Colorizer:
        """One that colors with this network at a working size."""
        return self._colorizer.with_options(size=size)

    def forget(self) -> None:
        """Another photo follows."""
        self._seen.clear()

    def __call__(self, L: np.ndarray, **options: Any) -> np.ndarray:
        if L.shape not in self._seen:
            self._seen[L.shape] = np.moveaxis(self.logits(L), 0, -1)  # (h, w, Q)
        x = (self._seen[L.shape] + self.moderation * self._common) / self.temperature
        p = np.exp(x - x.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        return np.moveaxis(p @ gamut.bins(), -1, 0)
