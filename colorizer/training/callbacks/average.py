"""The average of the weights: what is validated and exported."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

__all__ = ["MovingAverage"]

Pairs = tuple[list[Tensor], list[Tensor]]
"""Tensors of the average, and the same of what it follows."""


class MovingAverage(WeightAveraging):
    """Exponential moving average of the weights: what is validated and exported.

    Lightning's callback, but for two things: its average lies on the training device, and is
    brought up to date by one fused operation that the host need not wait for, over the tensors that
    training changes.

    Args:
        decay: per step; shorter in the first steps, so that a short training is not all start.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
        self._forget()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._forget()  # another epoch may train other weights

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step <= self._latest_update_step:
            return  # gradients are still being accumulated
        self._latest_update_step = step = trainer.global_step
        share = 1 - min(self.decay, step / (9 + step))
        if self._averaged is None:
            self._averaged, self._copied = self._changing(pl_module)
        means, values = self._averaged
        if means:
            torch._foreach_lerp_(means, values, share)
        means, values = self._copied
        if means:
            torch._foreach_copy_(means, values)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Again, for a run that was resumed when all was done but the export.
        self._copy_average_to_current(pl_module)

    def _forget(self) -> None:
        self._averaged: Pairs | None = None
        self._copied: Pairs = ([], [])

    def _changing(self, task: LightningModule) -> tuple[Pairs, Pairs]:
        """The average's and the task's tensors that training changes: floats, and counters.

        Neither frozen weights nor tables (buffers that are not kept) are among them.
        """
        assert self._average_model is not None  # made by setup
        average = self._average_model.module
        means = dict(average.named_parameters()) | dict(average.named_buffers())
        found = {name: p for name, p in task.named_parameters() if p.requires_grad}
        for prefix, module in task.named_modules():
            for name in module._buffers.keys() - module._non_persistent_buffers_set:
                if module.training and (buffer := module._buffers[name]) is not None:
                    found[f"{prefix}.{name}" if prefix else name] = buffer
        averaged: Pairs = ([], [])
        copied: Pairs = ([], [])
        for name, value in found.items():
            pairs = averaged if value.is_floating_point() else copied
            pairs[0].append(means[name])
            pairs[1].append(value)
        return averaged, copied
