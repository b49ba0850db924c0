"""How numbers are written, and the first table as Markdown, CSV and LaTeX."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "best",
    "cell",
    "heading",
    "interval",
    "latex",
    "main_numbers",
    "markdown",
    "summary_rows",
    "table_rows",
]

NONE = "\N{EN DASH}"
"""Where there is no number."""


def cell(value: float | None) -> str:
    """A number with as many digits as help: 24.13, 1.234, 0.0741."""
    if value is None:
        return NONE
    size = abs(value)
    digits = 2 if size >= 10 or size == 0 else 3 if size >= 1 else 4
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def heading(about: Mapping[str, Any]) -> str:
    """Title, unit, and an arrow to where it is better."""
    arrow = {True: "\N{NO-BREAK SPACE}↑", False: "\N{NO-BREAK SPACE}↓", None: ""}
    unit = f" ({about['unit']})" if about["unit"] else ""
    return f"{about['title']}{unit}{arrow[about['higher_is_better']]}"


def interval(value: Mapping[str, float | None]) -> str:
    """From low to high, or the deviation over seeds; empty where there is none."""
    if "deviation" in value:
        return f"± {cell(value['deviation'])}"
    low, high = value["low"], value["high"]
    if low is None or high is None or high - low < 1e-5:  # none, or equal but for rounding
        return ""
    return f"{cell(low)}{' to ' if low < 0 else NONE}{cell(high)}"


def table_rows(result: Mapping[str, Any]) -> dict[str, Mapping[str, Mapping[str, float | None]]]:
    """The rows of a table, name -> number -> values: runs of several seeds are one."""
    of_run = {run: name for name, runs in result.get("runs", {}).items() for run in runs}
    rows = {}
    for model, values in result["models"].items():
        name = of_run.get(model)
        rows[name or model] = values if name is None else result["seeds"][name]
    return rows


def main_numbers(result: Mapping[str, Any]) -> list[str]:
    """The numbers that the first table shows; those measured alone when none of them was."""
    measured = {name for numbers in result["models"].values() for name in numbers}
    found = [name for name in result["metrics"] if name in measured]
    return [name for name in found if result["metrics"][name]["main"]] or found


def best(result: Mapping[str, Any], number: str) -> set[str]:
    """The model with the best mean, the original aside."""
    higher = result["metrics"][number]["higher_is_better"]
    found = {
        model: values.get(number, {}).get("mean")
        for model, values in table_rows(result).items()
        if model != "original"
    }
    means = {model: mean for model, mean in found.items() if mean is not None}
    if higher is None or len(means) < 2:
        return set()
    top = (max if higher else min)(means.values())
    return {model for model, mean in means.items() if mean == top}


def markdown(result: Mapping[str, Any]) -> str:
    """The first table, for a terminal or a README."""
    numbers = main_numbers(result)
    metrics = result["metrics"]
    head = " | ".join(heading(metrics[name]) for name in numbers)
    lines = [f"| | {head} |", "|---|" + "---:|" * len(numbers)]
    for model, values in table_rows(result).items():
        cells = (_with_deviation(values[name]) if name in values else NONE for name in numbers)
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_deviation(value: Mapping[str, float | None]) -> str:
    return f"{cell(value['mean'])}{' ' + interval(value) if 'deviation' in value else ''}"


def summary_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Every number of every row, with a head: for CSV.

    Of each number there are its mean, the bounds of its 95 % interval, and the deviation over
    seeds, where there are several runs.
    """
    rows = table_rows(result)
    numbers = list(dict.fromkeys(number for values in rows.values() for number in values))
    parts = {"mean": "", "low": "_low", "high": "_high"}
    if result.get("runs"):
        parts["deviation"] = "_deviation"
    head = [f"{number}{part}" for number in numbers for part in parts.values()]
    found = [["model", "runs", "pictures", *head]]
    for model, values in rows.items():
        each = (values.get(number, {}).get(part) for number in numbers for part in parts)
        cells = ["" if value is None else f"{value:.6g}" for value in each]
        runs = len(result.get("runs", {}).get(model, [model]))
        found.append([model, str(runs), str(result["pictures"]), *cells])
    return found


_SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "Δ": r"$\Delta$",
    "\N{NO-BREAK SPACE}": "~",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "é": r"\'e",
    "\n": " ",
    "\r": " ",
}


def latex(result: Mapping[str, Any]) -> str:
    """The first table as LaTeX, for the package booktabs: the best in bold, the original aside."""
    numbers = main_numbers(result)
    winners = {name: best(result, name) for name in numbers}
    head = " & ".join(_tex(heading(result["metrics"][name])) for name in numbers)
    lines = [
        f"% {' '.join(result['data'].split())}: {result['pictures']} pictures, protocol "
        f"{result['protocol']['name']}.",
        "% After +-: half of the 95 % interval; of several runs, the deviation over them.",
        rf"\begin{{tabular}}{{l{'r' * len(numbers)}}}",
        r"\toprule",
        rf" & {head} \\",
        r"\midrule",
    ]
    for model, values in table_rows(result).items():
        cells = [_tex_cell(values.get(name), model in winners[name]) for name in numbers]
        lines.append(rf"{_tex(model)} & {' & '.join(cells)} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _tex_cell(value: Mapping[str, float | None] | None, bold: bool) -> str:
    if value is None or value["mean"] is None:
        return "--"
    mean = cell(value["mean"]).replace("\N{MINUS SIGN}", "-")
    digits = len(mean.partition(".")[2])
    margin = value.get("deviation")
    low, high = value.get("low"), value.get("high")
    if low is not None and high is not None and high - low >= 1e-5:
        margin = (high - low) / 2
    text = rf"\mathbf{{{mean}}}" if bold else mean
    return f"${text}$" if margin is None else rf"${text} \pm {margin:.{digits}f}$"


def _tex(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)
