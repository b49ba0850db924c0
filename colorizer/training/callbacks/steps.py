"""What every logger hears between two epochs: of a step loss, learning rate and gradient."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from colorizer.training.task import ColorTask

__all__ = ["StepLog"]

_PAUSE = 50  # steps between two readings, as each waits for the device


class StepLog(Callback):
    """Logs `step/loss`, `step/learning_rate` and `step/gradient_norm` every 50 steps.

    At the first one too; the norm is the one before it is clipped.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ColorTask)
        if batch_idx % _PAUSE or not trainer.is_global_zero or pl_module.last_loss is None:
            return
        (rate, *_) = (group["lr"] for group in trainer.optimizers[0].param_groups)
        values = {
            "step/loss": pl_module.last_loss.item(),  # sync: every 50th step
            "step/learning_rate": float(rate),
        }
        if pl_module.last_norm is not None:
            values["step/gradient_norm"] = pl_module.last_norm.item()
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)
