"""Evaluation on a film in color: as on photos, and how steady the colors are."""

import inspect
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from colorizer.color.tensors import LabBatch, Target, rgb_to_lab
from colorizer.errors import ColorizerError, UsageError
from colorizer.evaluation.contenders import name_and_place
from colorizer.evaluation.protocol import FILM_METRICS
from colorizer.evaluation.summary import described, versions
from colorizer.extras import extra
from colorizer.film.colorize import steered
from colorizer.film.findings import Findings
from colorizer.film.painter import Painter
from colorizer.film.segments import carried
from colorizer.film.shots import look_through
from colorizer.film.source import Film, frames, open_film, rgb_frames
from colorizer.film.steadiness import ColorConsistency, WarpError, Way, way_between
from colorizer.film.steady import Steady
from colorizer.film.tracking import Tracker
from colorizer.film.watch import Watch
from colorizer.inference.network import working_size
from colorizer.metrics.base import ColorMetric, ImageMean, Number
from colorizer.options import EvaluateOptions, FilmOptions
from colorizer.registry import METRICS

__all__ = ["evaluate_film"]

cv2: Any = extra("cv2", "video")

SIDE = 256
"""Short side at which frames are measured, in pixels, if they are not smaller."""

_WEIGHTS = ("alexnet", "vgg16", "inception")
_DEFAULT = (*FILM_METRICS, "psnr", "delta_e", "colorfulness")
_NUMBERS = (
    Number("warp_error", "Warp error", "Lab"),
    Number("color_consistency", "Color consistency (CDC)"),
)


@dataclass
class _Row:
    """What is measured of one way to color the film."""

    metrics: dict[str, ColorMetric]
    names: Sequence[str]
    warp: WarpError = field(default_factory=WarpError)
    consistency: ColorConsistency = field(default_factory=ColorConsistency)

    def add(
        self, target: Target, L: np.ndarray, ab: np.ndarray, cut: bool, way: Way | None
    ) -> None:
        self.warp.update(L, ab, cut, way)
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
    models: Sequence[Any] | Mapping[str, Any],
    data: str,
    report: Path | None,
    options: EvaluateOptions,
) -> dict[str, Any]:
    """Compare models on a film: each frame alone, and carried along as `colorizer video` does.

    Args:
        models: shipped names or model folders; `NAME=FOLDER` names a row.
        data: a film, or a folder of frames, in color.
        report: a folder to write report.json to, or None.
        options: `metrics`, their weights, `size`, `quality` and `limit` (the first frames) count.

    Returns:
        What report.json holds, in the form of `summarize`; there are no intervals, since frames of
        a film depend on each other.

    Raises:
        UsageError: an unknown model or metric, or an option that does not count. ColorizerError: a
            film that cannot be measured.
    """
    _check_options(options)
    if isinstance(models, Mapping) or not all(isinstance(model, str | Path) for model in models):
        raise UsageError(
            "on a film models are a list of shipped names, model folders or NAME=FOLDER, and no "
            "functions"
        )
    names = list(dict.fromkeys(options.metrics or _DEFAULT))
    weights = {name: path for name in _WEIGHTS if (path := getattr(options, name))}
    made = _metrics(names, weights)
    film = open_film(Path(data))
    rows: dict[str, _Row] = {name: _Row(made(), names) for name in ("original", "gray")}
    about: dict[str, dict[str, Any]] = {"original": {}, "gray": {}}
    painters: dict[str, tuple[Painter, Findings, Watch, Steady]] = {}
    for model in dict.fromkeys(models):
        title, painter = _painter(model, film, options)
        if title in painters:
            raise UsageError(f"two models are called {title!r}: tell them apart by NAME=FOLDER")
        found = itertools.islice(frames(film), options.limit)
        tracker = Tracker((), float(film.rate))
        findings = look_through(film, found, painter, tracker, palettes=True)
        painters[title] = painter, findings, Watch(painter, findings), Steady()
        for row in (f"{title}, each frame alone", title):
            rows[row] = _Row(made(), names)
            about[row] = {
                "network": painter.model.model_name,
                "weights_sha256": painter.model.weights_sha256,
                "size": painter.model.size,
                "runtime": "ONNX Runtime",
            }
    starts = {0} if not painters else {int(i) for i in next(iter(painters.values()))[1].starts}
    count, last = 0, None
    with torch.inference_mode(), _one_thread():
        for frame, rgb in tqdm(_pairs(film, options.limit), unit="frame", disable=None):
            target = _measured(rgb, film)
            L = target.L[0, 0].numpy()
            real = target.ab[0].permute(1, 2, 0).numpy()
            cut = frame.index in starts
            way = None if last is None or cut else way_between(L, last)
            last = L
            rows["original"].add(target, L, real, cut, way)
            rows["gray"].add(target, L, np.zeros_like(real), cut, way)
            for title, (painter, findings, watch, steady) in painters.items():
                view = watch.look(frame)
                alone = painter.answer(view.grid)
                asked = None
                if not view.known:
                    asked = painter.answer(view.calm, findings.prior(frame.index))
                moved = carried(steady, findings, view, asked)
                for row, ab in ((f"{title}, each frame alone", alone), (title, moved)):
                    rows[row].add(target, L, _resized(ab, L.shape), cut, way)
            count += 1
    if count < 2:
        raise ColorizerError(f"{film} has {count} frame; a film has two at least")
    result = _result(film, count, names, rows, about)
    if report is not None:
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        (report / "report.json").write_text(text + "\n", encoding="utf-8")
    return result


@contextmanager
def _one_thread() -> Iterator[None]:
    """Frames are small: several threads of PyTorch only wait for each other, at full load."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _check_options(options: EvaluateOptions) -> None:
    """Refuse what is of photos only."""
    if options.keep_gray:
        raise UsageError("keep_gray is of photos: frames of a film are all measured; leave it out")
    if options.protocol != "native":
        raise UsageError(
            f"protocol {options.protocol!r}: frames of a film are measured as they are, the short"
            f" side at most {SIDE} pixels; leave it out"
        )
    if options.device == "cuda":
        raise UsageError("device 'cuda': films are evaluated by ONNX Runtime on the CPU; use 'cpu'")


def _metrics(names: Sequence[str], weights: dict[str, str]) -> Callable[[], dict[str, ColorMetric]]:
    """What makes the metrics for a row.

    Raises: UsageError for one that is of no single frame, or weights that none of them takes.
    """
    options: dict[str, dict[str, str]] = {}
    for name in names:
        if name in FILM_METRICS:
            continue
        kind: Any = METRICS[name]
        if not issubclass(kind, ImageMean):
            raise UsageError(f"{name} is no metric of single frames; leave it out for films")
        taken = inspect.signature(kind).parameters
        options[name] = {key: path for key, path in weights.items() if key in taken}
    for key in weights:
        if not any(key in taken for taken in options.values()):
            raise UsageError(f"--{key} is of a metric that is not measured; name it in --metrics")
    return lambda: {name: METRICS.create(name, **taken) for name, taken in options.items()}


def _painter(model: str, film: Film, options: EvaluateOptions) -> tuple[str, Painter]:
    name, place = name_and_place(model)
    chosen = FilmOptions(size=options.size, quality=options.quality)
    return name, Painter(film, steered(place, chosen))


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
    numbers = [number for number in _NUMBERS if number.name in names]
    numbers += [n for metric in rows["original"].metrics.values() for n in metric.numbers]
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
        "versions": versions(),
        "metrics": {number.name: described(number) for number in numbers},
        "about": about,
        "models": models,
    }
