"""How a trained model is decoded best: working size and settings of its head, by measurement."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.color import gamut
from colorizer.data.photos import evenly_spread, find_photos
from colorizer.errors import UsageError
from colorizer.evaluation.contenders import Contender, contenders
from colorizer.evaluation.measure import measure
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.network import Network
from colorizer.inference.priors import shares
from colorizer.metrics.base import ImageMean
from colorizer.model_folder import SERIALIZED, ModelFolder
from colorizer.options import CalibrateOptions
from colorizer.registry import METRICS
from colorizer.weights import export_weights

__all__ = ["LIVELY", "Calibration", "Setting", "best", "calibrate"]

LIVELY = 0.8
"""Colorfulness, as a share of the originals', that a setting must reach to be chosen."""

Key = tuple[int, float, float, float]
"""Working size, temperature, moderation and gain."""


@dataclass(frozen=True)
class Setting:
    """One way to decode, and how it did; means over the photos.

    Attributes:
        size: working size, pixels.
        temperature, moderation, gain: of the distribution head.
        psnr, delta_e, colorfulness, hue_shares: as the metrics of these names.
        lpips: likewise; None where the weights of its network were not given.
    """

    size: int
    temperature: float
    moderation: float
    gain: float
    psnr: float
    delta_e: float
    colorfulness: float
    hue_shares: float
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
        notes: sentences on what was left out.
    """

    chosen: Setting
    settings: list[Setting]
    gray: dict[str, float]
    original: float
    photos: int
    notes: list[str]

    def __str__(self) -> str:
        """The grid as a Markdown table, gray first, the choice marked."""
        lpips = ["lpips"] if "lpips" in self.gray else []
        names = ["psnr", "delta_e", *lpips, "colorfulness", "hue_shares"]
        lines = [
            f"| size | temperature | moderation | gain | {' | '.join(names)} | |",
            f"|---:|---:|---:|---:|{'---:|' * len(names)}---|",
            f"| gray | | | | {' | '.join(f'{self.gray[name]:.4g}' for name in names)} | |",
        ]
        for s in self.settings:
            values = " | ".join(f"{getattr(s, name):.4g}" for name in names)
            mark = "chosen" if s == self.chosen else ""
            key = f"{s.size} | {s.temperature:g} | {s.moderation:g} | {s.gain:g}"
            lines.append(f"| {key} | {values} | {mark} |")
        return "\n".join(lines)


def best(settings: Sequence[Setting], gray: Mapping[str, float], original: float) -> Setting:
    """The rule: of all settings that are lively enough, the one that is most like the originals.

    Lively enough is a mean colorfulness of at least `LIVELY` of the originals' (`original`); most
    like them is the lowest sum of LPIPS, which tells how a picture looks, CIEDE2000, which tells
    how far its colors are off, and `hue_shares`, which tells whether there is too much or too
    little of a family of hues, each as a share of gray's; without LPIPS where it was not measured.
    Where no setting is lively enough it is the liveliest.
    """
    lively = [s for s in settings if s.colorfulness >= LIVELY * original]
    if not lively:
        return max(settings, key=lambda s: s.colorfulness)
    told = [name for name in ("lpips", "delta_e", "hue_shares") if name in gray]
    return min(lively, key=lambda s: sum(getattr(s, name) / gray[name] for name in told))


def calibrate(
    model: str | Path, data: str, output: str | Path | None = None, **options: Any
) -> Calibration:
    """Find how a model is decoded best on photos in color, and write that into its folder.

    Args:
        model: a shipped name or a model folder, with the distribution head.
        data: photos, as `find_photos` takes them; none that the model was trained on.
        output: the model folder to write; None changes `model` itself.
        options: as `CalibrateOptions` has them, by name.

    Raises:
        UsageError: a model that predicts no distribution, or a value out of range.
        ColorizerError: no photo can be measured, or the folder cannot be written.
    """
    folder, wanted = ModelFolder.find(model), CalibrateOptions.of(options)
    grid: list[Key] = list(
        itertools.product(wanted.sizes, wanted.temperatures, wanted.moderations, wanted.gains)
    )
    if output is None and folder.path.parent == SERIALIZED:
        raise UsageError(f"{model} ships with the package: name a folder to write with --output")
    network = _Remembering(folder)
    if not (network.has_prior and network.has_temperature):
        raise UsageError(f"the model {network.name} predicts no distribution: nothing to calibrate")
    metrics: dict[str, ImageMean] = {
        name: METRICS.create(name) for name in ("psnr", "delta_e", "colorfulness", "hue_shares")
    }
    if wanted.alexnet is not None:
        metrics["lpips"] = METRICS.create("lpips", alexnet=wanted.alexnet)
    notes: list[str] = []
    photos = evenly_spread(find_photos(data, notes=notes), wanted.limit)
    rows = [*contenders([], None, "cpu"), *(network.contender(*key) for key in grid)]
    measured = measure(photos, rows, metrics, "native", "cpu", drift=False)
    means = {
        name: {
            metric: metrics[metric].finish(values.mean(0))[0].item()  # its own number
            for metric, values in found.items()
        }
        for name, found in measured.rows.items()
    }
    found: dict[Key, dict[str, Any]] = {key: {"lpips": None} | means[str(key)] for key in grid}
    settings = [Setting(*key, **found[key]) for key in grid]
    colorfulness = means["original"]["colorfulness"]
    chosen = best(settings, means["gray"], colorfulness)
    export_weights(
        folder.path,
        output or folder.path,
        size=chosen.size,
        temperature=chosen.temperature,
        moderation=chosen.moderation,
        gain=chosen.gain,
    )
    notes += [f"left out: {name}: {reason}" for name, reason in measured.excluded]
    count = len(measured.photos)
    return Calibration(chosen, settings, means["gray"], colorfulness, count, notes)


class _Remembering(Network):
    """A network that looks once at each lightness, and decodes what it saw in many ways."""

    def __init__(self, folder: ModelFolder) -> None:
        super().__init__(folder)
        self._gain = 1.0
        self._colorizer = Colorizer(folder)
        self._colorizer._network = self
        self._photo: np.ndarray | None = None
        self._seen: dict[bytes, np.ndarray] = {}
        self._lean = self.lean()

    def contender(self, size: int, temperature: float, moderation: float, gain: float) -> Contender:
        """One that colors with this network, decoded so."""
        colorizer = self._colorizer.with_options(size=size)

        def color(gray: np.ndarray, original: np.ndarray) -> np.ndarray:
            if gray is not self._photo:
                self._photo, self._seen = gray, {}
            self.temperature, self.moderation, self._gain = temperature, moderation, gain
            return colorizer.colorize(gray)

        return Contender(str((size, temperature, moderation, gain)), color)

    def __call__(self, L: np.ndarray, **options: Any) -> np.ndarray:
        seen = L.tobytes()  # not its shape: sizes near each other are padded to the same one
        if seen not in self._seen:
            self._seen[seen] = np.moveaxis(self.logits(L), 0, -1)  # (h, w, Q)
        scores = (self._seen[seen] + self.moderation * self._lean) / self.temperature
        return np.moveaxis(shares(scores) @ (self._gain * gamut.bins()), -1, 0)
