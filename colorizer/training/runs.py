"""A table of runs: what differs between their settings, and how each ended."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from colorizer.errors import UsageError

__all__ = ["find_runs", "table", "to_csv"]

_ALWAYS_DIFFERENT = {"trainer.name", "trainer.output"}


def find_runs(folder: str | Path) -> dict[str, dict[str, str]]:
    """The runs in a folder, by name: settings that are not the same in all, and last numbers.

    Args:
        folder: of run folders, `trainer.output`.

    Returns:
        run -> column -> text: dotted settings, `epoch`, the last epoch's numbers, and the `best` of
        `val/loss`.

    Raises:
        UsageError: there is no run in it.
    """
    runs = sorted(path.parent for path in Path(folder).glob("*/settings.yaml"))
    if not runs:
        raise UsageError(f"{folder} holds no runs: folders with a settings.yaml")
    settings = [_flat(yaml.safe_load((run / "settings.yaml").read_text("utf-8"))) for run in runs]
    keys = dict.fromkeys(key for found in settings for key in found)
    differing = [
        key
        for key in keys
        if key not in _ALWAYS_DIFFERENT and len({found.get(key) for found in settings}) > 1
    ]
    return {
        run.name: {key: found.get(key, "") for key in differing} | _ended(run / "metrics.csv")
        for run, found in zip(runs, settings, strict=True)
    }


def table(runs: Mapping[str, Mapping[str, str]], sort: str | None = None) -> list[list[str]]:
    """A head and a row for each run, by a column from the lowest on; empty cells come last.

    Raises: UsageError for a column that there is not.
    """
    columns = list(dict.fromkeys(column for values in runs.values() for column in values))
    if sort is not None and sort not in columns:
        raise UsageError(f"no column {sort!r}; there are {', '.join(columns)}")
    order = sorted(runs, key=lambda name: _number(runs[name].get(sort or "", "")))
    return [["run", *columns], *([n, *(runs[n].get(c, "") for c in columns)] for n in order)]


def to_csv(rows: Sequence[Sequence[str]]) -> str:
    """The table as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _ended(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {"epoch": "0"}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    best = min((_number(row.get("val/loss", "")) for row in rows), default=math.inf)
    return {**rows[-1], "best val/loss": f"{best:g}"} if rows else {"epoch": "0"}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _flat(plain: Any, before: str = "") -> dict[str, str]:
    if isinstance(plain, dict) and plain:
        parts = [_flat(value, f"{before}{key}.") for key, value in plain.items()]
        return {key: text for part in parts for key, text in part.items()}
    return {before.removesuffix("."): str(plain)}
