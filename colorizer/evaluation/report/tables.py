"""How numbers are written, and the first table as Markdown."""

from collections.abc import Mapping
from typing import Any

__all__ = ["best", "cell", "heading", "interval", "main_numbers", "markdown"]

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
    """From low to high; empty where there is none."""
    low, high = value["low"], value["high"]
    if low is None or high is None or high - low < 1e-5:  # none, or equal but for rounding
        return ""
    return f"{cell(low)}{' to ' if low < 0 else NONE}{cell(high)}"


def main_numbers(result: Mapping[str, Any]) -> list[str]:
    """The numbers that the first table shows; those measured alone when none of them was."""
    measured = {name for numbers in result["models"].values() for name in numbers}
    found = [name for name in result["metrics"] if name in measured]
    return [name for name in found if result["metrics"][name]["main"]] or found


def best(result: Mapping[str, Any], number: str) -> set[str]:
    """The model with the best mean, the original aside."""
    higher = result["metrics"][number]["higher_is_better"]
    means = {
        model: values[number]["mean"]
        for model, values in result["models"].items()
        if model != "original" and values.get(number, {}).get("mean") is not None
    }
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
    for model, values in result["models"].items():
        cells = (cell(values[name]["mean"]) if name in values else NONE for name in numbers)
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines)
