"""A grid of colored photos each epoch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_only

from colorizer.training.loggers import show_picture

__all__ = ["SampleGrid"]


class SampleGrid(Callback):
    """Writes `grids/epoch_NNN.png` into the run: rows of original, gray and colored photos.

    Loggers that can show pictures have it too.

    It comes before `MovingAverage` among the callbacks: what is drawn is then what was validated.

    Args:
        folder: of the run.
        count: how many validation photos.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder / "grids", count

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: Any, task: Any) -> None:
        from PIL import Image

        rgb = trainer.datamodule.samples(self.count).to(task.device)
        with torch.no_grad():
            prediction, target = task.predict(rgb)
        rows = [torch.cat(list(p), dim=2) for p in (target.rgb, target.gray, prediction.rgb)]
        grid = torch.cat(rows, dim=1).permute(1, 2, 0).nan_to_num()
        grid = grid.cpu().numpy()  # sync: once an epoch
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"epoch_{trainer.current_epoch + 1:03d}.png"
        picture = np.round(grid * 255).astype(np.uint8)
        Image.fromarray(picture).save(path)
        for logger in trainer.loggers:
            show_picture(logger, "grid", picture, trainer.global_step)
