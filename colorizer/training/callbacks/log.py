"""What a run says of each epoch: a line, a row of a table, and curves."""

import csv
import io
import math
import time
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from colorizer.support.files import write_whole
from colorizer.training.callbacks.checkpoints import is_last

__all__ = ["EpochLog", "epoch_rows"]


_PAUSE = 20.0  # seconds, at least, between two drawings of the curves


class EpochLog(Callback):
    """Each epoch: a line on the console and a row in `metrics.csv`; often `curves.png`.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.table, self.picture = folder / "metrics.csv", folder / "curves.png"
        self.spent = 0.0  # seconds of this epoch before the training was interrupted
        self.started = 0.0
        self.drawn = -math.inf

    def state_dict(self) -> dict[str, float]:
        return {"spent": self.spent + time.monotonic() - self.started}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.spent = state_dict["spent"]

    def on_train_start(self, trainer: Trainer, task: LightningModule) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, task: LightningModule) -> None:
        metrics = trainer.callback_metrics  # gathered from all processes: each must ask
        if trainer.is_global_zero:  # sync: once an epoch
            self._log(trainer, {name: f"{value.item():.6g}" for name, value in metrics.items()})

    def _log(self, trainer: Trainer, values: dict[str, str]) -> None:
        epoch = trainer.current_epoch + 1
        line = "  ".join(f"{name} {value}" for name, value in values.items())
        seconds = self.spent + time.monotonic() - self.started
        self.spent, self.started = 0.0, time.monotonic()
        trainer.print(f"epoch {epoch}/{trainer.max_epochs}  {seconds:.0f} s  {line}", flush=True)
        # A resumed run replaces the rows of epochs that it repeats.
        rows = [row for row in epoch_rows(self.table) if int(row["epoch"]) < epoch]
        rows.append({"epoch": str(epoch), "seconds": f"{seconds:.1f}", **values})
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, fieldnames=list(rows[-1]), extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
        write_whole(self.table, text.getvalue())
        rested = time.monotonic() - self.drawn > _PAUSE  # drawing takes most of a second
        if is_last(trainer) or rested:
            _draw_curves(rows, self.picture)
            self.drawn = time.monotonic()


def epoch_rows(table: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv, one for each epoch; none if there is no such file."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _draw_curves(rows: list[dict[str, str]], picture: Path) -> None:
    from matplotlib.figure import Figure  # no pyplot: it would switch a notebook's way of showing

    names = [name for name in rows[0] if name not in ("epoch", "seconds")]
    plots = sorted({name.removeprefix("val/") for name in names})
    figure = Figure(figsize=(4 * len(plots), 3), layout="tight")
    axes = figure.subplots(1, len(plots), squeeze=False)
    for axis, plot in zip(axes[0], plots, strict=True):
        for name, label in ((plot, "training"), (f"val/{plot}", "validation")):
            points = [(int(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
            if points:
                axis.plot(*zip(*points, strict=True), marker=".", label=label)
        axis.set(title=plot, xlabel="epoch")
        axis.legend()
    figure.savefig(picture, dpi=100)
