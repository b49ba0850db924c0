"""The report: one HTML file that opens offline, and a contact sheet as a picture."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from colorizer.data.photos import Photo
from colorizer.evaluation.contenders import Contender
from colorizer.evaluation.measure import colored
from colorizer.evaluation.report.plots import COLORS, distribution
from colorizer.evaluation.report.tables import (
    cell,
    full_table,
    main_numbers,
    main_table,
    pair_table,
)

__all__ = ["write_report"]

_PLOTTED = (
    *("psnr", "ssim", "delta_e", "lpips", "colorfulness", "chroma_histogram"),
    *("channelwise_l2", "stability"),
)
_RANKED = ("lpips", "delta_e", "psnr", "ssim", "chroma_histogram", "colorfulness_mean_difference")
_PICKS = 4  # pictures each of the best, the median and the worst
_SPREAD = 12  # pictures that nothing but their place in the set picked
_THUMBNAIL = 224  # pixels, of the longer side
_SHEET = (160, 120)
_SHEET_COLUMNS = 6


def write_report(
    folder: Path,
    result: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Sequence[float]]],
    photos: Sequence[Photo],
    names: Sequence[str],
    contenders: Sequence[Contender],
    protocol: str,
) -> None:
    """Write report.html and sheet.jpg.

    Args:
        result: from `summarize`.
        values: contender -> number -> one value for each photo, from `per_image`.
        photos, names: those that were measured, and what to call them.
    """
    rivals = [name for name in result["models"] if name != "original"]
    judge = next((name for name in rivals if name != "gray"), "gray")
    ranked = [name for name in _RANKED if name in values[judge]]
    picks = {name: _pick(values[judge][name], result["metrics"][name]) for name in ranked}
    spread = np.unique(np.linspace(0, len(photos) - 1, _SPREAD).astype(int)).tolist()
    shown = sorted({i for groups in picks.values() for group in groups for i in group} | {*spread})
    strips, columns = {}, []
    for i, pictures in zip(
        shown, colored([photos[i] for i in shown], contenders, protocol), strict=True
    ):
        strips[i] = _strip(names[i], i, pictures, values, ranked, result["metrics"])
        if i in spread:
            columns.append([_framed(picture) for picture in pictures.values()])
    _sheet(columns).save(folder / "sheet.jpg", quality=90)
    page = files("colorizer.evaluation.report").joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "title": f"Colorization of {escape(result['data'])}",
        "facts": _facts(result),
        "notes": "".join(f"<p class=note>{escape(note)}.</p>" for note in result["notes"]),
        "main": main_table(result, main_numbers(result)),
        "all": full_table(result),
        "pairs": pair_table(result),
        "plots": _plots(result, values),
        "gallery": _gallery(ranked, result["metrics"], judge, strips, picks),
        "picks": json.dumps(picks),
        "spread": "".join(strips[i].replace(f' id="p{i}"', "") for i in spread),
        "excluded": _excluded(result),
        "provenance": _provenance(result),
    }
    for key, part in parts.items():
        page = page.replace(f"{{{{{key}}}}}", part)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _pick(each: Sequence[float], about: Mapping[str, Any]) -> list[list[int]]:
    """Indices of the best, the median and the worst pictures, each photo once."""
    order = np.argsort(each, kind="stable").tolist()
    if about["higher_is_better"]:
        order.reverse()
    count = min(_PICKS, max(1, len(order) // 3))
    middle = (len(order) - count) // 2
    best, worst = order[:count], order[count:][-count:][::-1]
    taken = {*best, *worst}
    return [best, [i for i in order[middle : middle + count] if i not in taken], worst]


def _plots(result: Mapping[str, Any], values: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    rivals = [name for name in values if name != "original"]
    colors = {name: COLORS[i % len(COLORS)] for i, name in enumerate(rivals)} | {"original": "#222"}
    found = []
    for number in (name for name in _PLOTTED if name in result["metrics"]):
        about = result["metrics"][number]
        rows = rivals if about["higher_is_better"] is not None else [*values]
        held = {name: values[name][number] for name in rows if number in values[name]}
        unit = f" ({about['unit']})" if about["unit"] else ""
        better = {True: ", higher is better", False: ", lower is better", None: ""}
        title = f"{about['title']}{unit}{better[about['higher_is_better']]}"
        if held:
            found.append(f"<figure class=plot>{distribution(title, held, colors)}</figure>")
    return "".join(found)


def _strip(
    name: str,
    index: int,
    pictures: Mapping[str, np.ndarray],
    values: Mapping[str, Mapping[str, Sequence[float]]],
    ranked: Sequence[str],
    metrics: Mapping[str, Any],
) -> str:
    """One photo as every contender has it, with its values below."""
    tiles = []
    for contender, picture in pictures.items():
        own = {} if contender == "original" else values[contender]
        shown = {n: f"{metrics[n]['title']} {cell(own[n][index])}" for n in ranked if n in own}
        data = escape(json.dumps(shown))
        first = shown.get(ranked[0], "") if ranked else ""
        tiles.append(
            f'<div class=tile><img src="{_embedded(picture)}" alt="{escape(contender)}">'
            f"<b>{escape(contender)}</b><span class=value data-values='{data}'>{first}</span></div>"
        )
    return (
        f'<figure class=strip id="p{index}"><figcaption>{escape(name)}</figcaption>'
        f"<div class=tiles>{''.join(tiles)}</div></figure>"
    )


def _gallery(
    ranked: Sequence[str],
    metrics: Mapping[str, Any],
    judge: str,
    strips: Mapping[int, str],
    picks: Mapping[str, list[list[int]]],
) -> str:
    if not ranked:
        return "<p>No metric that ranks single pictures was measured.</p>"
    options = "".join(f"<option value={n}>{escape(metrics[n]['title'])}</option>" for n in ranked)
    first = picks[ranked[0]]
    placed = {i for group in first for i in group}
    groups = "".join(
        f"<h3>{title}</h3><div class=group>{''.join(strips[i] for i in dict.fromkeys(group))}</div>"
        for title, group in zip(("Best", "Median", "Worst"), first, strict=True)
    )
    others = {i for groups in picks.values() for group in groups for i in group} - placed
    spare = "".join(strips[i] for i in sorted(others))
    return (
        f"<p>Ranked by <select id=rank aria-label=metric>{options}</select> of "
        f"<b>{escape(judge)}</b>.</p><div id=gallery>{groups}</div>"
        f"<div id=spare hidden>{spare}</div>"
    )


def _embedded(picture: np.ndarray) -> str:
    image = Image.fromarray(picture)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "jpeg", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _framed(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture)
    image.thumbnail(_SHEET, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", _SHEET, "white")
    canvas.paste(image, tuple((a - b) // 2 for a, b in zip(_SHEET, image.size, strict=True)))
    return canvas


def _sheet(columns: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Photos side by side, each above what became of it, six to a line."""
    width, height = _SHEET
    lines = -(-len(columns) // _SHEET_COLUMNS)
    block = height * len(columns[0]) + 12
    across = min(len(columns), _SHEET_COLUMNS)
    sheet = Image.new("RGB", (width * across, block * lines - 12), "white")
    for i, column in enumerate(columns):
        for row, picture in enumerate(column):
            left, top = width * (i % _SHEET_COLUMNS), block * (i // _SHEET_COLUMNS)
            sheet.paste(picture, (left, top + height * row))
    return sheet


def _facts(result: Mapping[str, Any]) -> str:
    protocol = result["protocol"]
    return (
        f"<b>{result['pictures']:,}</b> pictures of <b>{escape(result['data'])}</b>; protocol "
        f"<b>{protocol['name']}</b>: {escape(protocol['text'])}. Each model is given the lightness "
        "of the photo, in 8 bits, and colors it at its own working size."
    )


def _excluded(result: Mapping[str, Any]) -> str:
    if not result["excluded"]:
        return ""
    rows = "".join(
        f"<tr><th>{escape(entry['photo'])}</th><td class=text>{escape(entry['reason'])}</td></tr>"
        for entry in result["excluded"]
    )
    count = len(result["excluded"])
    return f"<h2>Left out ({count})</h2><div class=scroll><table>{rows}</table></div>"


def _provenance(result: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            f"{about['network']}, {about['size']} px, {about['runtime']}, "
            f"weights sha256 {about['weights_sha256']}",
        )
        for name, about in result["about"].items()
        if about
    ]
    rows += [(name, about) for name, about in result["backbones"].items()]
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in result["versions"].items())))
    rows += [("device", result["device"]), ("intervals", result["intervals"])]
    return "".join(
        f"<tr><th>{escape(name)}</th><td class=text>{escape(text)}</td></tr>" for name, text in rows
    )
