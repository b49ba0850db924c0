"""The best epoch, kept beside the last."""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from colorizer.errors import UsageError
from colorizer.registry import METRICS
from colorizer.training.task import ColorTask

__all__ = ["BestEpoch"]


class BestEpoch(Callback):
    """Keeps the weights that were validated best, in memory and in each checkpoint.

    It comes before `MovingAverage` and `Checkpoints` among the callbacks: what is kept is then what
    was validated, and is in the epoch's own checkpoint.

    Args:
        number: of the validation, such as "val/loss"; "auto" is "val/calibrated_nll" where the
            model has it, else "val/loss".

    Attributes:
        number: by which epochs are judged, once one has ended.
        epoch: the best one, from 1 on; 0 before the first.
        weights: of the model then, on the processor.
    """

    def __init__(self, number: str) -> None:
        self.number, self.epoch, self.value = number, 0, math.nan
        self.weights: dict[str, Tensor] = {}
        self._validated: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "value": self.value, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.value = state_dict["epoch"], state_dict["value"]
        self.weights = state_dict["weights"]

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, ColorTask)
        state = pl_module.model.state_dict()  # sync: once an epoch
        self._validated = {name: value.detach().cpu().clone() for name, value in state.items()}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        measured = trainer.callback_metrics  # gathered from all processes: each must ask
        if self.number == "auto":
            known = "val/calibrated_nll" in measured
            self.number = "val/calibrated_nll" if known else "val/loss"
        if self.number not in measured:
            known = ", ".join(name for name in measured if name.startswith("val/"))
            raise UsageError(f"trainer.best is {self.number!r}, which is not measured: {known}")
        value = float(measured[self.number])
        if math.isfinite(value) and (self.epoch == 0 or self._better(value)):
            self.epoch, self.value = trainer.current_epoch + 1, value
            self.weights = self._validated

    def _better(self, value: float) -> bool:
        name = self.number.removeprefix("val/")
        numbers = [n for metric in METRICS.values() for n in getattr(metric, "numbers", ())]
        higher = any(n.name == name and n.higher_is_better for n in numbers)
        return value > self.value if higher else value < self.value
