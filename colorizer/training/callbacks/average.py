"""The average of the weights: what is validated and exported."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

__all__ = ["MovingAverage"]


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
