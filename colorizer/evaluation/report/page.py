"""The report: one HTML file that opens offline, and a contact sheet as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from colorizer.data.photos import Photo
from colorizer.evaluation.contenders import Contender
from colorizer.evaluation.measure import colored
from colorizer.evaluation.report.pictures import contact_sheet, embedded, framed
from colorizer.evaluation.report.plots import COLORS, distribution
from colorizer.evaluation.report.tables import (
    NONE,
    best,
    cell,
    heading,
    interval,
    main_numbers,
    table_rows,
)

__all__ = ["write_report"]

_PICKS = 4  # pictures each of the best, the median and the worst
_SPREAD = 12  # pictures that nothing but their place in the set picked

Values = Mapping[str, Mapping[str, Sequence[float]]]
"""Contender -> number -> one value for each photo."""


def write_report(
    folder: Path,
    result: Mapping[str, Any],
    values: Values,
    photos: Sequence[Photo],
    names: Sequence[str],
    contenders: Sequence[Contender],
    protocol: str,
) -> None:
    """Write report.html and sheet.jpg.

    Args:
        result: from `summarize`.
        values: from `per_image`.
        photos, names: those that were measured, and what to call them.
    """
    rivals = [name for name in result["models"] if name != "original"]
    rated = next((name for name in rivals if name != "gray"), "gray")
    ranked = _ranked(result, values[rated])
    picks = {name: _pick(values[rated][name], result["metrics"][name]) for name in ranked}
    picked = {i for groups in picks.values() for group in groups for i in group}
    spread = np.unique(np.linspace(0, len(photos) - 1, _SPREAD).astype(int)).tolist()
    strips, columns = {}, []
    shown = sorted(picked | {*spread})
    for i, pictures in zip(
        shown,
        colored([photos[i] for i in shown], contenders, protocol, keep_gray=True),
        strict=True,
    ):
        tiles = [
            {
                "contender": contender,
                "picture": embedded(picture),
                "values": {} if contender == "original" else _shown(contender, i, values, ranked),
            }
            for contender, picture in pictures.items()
        ]
        strips[i] = {"index": i, "name": names[i], "tiles": tiles}
        if i in spread:
            columns.append([framed(picture) for picture in pictures.values()])
    contact_sheet(columns).save(folder / "sheet.jpg", quality=90)
    environment = Environment(
        loader=PackageLoader("colorizer.evaluation.report", "."),
        autoescape=True,  # names of photos and models are the user's
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": cell, "heading": heading, "interval": interval}
    page = environment.get_template("page.html").render(
        result=result,
        numbers=main_numbers(result),
        rows=table_rows(result),
        best={name: best(result, name) for name in result["metrics"]},
        none=NONE,
        plots=_plots(result, values),
        rated=rated,
        ranked=ranked,
        picks=picks,
        placed=[strips[i] for i in sorted(picked - _first(picks))],
        spread=[strips[i] for i in spread],
        strips=strips,
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _ranked(result: Mapping[str, Any], own: Mapping[str, Sequence[float]]) -> list[str]:
    """The numbers that pictures may be ranked by; those that models are compared by come first."""
    metrics = result["metrics"]
    found = [name for name in metrics if metrics[name]["ranked"] and name in own]
    return sorted(found, key=lambda name: not metrics[name]["paired"])


def _pick(each: Sequence[float], about: Mapping[str, Any]) -> list[list[int]]:
    """Indices of the best, the median and the worst pictures, each photo once."""
    order = np.argsort(each, kind="stable").tolist()
    if about["higher_is_better"]:
        order.reverse()
    count = min(_PICKS, max(1, len(order) // 3))
    middle = (len(order) - count) // 2
    top, bottom = order[:count], order[count:][-count:][::-1]
    taken = {*top, *bottom}
    return [top, [i for i in order[middle : middle + count] if i not in taken], bottom]


def _first(picks: Mapping[str, list[list[int]]]) -> set[int]:
    """The pictures that the first ranking shows."""
    return {i for groups in list(picks.values())[:1] for group in groups for i in group}


def _shown(contender: str, index: int, values: Values, ranked: Sequence[str]) -> dict[str, float]:
    own = values[contender]
    return {name: own[name][index] for name in ranked if name in own}


def _plots(result: Mapping[str, Any], values: Values) -> list[str]:
    rivals = [name for name in values if name != "original"]
    colors = {name: COLORS[i % len(COLORS)] for i, name in enumerate(rivals)} | {"original": "#222"}
    better = {True: ", higher is better", False: ", lower is better", None: ""}
    found = []
    for number, about in result["metrics"].items():
        rows = rivals if about["higher_is_better"] is not None else [*values]
        held = {name: values[name][number] for name in rows if number in values[name]}
        if about["plotted"] and held:
            unit = f" ({about['unit']})" if about["unit"] else ""
            title = f"{about['title']}{unit}{better[about['higher_is_better']]}"
            found.append(distribution(title, held, colors))
    return found
