"""What a run shows: a line and a grid of pictures each epoch, and its curves."""

import csv
import time
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from colorizer.color import Target, rgb_to_lab

__all__ = ["EpochLog", "MovingAverage", "SampleGrid", "epoch_rows", "gray_baseline"]


class MovingAverage(WeightAveraging):
    """Exponential moving average of the weights: what is validated, saved as best and exported.

    Args:
        decay: per step; shorter in the first steps, so that a short training is not all start.
    """

    def __init__(self, decay: float) -> None:
        def average(mean: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
            # A tensor throughout: `count` may lie on a device that must not be waited for.
            share = 1 - torch.clamp(
                (1 + torch.as_tensor(count)) / (10 + torch.as_tensor(count)), max=decay
            )
            return mean + share.to(mean) * (new - mean) if mean.is_floating_point() else new

        super().__init__(avg_fn=average)


class EpochLog(Callback):
    """Each epoch: a line on the console, a row in `metrics.csv` and the curves in `curves.png`.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.table, self.picture = folder / "metrics.csv", folder / "curves.png"
        self.started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, task: LightningModule) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, task: LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        values = {name: f"{value.item():.6g}" for name, value in trainer.callback_metrics.items()}
        line = "  ".join(f"{name} {value}" for name, value in values.items())
        seconds = time.monotonic() - self.started
        trainer.print(f"epoch {epoch}/{trainer.max_epochs}  {seconds:.0f} s  {line}", flush=True)
        # A resumed run replaces the rows of epochs that it repeats.
        rows = [row for row in epoch_rows(self.table) if int(row["epoch"]) < epoch]
        rows.append({"epoch": str(epoch), "seconds": f"{seconds:.1f}", **values})
        with self.table.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, fieldnames=list(rows[-1]), extrasaction="ignore")
            table.writeheader()
            table.writerows(rows)
        _draw_curves(rows, self.picture)


def epoch_rows(table: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv, one for each epoch; none if there is no such file."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class SampleGrid(Callback):
    """Writes `grids/epoch_NNN.png` into the run: rows of original, gray and colored photos.

    Args:
        folder: of the run.
        count: how many validation photos.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder / "grids", count

    def on_validation_end(self, trainer: Trainer, task: LightningModule) -> None:
        from PIL import Image

        rgb = trainer.datamodule.samples(self.count).to(task.device)
        with torch.no_grad():
            prediction, target = task.predict(rgb)
        rows = [torch.cat(list(p), dim=2) for p in (target.rgb, target.gray, prediction.rgb)]
        grid = torch.cat(rows, dim=1).permute(1, 2, 0).nan_to_num().cpu().numpy()
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"epoch_{trainer.current_epoch + 1:03d}.png"
        Image.fromarray(np.round(grid * 255).astype(np.uint8)).save(path)


@torch.no_grad()
def gray_baseline(trainer: Trainer, task: LightningModule) -> dict[str, float]:
    """The task's metrics for pictures left gray: what any result must be compared with."""
    metrics = task.metrics.clone()
    for rgb in trainer.datamodule.val_dataloader():
        L, ab = rgb_to_lab(rgb.float() / 255)
        metrics.update(Target(L, torch.zeros_like(ab)), Target(L, ab))
    return {name: value.item() for name, value in metrics.compute().items()}


def _draw_curves(rows: list[dict[str, str]], picture: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    names = [name for name in rows[0] if name not in ("epoch", "seconds")]
    plots = sorted({name.removeprefix("val/") for name in names})
    figure, axes = plt.subplots(1, len(plots), figsize=(4 * len(plots), 3), squeeze=False)
    for axis, plot in zip(axes[0], plots, strict=True):
        for name, label in ((plot, "training"), (f"val/{plot}", "validation")):
            points = [(int(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
            if points:
                axis.plot(*zip(*points, strict=True), marker=".", label=label)
        axis.set(title=plot, xlabel="epoch")
        axis.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=100)
    plt.close(figure)
