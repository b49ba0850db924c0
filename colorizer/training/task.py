"""One training step and one validation step, for Lightning's Trainer."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from colorizer.color import Prediction, Target, rgb_to_lab
from colorizer.config import OptimizerSettings, ScheduleSettings
from colorizer.errors import ColorizerError
from colorizer.losses import WeightedSum
from colorizer.metrics import create_metrics
from colorizer.models import ColorModel

__all__ = ["ColorTask", "create_optimizer", "rate"]


class ColorTask(LightningModule):
    """A model, the loss that it is trained with, and the metrics that it is watched with.

    Args:
        model: to be trained.
        loss: of the training; an adversarial member has an optimizer of its own.
        metrics: names of metrics on the validation photos, or names with keywords.
        optimizer: settings.
        schedule: settings.
    """

    def __init__(
        self,
        model: ColorModel,
        loss: WeightedSum,
        metrics: Sequence[str] | Mapping[str, Mapping[str, Any]],
        optimizer: OptimizerSettings,
        schedule: ScheduleSettings,
    ) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.loss = loss
        self.metrics = create_metrics(metrics)
        self.optimizer_settings, self.schedule_settings = optimizer, schedule
        # Two optimizers that take turns are more than Lightning's automatic loop does.
        self.automatic_optimization = loss.adversarial is None

    def predict(self, rgb: Tensor) -> tuple[Prediction, Target]:
        """Shape: rgb (N, 3, H, W) uint8, sRGB -> what the model makes of it, and the original."""
        L, ab = rgb_to_lab(rgb.float() / 255)
        raw = self.model(L.contiguous(memory_format=torch.channels_last))
        return Prediction(L, raw, self.model.decode), Target(L, ab)

    def training_step(self, rgb: Tensor, batch_index: int) -> Tensor | None:
        if self.loss.adversarial is not None:
            self.loss.adversarial.progress = self.trainer.current_epoch / self.trainer.max_epochs
        prediction, target = self.predict(rgb)
        terms = self.loss.terms(prediction, target)
        total = torch.stack(list(terms.values())).sum()
        # The trainer averages these over the epoch on the device: no host synchronisation here.
        logged = {"loss": total} | (
            {f"loss/{k}": v for k, v in terms.items()} if len(terms) > 1 else {}
        )
        self.log_dict(
            {name: value.detach() for name, value in logged.items()},
            on_step=False,
            on_epoch=True,
            batch_size=len(rgb),
        )
        if self.automatic_optimization:
            return total
        self._take_turns(prediction, target, total)
        return None

    def validation_step(self, rgb: Tensor, batch_index: int) -> None:
        prediction, target = self.predict(rgb)
        self.log("val/loss", self.loss(prediction, target), batch_size=len(rgb))
        self.metrics.update(prediction, target)

    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"val/{name}": value for name, value in self.metrics.compute().items()})
        self.metrics.reset()

    def on_train_epoch_end(self) -> None:
        loss = self.trainer.callback_metrics.get("loss")
        if loss is not None and not torch.isfinite(loss):
            raise ColorizerError(
                f"the loss is {loss.item()} in epoch {self.current_epoch + 1}: lower "
                "optimizer.learning_rate or use trainer.precision 32-true"
            )

    def configure_optimizers(self):
        factor = lambda step: rate(self.schedule_settings, step, self._steps(), self._epoch_steps())  # noqa: E731
        generator = create_optimizer(self.model, self.optimizer_settings)
        schedules = [{"scheduler": LambdaLR(generator, factor), "interval": "step"}]
        if self.loss.adversarial is None:
            return [generator], schedules
        discriminator = create_optimizer(
            self.loss.adversarial.discriminator, self.optimizer_settings
        )
        schedules.append({"scheduler": LambdaLR(discriminator, factor), "interval": "step"})
        return [generator, discriminator], schedules

    def _steps(self) -> int:
        return int(self.trainer.estimated_stepping_batches)

    def _epoch_steps(self) -> int:
        return math.ceil(self._steps() / max(1, self.trainer.max_epochs or 1))

    def _take_turns(self, prediction: Prediction, target: Target, total: Tensor) -> None:
        """The model's step, then the discriminator's, on the same pictures."""
        adversarial = self.loss.adversarial
        model_optimizer, judge_optimizer = self.optimizers()
        self._step(model_optimizer, self.model, total)
        if adversarial.active:
            judgement = adversarial.discriminator_loss(prediction, target)
            self._step(judge_optimizer, adversarial.discriminator, judgement)
        for schedule in self.lr_schedulers():
            schedule.step()

    def _step(self, optimizer: LightningOptimizer, network: nn.Module, loss: Tensor) -> None:
        self.manual_backward(loss)
        if self.optimizer_settings.clip:
            nn.utils.clip_grad_norm_(network.parameters(), self.optimizer_settings.clip)
        optimizer.step()
        optimizer.zero_grad()


def create_optimizer(network: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimizer that the settings name, over the parameters that are to be trained.

    Biases and normalisation are not decayed; the encoder of a model that started pretrained learns
    at `encoder_factor` of the rate.
    """
    pretrained = getattr(network, "config", {})
    gentle = bool(pretrained.get("pretrained") or pretrained.get("pretrained_file"))
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            key = (gentle and name.startswith("encoder."), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    params = [
        {
            "params": members,
            "lr": settings.learning_rate * (settings.encoder_factor if slow else 1),
            "weight_decay": settings.weight_decay if decayed else 0.0,
        }
        for (slow, decayed), members in groups.items()
    ]
    if settings.name == "sgd":
        return torch.optim.SGD(params, momentum=settings.momentum, nesterov=settings.momentum > 0)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name]
    return kind(params, betas=settings.betas)


def rate(settings: ScheduleSettings, step: int, steps: int, epoch_steps: int) -> float:
    """The learning rate at a step, as a share of its peak.

    Args:
        settings: the curve.
        step: steps taken so far.
        steps: of the whole training.
        epoch_steps: of one epoch.
    """
    warmup = min(settings.warmup_steps, steps // 10)
    if step < warmup:
        return (step + 1) / warmup
    if settings.name == "step":
        return settings.gamma ** (step // (epoch_steps * settings.step_epochs))
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return settings.final + (1 - settings.final) * (1 + math.cos(math.pi * done)) / 2
