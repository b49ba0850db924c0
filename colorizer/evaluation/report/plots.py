"""Distributions over pictures as small SVG plots."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

__all__ = ["COLORS", "distribution"]

COLORS = ("#8c8c8c", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of the rows, gray first; told apart by color-blind eyes too (Okabe and Ito)."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "colorizer",  # the same numbers give the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


def distribution(
    title: str, values: Mapping[str, Sequence[float]], colors: Mapping[str, str]
) -> str:
    """One row for each model: the density of its pictures, the middle half, and the mean.

    Args:
        values: model -> a value for each picture.
        colors: model -> a CSS color.

    Returns:
        An `<svg>` element.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.6, 0.75 + 0.46 * len(values)), layout="constrained")
        axes = figure.add_subplot()
        for row, (name, each) in enumerate(values.items()):
            ordered = sorted(each)
            if ordered[0] < ordered[-1]:
                parts = axes.violinplot(
                    [each], [-row], orientation="horizontal", widths=0.8, showextrema=False
                )
                bodies: Any = parts["bodies"]
                bodies[0].set(facecolor=colors[name], alpha=0.35, edgecolor="none")
            quarter = len(ordered) // 4
            middle = ordered[quarter : len(ordered) - quarter]
            axes.plot([middle[0], middle[-1]], [-row, -row], color=colors[name], linewidth=4)
            mean = sum(each) / len(each)
            axes.plot(mean, -row, "o", color="white", markeredgecolor=colors[name], markersize=6)
        axes.set_yticks([-row for row in range(len(values))], list(values))
        axes.tick_params(left=False)
        axes.set_ylim(0.55 - len(values), 0.55)
        figure.suptitle(title, fontsize=10, x=0.01, ha="left")
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
        axes.set_axisbelow(True)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()[file.getvalue().index("<svg") :]
