"""Evaluation on a film in color: as on photos, and how steady the colors are."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from colorizer.color.tensors import LabBatch, Target, rgb_to_lab
from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.evaluation.protocol import FILM_METRICS
from colorizer.film.tracking import Tracker
from colorizer.film.steadiness import ColorConsistency, WarpError
from colorizer.film.painter import Painter
from colorizer.film.colorize import make_painter
from colorizer.film.shots import Plan, look_through
from colorizer.film.source import Film, frames, open_film, rgb_frames
from colorizer.film.steady import Steady
from colorizer.inference.network import Network, working_size
from colorizer.metrics.base import ImageMean, Number
from colorizer.options import EvaluateOptions, FilmOptions
from colorizer.registry import METRICS

__all__ = ["evaluate_film"]

cv2: Any = extra("cv2", "video")

SIDE = 256
"""Short side at which frames are measured, in pixels, if they are not smaller."""

_DEFAULT = (*FILM_METRICS, "psnr", "delta_e", "colorfulness")
_NUMBERS = (
    Number("warp_error", "Warp error", "Lab"),
    Number("color_consistency", "Color consistency (CDC)"),
)


@dataclass
class _Row:
    """What is measured of one way to color the film."""

    names: Sequence[str]
    warp: WarpError = field(default_factory=WarpError)
    consistency: ColorConsistency = field(default_factory=ColorConsistency)

    def __post_init__(self) -> None:
        self.metrics = {n: METRICS.create(n) for n in self.names if n not in FILM_METRICS}

    def add(self, target: Target, L: np.ndarray, ab: np.ndarray, cut: bool) -> None:
        self.warp.update(L, ab, cut)
        self.consistency.update(ab, cut)
        chroma = torch.from_numpy(np.ascontiguousarray(ab, np.float32)).permute(2, 0, 1)[None]
        prediction = LabBatch(target.L, chroma)
        for metric in self.metrics.values():
            metric.update(prediction, target)

    def values(self) -> dict[str, float]:
        own = {"warp_error": self.warp.value, "color_consistency": self.consistency.value}
        found = {name: own[name] for name in self.names if name in own}
        for name, metric in self.metrics.items():
            value = metric.compute()
            parts = value if isinstance(value, dict) else {name: value}
            found |= {key: float(part) for key, part in parts.items()}
        return found


def evaluate_film(
    models: Sequence[str], data: str, report: Path | None, options: EvaluateOptions
) -> dict[str, Any]:
    """Compare models on a film: each frame alone, and carried along as `colorizer video` does.

    Args:
        models: shipped names or model folders; `NAME=FOLDER` names a row.
        data: a film, or a folder of frames, in color.
        report: a folder to write report.json to, or None.
        options: `metrics`, `size` and `limit` (the first frames) count.

    Returns:
        What report.json holds, in the form of `summarize`; there are no intervals, since frames of
        a film depend on each other.

    Raises:
        UsageError: an unknown model or metric, or `quality`. ColorizerError: a film that cannot be
            measured.
    """
    names = list(dict.fromkeys(options.metrics or _DEFAULT))
    for name in names:
        kind: Any = None if name in FILM_METRICS else METRICS[name]
        if kind is not None and not issubclass(kind, ImageMean):
            raise UsageError(f"{name} is no metric of single frames; leave it out for films")
    if options.quality != "fast":
        raise UsageError("quality: frames of a film are looked at once, as `colorizer video` does")
    film = open_film(Path(data))
    rows: dict[str, _Row] = {"original": _Row(names), "gray": _Row(names)}
    about: dict[str, dict[str, Any]] = {"original": {}, "gray": {}}
    painters: dict[str, tuple[Painter, Plan, Steady]] = {}
    for model in dict.fromkeys(models):
        title, network = _named(model)
        if title in painters:
            raise UsageError(f"two models are called {title!r}: tell them apart by NAME=FOLDER")
        painter, _ = make_painter(film, network, FilmOptions(size=options.size))
        plan = _look_through(film, painter, network, options.limit)
        painters[title] = painter, plan, Steady()
        for row in (f"{title}, each frame alone", title):
            rows[row] = _Row(names)
            about[row] = {
                "network": network.name,
                "weights_sha256": network.weights_sha256,
                "size": options.size or network.size,
                "runtime": "ONNX Runtime",
            }
    starts = {0} if not painters else {int(i) for i in next(iter(painters.values()))[1].starts}
    count = 0
    with torch.inference_mode():
        for frame, rgb in tqdm(_pairs(film, options.limit), unit="frame", disable=None):
            target = _measured(rgb, film)
            L = target.L[0, 0].numpy()
            real = target.ab[0].permute(1, 2, 0).numpy()
            cut = frame.index in starts
            rows["original"].add(target, L, real, cut)
            rows["gray"].add(target, L, np.zeros_like(real), cut)
            for title, (painter, plan, steady) in painters.items():
                grid = painter.lightness(frame)[1]
                alone = painter.answer(grid)
                carried = steady.step(grid, painter.answer(grid, plan.prior(frame.index)), cut)
                for row, ab in ((f"{title}, each frame alone", alone), (title, carried)):
                    rows[row].add(target, L, _resized(ab, L.shape), cut)
            count += 1
    if count < 2:
        raise ColorizerError(f"{film} has {count} frames; a film has two at least")
    result = _result(film, count, names, rows, about)
    if report is not None:
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        (report / "report.json").write_text(text + "\n", encoding="utf-8")
    return result


def _named(model: str) -> tuple[str, Network]:
    name, equals, place = str(model).partition("=")
    if not equals or Path(model).exists():
        name, place = "", str(model)
    network = Network(place)
    folder = network.folder.path
    return name or (folder.parent.name if folder.name == "model" else folder.name), network


def _look_through(film: Film, painter: Painter, network: Network, limit: int | None) -> Plan:
    found = itertools.islice(frames(film), limit)
    typical = network.training_prior() if network.has_prior else None
    tracker = Tracker((), float(film.rate))
    return look_through(found, painter, typical, None, [], tracker, float(film.time_base))


def _pairs(film: Film, limit: int | None) -> Iterator[tuple[Any, np.ndarray]]:
    """Frames, and the same in color: (H, W, 3) uint8."""
    return itertools.islice(zip(frames(film), rgb_frames(film), strict=True), limit)


def _measured(rgb: np.ndarray, film: Film) -> Target:
    """A frame in color at the size that is measured, as a batch of one."""
    width, height = film.width, film.height
    size = working_size(width, height, min(SIDE, width, height))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    batch = torch.from_numpy(small).permute(2, 0, 1)[None] / 255
    target = Target(*rgb_to_lab(batch))
    target.rgb = batch
    return target


def _resized(ab: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    if ab.shape[:2] == shape:
        return ab
    return cv2.resize(ab, shape[::-1], interpolation=cv2.INTER_AREA)


def _result(
    film: Film, count: int, names: Sequence[str], rows: dict[str, _Row], about: dict[str, Any]
) -> dict[str, Any]:
    numbers = {number.name: number for number in _NUMBERS if number.name in names}
    for metric in rows["original"].metrics.values():
        numbers |= {number.name: number for number in metric.numbers}
    models = {
        name: {
            key: {"mean": value if np.isfinite(value) else None, "low": None, "high": None}
            for key, value in row.values().items()
        }
        for name, row in rows.items()
    }
    return {
        "data": film.path.name,
        "pictures": count,
        "protocol": {
            "name": "film",
            "text": f"frames in order, the short side at most {SIDE} pixels (area)",
        },
        "excluded": [],
        "notes": [],
        "intervals": "none: frames of a film depend on each other",
        "device": "cpu",
        "metrics": {
            name: {
                "title": number.title,
                "unit": number.unit,
                "higher_is_better": number.higher_is_better,
                "main": number.main,
            }
            for name, number in numbers.items()
        },
        "about": about,
        "models": models,
    }
