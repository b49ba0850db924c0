"""From what was measured to the numbers that are reported."""

import itertools
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from colorizer.backbones.frozen import Backbone
from colorizer.evaluation import stability
from colorizer.evaluation.contenders import Contender
from colorizer.evaluation.measure import Measured
from colorizer.evaluation.protocol import PROTOCOLS
from colorizer.evaluation.results import short_names
from colorizer.evaluation.statistics import REPLICATES, bootstrap, jackknife, sign_test
from colorizer.metrics.base import ColorMetric, Number
from colorizer.metrics.perceptual import SetDistance
from colorizer.version import __version__

__all__ = [
    "ENOUGH",
    "described",
    "numbers_of",
    "per_image",
    "summarize",
    "versions",
]

ENOUGH = 2000
"""Pictures below which a Frechet distance is biased so much that the report says so."""

_VERSIONS = ("torch", "torchmetrics", "onnxruntime", "numpy", "pyvips")


def summarize(
    measured: Measured,
    contenders: Sequence[Contender],
    metrics: Mapping[str, ColorMetric],
    *,
    data: str,
    protocol: str,
    device: str,
    notes: Sequence[str],
) -> dict[str, Any]:
    """All numbers as plain data, ready for report.json.

    Returns:
        `models.<name>.<metric>` has `mean` (what the metric gives for the whole set), `low` and
        `high` (of its 95 % interval); None where there is none. `runs.<name>` has the rows that are
        runs of one training by several seeds, and `seeds.<name>.<metric>` `mean` and `deviation`
        over them.
    """
    left_out = [name for name, _ in measured.excluded]
    excluded = dict(zip(left_out, short_names(left_out, data), strict=True))
    models = {
        name: _numbers(rows, measured.rows["original"], metrics)
        for name, rows in measured.rows.items()
    }
    runs: dict[str, list[str]] = {}
    for contender in contenders:
        if contender.group:
            runs.setdefault(contender.group, []).append(contender.name)
    notes = [*_remarks(measured, metrics), *notes]
    return {
        "data": Path(data).name,
        "pictures": len(measured.photos),
        "protocol": {"name": protocol, "text": PROTOCOLS[protocol]},
        "excluded": [
            {"photo": excluded[name], "reason": reason.removeprefix(f"{name} ")}
            for name, reason in measured.excluded
        ],
        "notes": notes,
        "intervals": f"95 %, {REPLICATES} bootstrap replicates of the pictures, seed 0; "
        "of distances between sets, the delete-a-group jackknife with 20 groups",
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "versions": versions(),
        "backbones": {
            name: cast(Backbone, metric.backbone).about
            for name, metric in metrics.items()
            if isinstance(getattr(metric, "backbone", None), Backbone)
        },
        "metrics": {
            number.name: described(number)
            | {
                "plotted": number.plotted and number.per_image,
                "ranked": number.ranked
                and number.per_image
                and number.higher_is_better is not None,
                "paired": number.paired and number.per_image,
            }
            for number in numbers_of(metrics, measured)
        },
        "about": {contender.name: contender.about for contender in contenders},
        "models": models,
        "runs": runs,
        "seeds": {name: _over_seeds([models[run] for run in own]) for name, own in runs.items()},
        "pairs": _pairs(measured, metrics),
    }


def described(number: Number) -> dict[str, Any]:
    """What tables say of a number, as plain data."""
    names = ("title", "unit", "higher_is_better", "main")
    return {name: getattr(number, name) for name in names}


def versions() -> dict[str, str]:
    """Of the packages that numbers depend on; "unknown" for one that is not installed so."""
    return {"colorizer": __version__} | {name: _version(name) for name in _VERSIONS}


def numbers_of(metrics: Mapping[str, ColorMetric], measured: Measured) -> list[Number]:
    """Every number that is reported, in the order of the metrics."""
    own = [number for metric in metrics.values() for number in metric.numbers]
    drift = any("stability" in found for found in measured.rows.values())
    return [*own, *(stability.NUMBERS if drift else ())]


def per_image(measured: Measured, metrics: Mapping[str, ColorMetric]) -> dict[str, dict[str, list]]:
    """Contender -> number -> one value for each photo, for numbers that a single photo has."""
    tables: dict[str, dict[str, list]] = {}
    for contender, found in measured.rows.items():
        table = tables[contender] = {}
        for name, rows in found.items():
            if name in metrics and isinstance(metrics[name], SetDistance):
                continue
            numbers, finish = _parts(name, metrics)
            for number, column in zip(numbers, finish(rows.double()).T.tolist(), strict=True):
                if number.per_image:
                    table[number.name] = column
    return tables


def _over_seeds(runs: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, float]]:
    """Mean and sample deviation of each number that all runs have."""
    found = {}
    for number in runs[0]:
        means = [run.get(number, {}).get("mean") for run in runs]
        if all(mean is not None for mean in means):
            values = np.array(means, np.float64)
            found[number] = {"mean": values.mean().item(), "deviation": values.std(ddof=1).item()}
    return found


def _parts(name: str, metrics: Mapping[str, ColorMetric]) -> tuple[Sequence[Number], Any]:
    if name == "stability":
        return stability.NUMBERS, stability.finish
    return metrics[name].numbers, metrics[name].finish


def _numbers(
    found: Mapping[str, Tensor], original: Mapping[str, Tensor], metrics: Mapping[str, ColorMetric]
) -> dict[str, dict[str, float | None]]:
    result = {}
    for name, rows in found.items():
        metric = metrics.get(name)
        if isinstance(metric, SetDistance):
            numbers, real = metric.numbers, original[name]
            if len(rows) < 2:
                continue
            values = metric.between(rows, real)
            low, high = jackknife(rows, real, metric.between)
        else:
            numbers, finish = _parts(name, metrics)
            values = finish(rows.double().mean(0))
            low, high = bootstrap(rows, finish)
        for number, *each in zip(numbers, values, low, high, strict=True):
            result[number.name] = {
                key: value.item() if math.isfinite(value) else None
                for key, value in zip(("mean", "low", "high"), each, strict=True)
            }
    return result


def _pairs(measured: Measured, metrics: Mapping[str, ColorMetric]) -> list[dict[str, Any]]:
    values = per_image(measured, metrics)
    found = []
    for number in (
        number for number in numbers_of(metrics, measured) if number.paired and number.per_image
    ):
        rivals = [name for name in values if name != "original" and number.name in values[name]]
        lower = -1 if number.higher_is_better else 1
        for first, second in itertools.combinations(rivals, 2):
            test = sign_test(
                *(lower * np.array(values[name][number.name]) for name in (first, second))
            )
            found.append(
                {
                    "metric": number.name,
                    "first": first,
                    "second": second,
                    "first_wins": test.first,
                    "second_wins": test.second,
                    "ties": test.ties,
                    "p": test.p,
                }
            )
    return found


def _remarks(measured: Measured, metrics: Mapping[str, ColorMetric]) -> list[str]:
    notes = []
    n, out = len(measured.photos), len(measured.excluded)
    if out:
        notes.append(
            f"{out} of {n + out} photos {'is' if out == 1 else 'are'} left out of all numbers: "
            "gray already, toned, too small or unreadable; they are listed below"
        )
    distances = [metric.numbers for metric in metrics.values() if isinstance(metric, SetDistance)]
    for frechet, kernel in distances:
        if n < ENOUGH:
            notes.append(
                f"{frechet.title} is biased upward with fewer than {ENOUGH:,} pictures ({n:,} "
                f"here): compare it only at the same number, and see {kernel.title}, which is not"
            )
    return notes


def _version(package: str) -> str:
    try:
        return version(package)
    except Exception:  # run from a checkout, not installed
        return "unknown"
