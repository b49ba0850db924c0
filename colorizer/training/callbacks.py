"""What a run shows: a line and a grid of pictures each epoch, and its curves."""

import csv
import io
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from colorizer.color import Target, rgb_to_lab
from colorizer.training.writing import write_whole

__all__ = ["EpochLog", "MovingAverage", "SampleGrid", "epoch_rows", "gray_baseline"]


_PAUSE = 20.0  # seconds, at least, between two drawings of the curves


class MovingAverage(WeightAveraging):
    """Exponential moving average of the weights: what is validated and exported.

    Lightning's callback, but for two things: its average lies on the training device, and is
    brought up to date by one fused operation that the host need not wait for.

    Args:
        decay: per step; shorter in the first steps, so that a short training is not all start.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step <= self._latest_update_step:
            return  # gradients are still being accumulated
        self._latest_update_step = step = trainer.global_step
        share = 1 - min(self.decay, step / (9 + step))
        means, values = [], []
        for mean, value in zip(
            _tensors(self._average_model.module), _tensors(pl_module), strict=True
        ):
            if mean.is_floating_point():
                means.append(mean)
                values.append(value)
            else:
                mean.copy_(value)
        torch._foreach_lerp_(means, values, share)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Again, for a run that was resumed when all was done but the export.
        self._copy_average_to_current(pl_module)


def _tensors(module: LightningModule) -> Iterator[Tensor]:
    return itertools.chain(module.parameters(), module.buffers())


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
        if trainer.is_global_zero:
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
        last = epoch == trainer.max_epochs
        if last or time.monotonic() - self.drawn > _PAUSE:  # drawing takes most of a second
            _draw_curves(rows, self.picture)
            self.drawn = time.monotonic()


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

    @rank_zero_only
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
    metrics = task.metrics.clone().to(trainer.strategy.root_device)
    for rgb in trainer.datamodule.val_dataloader():
        L, ab = rgb_to_lab(rgb.to(trainer.strategy.root_device).float() / 255)
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
