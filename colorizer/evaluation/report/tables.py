"""Tables of models by metrics, as HTML and as Markdown."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["cell", "full_table", "main_numbers", "main_table", "markdown", "pair_table"]

_MAIN = (
    *("psnr", "ssim", "delta_e", "lpips", "fid", "kid", "frechet_vgg16", "kernel_vgg16"),
    *("colorfulness", "colorfulness_difference_of_means", "chroma_histogram", "stability"),
)


_NONE = "\N{EN DASH}"


def cell(value: float | None) -> str:
    """A number with as many digits as help: 24.13, 1.234, 0.0741."""
    if value is None:
        return _NONE
    size = abs(value)
    digits = 2 if size >= 10 or size == 0 else 3 if size >= 1 else 4
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def main_numbers(result: Mapping[str, Any]) -> list[str]:
    """The numbers that the first table shows; those measured alone when none of them was."""
    measured = {name for numbers in result["models"].values() for name in numbers}
    return [name for name in _MAIN if name in measured] or [
        name for name in result["metrics"] if name in measured
    ]


def markdown(result: Mapping[str, Any]) -> str:
    """The first table, for a terminal or a README."""
    numbers = main_numbers(result)
    metrics = result["metrics"]
    head = " | ".join(_heading(metrics[name]) for name in numbers)
    lines = [f"| | {head} |", "|---|" + "---:|" * len(numbers)]
    for model, values in result["models"].items():
        cells = (cell(values[name]["mean"]) if name in values else _NONE for name in numbers)
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main_table(result: Mapping[str, Any], numbers: Sequence[str]) -> str:
    """Models down, metrics across; a click on a heading sorts."""
    metrics = result["metrics"]
    best = {name: _best(result, name) for name in numbers}
    head = "".join(
        f'<th aria-sort=none data-up="{int(bool(metrics[name]["higher_is_better"]))}">'
        f"<button>{escape(_heading(metrics[name]))}</button></th>"
        for name in numbers
    )
    rows = []
    for model, values in result["models"].items():
        cells = []
        for name in numbers:
            value = values.get(name)
            if value is None:
                cells.append(f"<td>{_NONE}</td>")
                continue
            mark = " class=best" if model in best[name] else ""
            mean = value["mean"]
            cells.append(f'<td{mark} data-value="{mean}">{cell(mean)}{_interval(value)}</td>')
        kind = " class=baseline" if not result["about"][model] else ""
        rows.append(f"<tr{kind}><th>{escape(model)}</th>{''.join(cells)}</tr>")
    return (
        f"<table id=main><thead><tr><th>model</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def full_table(result: Mapping[str, Any]) -> str:
    """Numbers down, models across."""
    models = list(result["models"])
    head = "".join(f"<th>{escape(model)}</th>" for model in models)
    rows = []
    for name, about in result["metrics"].items():
        held = [result["models"][model].get(name) for model in models]
        if any(held):
            cells = "".join(
                f"<td>{cell(value['mean'])}{_interval(value)}</td>"
                if value
                else f"<td>{_NONE}</td>"
                for value in held
            )
            title = f"{escape(_heading(about))}<small>{name}</small>"
            rows.append(f"<tr><th>{title}</th>{cells}</tr>")
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def pair_table(result: Mapping[str, Any]) -> str:
    """Who is closer to the original on how many pictures."""
    rows = []
    for pair in result["pairs"]:
        n = pair["first_wins"] + pair["second_wins"]
        share = 100 * pair["first_wins"] / n if n else 50
        bar = f'<span><i style="width:{share:.1f}%"></i></span>'
        p = "&lt; 0.001" if pair["p"] < 0.001 else f"{pair['p']:.3f}"
        rows.append(
            f"<tr><th>{escape(result['metrics'][pair['metric']]['title'])}</th>"
            f"<th>{escape(pair['first'])}</th><td>{pair['first_wins']:,}</td>"
            f"<td class=bar>{bar}</td><td>{pair['second_wins']:,}</td>"
            f"<th>{escape(pair['second'])}</th><td>{pair['ties']:,}</td><td>{p}</td></tr>"
        )
    if not rows:
        return ""
    head = "".join(f"<th>{title}</th>" for title in ("by", "", "wins", "", "wins", "", "ties", "p"))
    return (
        "<h2>Picture by picture</h2><p>On how many pictures each of two comes closer to the "
        "original; p is that of the two-sided sign test.</p><div class=scroll><table class=pairs>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _heading(about: Mapping[str, Any]) -> str:
    arrow = {True: "\N{NO-BREAK SPACE}↑", False: "\N{NO-BREAK SPACE}↓", None: ""}[
        about["higher_is_better"]
    ]
    unit = f" ({about['unit']})" if about["unit"] else ""
    return f"{about['title']}{unit}{arrow}"


def _interval(value: Mapping[str, float | None]) -> str:
    low, high = value["low"], value["high"]
    if low is None or high is None or high - low < 1e-5:  # none, or equal but for rounding
        return ""
    return f"<small>{cell(low)}{' to ' if low < 0 else _NONE}{cell(high)}</small>"


def _best(result: Mapping[str, Any], name: str) -> set[str]:
    """The model with the best mean, the original aside."""
    higher = result["metrics"][name]["higher_is_better"]
    means = {
        model: values[name]["mean"]
        for model, values in result["models"].items()
        if model != "original" and values.get(name, {}).get("mean") is not None
    }
    if higher is None or len(means) < 2:
        return set()
    top = (max if higher else min)(means.values())
    return {model for model, mean in means.items() if mean == top}
