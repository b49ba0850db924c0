"""Evaluation: models side by side on photos in color, in numbers and in pictures."""

import csv
import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from colorizer.data.photos import Photo, evenly_spread, find_photos
from colorizer.errors import UsageError
from colorizer.evaluation.blind import write_blind
from colorizer.evaluation.contenders import (
    BASELINES,
    Contender,
    Model,
    check_names,
    contenders,
)
from colorizer.evaluation.measure import measure
from colorizer.evaluation.protocol import check_protocol, is_film
from colorizer.evaluation.report.tables import latex, markdown, summary_rows
from colorizer.evaluation.results import Results, short_names
from colorizer.evaluation.summary import per_image, summarize
from colorizer.metrics import measured_by_default
from colorizer.metrics.base import ColorMetric
from colorizer.options import EvaluateOptions
from colorizer.registry import METRICS

__all__ = ["evaluate", "markdown"]


def evaluate(
    models: Sequence[Model] | Mapping[str, Model | Sequence[Model]],
    data: str,
    report: str | Path | None = None,
    *,
    results: Mapping[str, str | Path] | Sequence[str] = (),
    **options: Any,
) -> dict[str, Any]:
    """Compare models, and the baselines `original` and `gray`, on photos in color.

    Args:
        models: shipped names, model folders or runs (`NAME=FOLDER` names a row of the tables,
            `NAME=RUN,RUN,...` is the mean and the deviation of several seeds), a `Colorizer`, or a
            function of gray (H, W) uint8 -> (H, W, 3) uint8, sRGB; in a list, or by name.
        data: photos, as `find_photos` takes them; or a film, see `evaluate_film`.
        report: a folder to write report.html, report.json, summary.csv, summary.tex, pictures.csv
            and sheet.jpg to.
        results: name -> folder of what another method has made of the photos, see `Results`; or a
            list of `NAME=FOLDER`.
        options: as `EvaluateOptions` has them, by name.

    Returns:
        What report.json holds; see `summarize`. With `blind`, the file that was written and notes.

    Raises:
        UsageError: an unknown model, metric, protocol or option, weights that are not there for a
            metric that was named, results that do not match the photos, or a report that cannot
            be a folder.
        ColorizerError: no photo can be measured.
    """
    wanted = EvaluateOptions.of(options)
    if wanted.blind is not None:
        return _blind(models, data, report, results, wanted)
    if is_film(data, wanted.metrics):
        if results:
            raise UsageError(f"results are pictures of photos, and {data} is a film")
        from colorizer.evaluation.film import evaluate_film

        return evaluate_film(models, data, None if report is None else _make(Path(report)), wanted)
    protocol = wanted.protocol
    check_protocol(protocol)
    device = _device(wanted.device)
    weights = {name: getattr(wanted, name) for name in ("alexnet", "vgg16", "inception")}
    chosen, notes = _create(wanted.metrics, {key: path for key, path in weights.items() if path})
    folder = None if report is None else _make(Path(report))
    photos, rows = _photos_and_rows(models, results, data, device, wanted, notes)
    drift = wanted.metrics is None or "stability" in wanted.metrics
    measured = measure(photos, rows, chosen, protocol, device, drift, wanted.keep_gray)
    result = summarize(
        measured, rows, chosen, data=data, protocol=protocol, device=device, notes=notes
    )
    if folder is not None:
        from colorizer.evaluation.report.page import write_report

        values = per_image(measured, chosen)
        names = short_names([photo.name for photo in measured.photos], data)
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        _write_pictures(folder / "pictures.csv", names, values)
        _write_csv(folder / "summary.csv", summary_rows(result))
        (folder / "summary.tex").write_text(latex(result), encoding="utf-8")
        write_report(folder, result, values, measured.photos, names, rows, protocol)
    return result


def _photos_and_rows(
    models: Any,
    results: Mapping[str, str | Path] | Sequence[str],
    data: str,
    device: str,
    wanted: EvaluateOptions,
    notes: list[str],
) -> tuple[list[Photo], list[Contender]]:
    """What is looked at, and by whom; results that lack a photo are told at once."""
    rows = contenders(models, wanted.size, device, wanted.quality)
    found = find_photos(data, notes=notes)
    photos = evenly_spread(found, wanted.limit)
    for name, folder in _named_results(results).items():
        made = Results(name, folder, found, data, wanted.protocol)
        made.check(photos, wanted.keep_gray)
        notes += made.notes
        gray = rows[1].color  # which is never asked for
        rows.append(Contender(name, gray, about={"results": Path(folder).name}, results=made))
    check_names(rows)
    return photos, rows


def _named_results(results: Mapping[str, str | Path] | Sequence[str]) -> Mapping[str, str | Path]:
    if isinstance(results, Mapping):
        return results
    pairs = [str(each).partition("=") for each in results]
    for name, _, folder in pairs:
        if not (name and folder):
            raise UsageError(f"results {name}: give them a name, as NAME=FOLDER")
    names = [name for name, _, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"results {', '.join(sorted(twice))}: the name is given twice")
    return {name: folder for name, _, folder in pairs}


def _blind(
    models: Any, data: str, report: str | Path | None, results: Any, wanted: EvaluateOptions
) -> dict[str, Any]:
    """The page for people; nothing is measured."""
    going = ("blind", "protocol", "size", "quality", "limit", "device", "keep_gray")
    wanted.only(going, "a blind test")
    if report is not None:
        raise UsageError("a blind test measures nothing: leave the report out, or ask for it apart")
    if is_film(data, None):
        raise UsageError(f"blind shows photos, and {data} is a film")
    path = Path(wanted.blind or "")
    if path.suffix.lower() != ".html":
        raise UsageError(f"blind {wanted.blind}: the page is a file that ends in .html")
    if path.exists():
        raise UsageError(f"{path} exists already: name another page")
    check_protocol(wanted.protocol)
    notes: list[str] = []
    device = _device(wanted.device)
    photos, rows = _photos_and_rows(models, results, data, device, wanted, notes)
    if len(rows) == len(BASELINES):
        raise UsageError("blind needs a model whose colors are guessed: name one by --model")
    names = short_names([photo.name for photo in photos], data)
    notes += write_blind(path, photos, rows, wanted.protocol, names, wanted.keep_gray)
    return {"blind": str(path), "notes": notes}


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"report {folder} cannot be a folder: {error.strerror}") from error
    return folder


def _device(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda': PyTorch finds no GPU here; use 'cpu' or 'auto'")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _create(
    names: Sequence[str] | None, weights: dict[str, str]
) -> tuple[dict[str, ColorMetric], list[str]]:
    """The metrics by name, and a sentence for each that is left out."""
    found: dict[str, ColorMetric] = {}
    notes = []
    for name in dict.fromkeys(measured_by_default() if names is None else names):
        if name == "stability":  # which is no metric of a picture: it colors anew
            continue
        options = {
            key: weights[key]
            for key in inspect.signature(METRICS[name]).parameters
            if key in weights
        }
        needed = getattr(METRICS[name], "weights", None)
        if names is None and needed and needed not in options:
            notes.append(f"{name} is left out: it needs the weights of a network; set --{needed}")
            continue
        found[name] = METRICS.create(name, **options)
    return found, notes


def _write_pictures(path: Path, names: Sequence[str], values: dict[str, dict[str, list]]) -> None:
    numbers = list(dict.fromkeys(number for table in values.values() for number in table))
    rows = [["picture", "model", *numbers]]
    for i, name in enumerate(names):
        for model, table in values.items():
            cells = [f"{table[number][i]:.6g}" if number in table else "" for number in numbers]
            rows.append([name, model, *cells])
    _write_csv(path, rows)


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
