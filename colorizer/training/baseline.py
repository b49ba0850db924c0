"""What a training is compared with: the same photos left gray."""

import torch
from lightning.pytorch import Trainer

from colorizer.color.tensors import Target, rgb_to_lab
from colorizer.data.module import PhotoModule
from colorizer.training.task import ColorTask

__all__ = ["gray_baseline"]


@torch.no_grad()
def gray_baseline(trainer: Trainer, task: ColorTask, data: PhotoModule) -> dict[str, float]:
    """The task's metrics for pictures left gray: what any result must be compared with."""
    metrics = task.metrics.clone().to(trainer.strategy.root_device)
    for name in [name for name, metric in metrics.items() if metric.reads_scores]:
        del metrics[name]  # gray has none
    for rgb in data.val_dataloader():
        L, ab = rgb_to_lab(rgb.to(trainer.strategy.root_device).float() / 255)
        metrics.update(Target(L, torch.zeros_like(ab)), Target(L, ab))
    return {name: value.item() for name, value in metrics.compute().items()}
