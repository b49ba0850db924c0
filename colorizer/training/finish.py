"""The end of a training: its models exported, with what was measured."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from colorizer import config
from colorizer.config import DataSettings
from colorizer.data.module import PhotoModule
from colorizer.errors import ColorizerError
from colorizer.export import export, save_without_graph
from colorizer.models import ColorModel
from colorizer.training.callbacks import BestEpoch, epoch_rows
from colorizer.training.record import card, provenance

__all__ = ["STARTS", "finish", "read_starts"]

STARTS = "starts.json"
"""In each run folder: what was so at each start."""


def finish(
    run: Path,
    plain: dict[str, Any],
    data: PhotoModule,
    model: ColorModel,
    gray: dict[str, float],
    best: BestEpoch | None,
) -> None:
    """Export the last epoch's model; and the best one's, `model-best`, if that is another.

    Args:
        run: the run folder.
        plain: its settings.
        gray: the metrics of the validation photos left gray.
    """
    rows = epoch_rows(run / "metrics.csv")
    if best is not None and 0 < best.epoch < len(rows):
        chosen = copy.deepcopy(model)
        chosen.unfold()
        chosen.load_state_dict(best.weights)
        facts = _facts(run, rows, best.epoch, data, gray)
        _export(run, "model-best", plain, chosen, facts)
        print(f"best epoch by {best.number}: {best.epoch} of {len(rows)}, in {run / 'model-best'}")
    elif best is not None:
        print(f"best epoch by {best.number}: the last")
    _export(run, "model", plain, model, _facts(run, rows, len(rows), data, gray))
    print(f"model folder: {run / 'model'}", flush=True)


def read_starts(run: Path) -> list[dict[str, Any]]:
    """What was noted at each start of a run."""
    path = run / STARTS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _facts(
    run: Path,
    rows: list[dict[str, str]],
    epoch: int,
    data: PhotoModule,
    gray: dict[str, float],
) -> dict[str, Any]:
    """What metrics.json says of the model of an epoch."""
    starts = read_starts(run)
    return {
        "epoch": epoch,
        "metrics": {
            name.removeprefix("val/"): round(float(value), 6)
            for name, value in rows[epoch - 1].items()
            if name.startswith("val/")
        },
        "gray": {name: round(value, 6) for name, value in gray.items()},
        "photos": data.count("train"),
        "validation_photos": data.count("validation"),
        "seconds": round(sum(float(row["seconds"]) for row in rows[:epoch])),
        "resumed": len(starts) > 1,
        **{name: starts[-1][name] for name in (*provenance(), "hardware", "effective_batch")},
    }


def _export(
    run: Path, name: str, plain: dict[str, Any], model: ColorModel, facts: Mapping[str, Any]
) -> None:
    described = plain | {"model": {**model.config, "head": model.head.name}}
    texts = {
        "metrics.json": json.dumps(facts, indent=2) + "\n",
        "card.md": card(described, facts),
    }
    about: dict[str, Any] = {
        "settings": plain,
        "size": config.size_as_trained(DataSettings(**plain["data"])),
        "extra_files": texts,
    }
    try:
        export(model, run / name, **about)
    except ColorizerError as error:
        kept = save_without_graph(model, run / name, **about)
        raise ColorizerError(
            f"{error}; the weights and their config are in {kept}: mend the model, then "
            f"colorizer train --resume {run} exports it"
        ) from error
