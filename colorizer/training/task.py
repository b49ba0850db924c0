"""One training step and one validation step, for Lightning's Trainer."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric, Metric, MetricCollection

from colorizer.color.gamut import bins
from colorizer.color.tensors import Prediction, Target, rgb_to_lab
from colorizer.config import OptimizerSettings, ScheduleSettings
from colorizer.data.degrade import Degradation
from colorizer.data.module import PhotoModule
from colorizer.losses import WeightedSum
from colorizer.metrics import create_metrics
from colorizer.metrics.knowledge import CalibratedNLL
from colorizer.models import ColorModel
from colorizer.training.finite import FiniteCheck, NotFiniteError
from colorizer.training.optimizer import batch_factor, create_optimizer, rate

__all__ = ["ColorTask"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""(N, 3, H, W) sRGB in 0..1, and where chance comes from -> likewise."""

_KNOWN = 200  # validation photos, at most, that `calibrated_nll` is measured on
_PATIENCE = 20  # steps skipped in a row, after which a training is given up


class EpochMean(Metric):
    """A mean over the photos of an epoch, kept on the device and with checkpoints.

    Batches whose value is not finite are left out.
    """

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "count"):
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum", persistent=True)

    def update(self, value: Tensor, count: int) -> None:
        finite = torch.isfinite(value)
        self.total += torch.where(finite, value.float() * count, 0.0)
        self.count += finite * count

    def compute(self) -> Tensor:
        return self.total / self.count


class ColorTask(LightningModule):
    """A model, the loss that it is trained with, and the metrics that it is watched with.

    Args:
        model: to be trained.
        loss: of the training; each member with a discriminator has an optimizer for it.
        metrics: names of metrics on the validation photos, or names with keywords.
        optimizer: settings.
        schedule: settings.
        augment: change the pictures of a training step, one after the other.
        degradation: of the lightness that the model sees in training.
        seed: of all that is random in a step; with the epoch, the batch and the process it says
            all, so that no random state needs to be kept.
        compiled: try torch.compile.
        skip_nonfinite: skip a step that is not finite, where it otherwise ends the training.
    """

    def __init__(
        self,
        model: ColorModel,
        loss: WeightedSum,
        metrics: Sequence[str] | Mapping[str, Mapping[str, Any]],
        optimizer: OptimizerSettings,
        schedule: ScheduleSettings,
        *,
        augment: Sequence[Augmentation] = (),
        degradation: Degradation | None = None,
        seed: int = 0,
        compiled: bool = False,
        skip_nonfinite: bool = False,
    ) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.loss = loss
        self.metrics = create_metrics(metrics)
        self.optimizer_settings, self.schedule_settings = optimizer, schedule
        self.augment, self.degradation, self.seed = augment, degradation, seed
        self.compiled, self.skip_nonfinite = compiled, skip_nonfinite
        # Two optimizers that take turns are more than Lightning's automatic loop does.
        self.automatic_optimization = not loss.adversaries
        names = ["loss"]
        if len(loss.weights) > 1:
            names += [f"loss/{name}" for name in loss.weights]
        # Kept with the checkpoints, so that an epoch's means survive its interruption.
        self.means = nn.ModuleDict({name: EpochMean() for name in names})
        self.val_loss = MeanMetric(nan_strategy="disable")
        self.last_loss: Tensor | None = None  # of the last step, on the device
        self.last_norm: Tensor | None = None  # of the model's gradient then, likewise
        self.knowledge = _knowledge(model, self.metrics)
        self._known = 0  # validation photos of this epoch that it has been asked about
        self.finite = FiniteCheck()
        self._skipped = [0] * len(self.networks)  # steps in a row, of each
        self._kept: list[list[Tensor]] = []

    @property
    def networks(self) -> list[nn.Module]:
        """What is trained, each by an optimizer of its own: the model, then discriminators."""
        return [self.model, *(adversary.discriminator for adversary in self.loss.adversaries)]

    @property
    def _data(self) -> PhotoModule:
        return self.trainer.datamodule  # ty: ignore[missing-attribute]

    def predict(self, rgb: Tensor) -> tuple[Prediction, Target]:
        """Shape: rgb (N, 3, H, W) uint8, sRGB -> what the model makes of it, and the original."""
        rgb = rgb.float() / 255
        generator = self._generator() if self.training else None
        if generator is not None:
            for change in self.augment:
                rgb = change(rgb, generator)
        L, ab = rgb_to_lab(rgb)
        seen, network = L, self.model.forward  # which is never the compiled one
        told: dict[str, Tensor] = {}
        if generator is not None:
            network, told = self.model, self.model.tell(ab, generator)
            if self.degradation is not None:
                seen = self.degradation(rgb, generator)
        raw = network(seen.contiguous(memory_format=torch.channels_last), **told)
        return Prediction(L, raw, self.model.decode), Target(L, ab)

    def on_fit_start(self) -> None:
        if self.compiled:
            self._compile()

    def on_train_start(self) -> None:
        self._freeze()  # a run resumed within an epoch does not start one
        self._apply_settings()

    def on_train_epoch_start(self) -> None:
        self._freeze()
        for mean in self._means():  # a run resumed between epochs has the last one's
            mean.reset()

    def on_train_batch_start(self, rgb: Tensor, batch_index: int) -> None:
        torch.manual_seed(self._batch_seed(batch_index))
        accumulate = self.trainer.accumulate_grad_batches
        if self.skip_nonfinite and batch_index % accumulate == 0:
            self._kept = [[b.clone() for b in network.buffers()] for network in self.networks]

    def training_step(self, rgb: Tensor, batch_index: int) -> Tensor | None:
        self.loss.set_progress(self._progress(batch_index))
        prediction, target = self.predict(rgb)
        terms = self.loss.terms(prediction, target)
        total = torch.stack(list(terms.values())).sum()
        self.last_loss = total.detach()
        self._log_means({"loss": total} | {f"loss/{k}": v for k, v in terms.items()}, len(rgb))
        if not self.skip_nonfinite:
            self.finite.note(batch_index, torch.isfinite(total.detach()))
        if self.automatic_optimization:
            return total
        self._take_turns(prediction, target, total)
        return None

    def on_train_batch_end(self, outputs: Any, rgb: Tensor, batch_index: int) -> None:
        self.check_finite()
        if 0 < self.trainer.max_steps <= self.trainer.global_step:
            self.trainer.should_stop = True  # which lets the epoch end whole, validation too

    def on_train_epoch_end(self) -> None:
        self.check_finite(wait=True)  # sync: once an epoch; later it would be called the next one's

    def validation_step(self, rgb: Tensor, batch_index: int) -> None:
        prediction, target = self.predict(rgb)
        # Not by self.log: over processes it would divide the count of photos as a whole number.
        # One value for each photo, as torchmetrics 1.8 drops weights where NaN may pass.
        self.val_loss.update(self.loss(prediction, target).expand(len(rgb)))
        self.metrics.update(prediction, target)
        if self.knowledge is not None:
            every = -(-self._data.count("validation") // _KNOWN)
            some = torch.arange(-self._known % every, len(rgb), every, device=rgb.device)
            self._known += len(rgb)
            if len(some):
                part = Prediction(prediction.L[some], prediction.raw[some], self.model.decode)
                self.knowledge.update(part, Target(target.L[some], target.ab[some]))

    def on_validation_epoch_end(self) -> None:
        values = {"val/loss": self.val_loss.compute()}
        values |= {f"val/{name}": value for name, value in self.metrics.compute().items()}
        if self.knowledge is not None and self._data.count("validation") > 1:
            measured = self.knowledge.compute()
            assert isinstance(measured, dict)
            values |= {f"val/{name}": value.to(self.device) for name, value in measured.items()}
            self.knowledge.reset()
            self._known = 0
        # They are of all processes already; Lightning warns where it is not told to see to that.
        self.log_dict(values, sync_dist=True)
        self.val_loss.reset()
        self.metrics.reset()

    def check_finite(self, wait: bool = False) -> None:
        """Raise NotFiniteError if a loss or a gradient of this epoch is known not to be finite.

        Args:
            wait: for what the device is still at work on.
        """
        batch = self.finite.first_bad(wait)
        if batch is not None:
            raise NotFiniteError(self._about(batch))

    def configure_optimizers(self):
        data = self._data
        effective = self._epoch_batch() * self.trainer.world_size
        options: dict[str, Any] = {
            "factor": batch_factor(
                self.optimizer_settings, effective * self.trainer.accumulate_grad_batches
            ),
            # A fused one does without the unscaling of float16's gradients that clipping needs.
            "fused": self.device.type in ("cpu", "cuda") and self.trainer.precision != "16-mixed",
        }
        steps = math.ceil(self._epoch_batches() / self.trainer.accumulate_grad_batches)
        total = round(steps * data.epochs)
        factor = lambda step: rate(self.schedule_settings, step, total, steps)  # noqa: E731
        optimizers = [
            create_optimizer(network, self.optimizer_settings, **options)
            for network in self.networks
        ]
        schedules = [{"scheduler": LambdaLR(o, factor), "interval": "step"} for o in optimizers]
        kept = ("initial_lr", "weight_decay", "betas", "momentum", "nesterov")
        self._asked = [
            [{key: group[key] for key in kept if key in group} for group in o.param_groups]
            for o in optimizers
        ]
        return optimizers, schedules

    def _apply_settings(self) -> None:
        """Let the settings count, where a checkpoint has brought back those of before."""
        for optimizer, schedule, asked in zip(
            self.trainer.optimizers, self.trainer.lr_scheduler_configs, self._asked, strict=True
        ):
            curve = schedule.scheduler
            assert isinstance(curve, LambdaLR)
            for group, options in zip(optimizer.param_groups, asked, strict=True):
                group.update(options)
            curve.base_lrs = [options["initial_lr"] for options in asked]
            for group, base, factor in zip(
                optimizer.param_groups, curve.base_lrs, curve.lr_lambdas, strict=True
            ):
                group["lr"] = base * factor(curve.last_epoch)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        self._clip(optimizer, 0)

    def _clip(self, optimizer: Optimizer, which: int) -> None:
        """Bound the gradient's norm; it also tells whether the step is finite.

        Args:
            which: of the networks is to be stepped.
        """
        limit = self.optimizer_settings.clip or math.inf
        norm = nn.utils.clip_grad_norm_(self.networks[which].parameters(), limit)
        if which == 0:
            self.last_norm = norm.detach()
        if self.trainer.precision == "16-mixed" and not self.skip_nonfinite:
            return  # gradients that overflow are float16's everyday life; its scaler sees to them
        batch = self.trainer.fit_loop.epoch_loop.batch_idx
        if not self.skip_nonfinite:
            self.finite.note(batch, torch.isfinite(norm))
        elif torch.isfinite(norm):  # sync: as trainer.nonfinite "skip" is said to do
            self._skipped[which] = 0
        else:
            self._skip(optimizer, which, batch)

    def _skip(self, optimizer: Optimizer, which: int, batch: int) -> None:
        """Let a network's step change nothing: neither weights nor batch statistics."""
        self._skipped[which] += 1
        if self._skipped[which] == _PATIENCE:
            raise NotFiniteError(f"{_PATIENCE} steps in a row were skipped; {self._about(batch)}")
        optimizer.zero_grad()
        for buffer, kept in zip(self.networks[which].buffers(), self._kept[which], strict=True):
            buffer.copy_(kept)
        warnings.warn(f"skipped a step: {self._about(batch)}", stacklevel=2)

    def _about(self, batch: int) -> str:
        """A step that is not finite, in words."""
        names = self._data.loader.names(batch)
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        return (
            f"the loss or a gradient is not finite in epoch {self.current_epoch + 1}, batch "
            f"{batch + 1} of {self._epoch_batches()} (step {self.trainer.global_step}), with the "
            f"photos {', '.join(names[:8])}{more}"
        )

    def _log_means(self, values: Mapping[str, Tensor], count: int) -> None:
        """Means over the epoch's photos, kept on the device: no host synchronization here."""
        for name, mean in zip(self.means, self._means(), strict=True):
            mean.update(values[name].detach(), count)
            self.log(name, mean, on_step=False, on_epoch=True)

    def _freeze(self) -> None:
        if self.model.freeze_at(self._progress()) and (self.trainer.world_size > 1):
            # DDP has looked once for the weights whose gradients it gathers.
            strategy = self.trainer.strategy
            strategy.model = strategy._setup_model(self)

    def _means(self) -> list[EpochMean]:
        return [mean for mean in self.means.values() if isinstance(mean, EpochMean)]

    def _progress(self, batch: int = 0) -> float:
        """The share of the training that is done before this batch of the epoch, 0..1."""
        epochs = self.trainer.current_epoch + batch / self._epoch_batches()
        return epochs / self._data.epochs

    def _batch_seed(self, batch: int) -> int:
        place = (self.seed, self.current_epoch, batch, self.global_rank)
        return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])

    def _generator(self) -> torch.Generator:
        """Of this batch: `on_train_batch_start` set the seed."""
        return torch.Generator(self.device).manual_seed(torch.initial_seed())

    def _epoch_batches(self) -> int:
        data = self._data
        return data.batches("train")

    def _epoch_batch(self) -> int:
        return int(self._data.settings.batch_size)

    def _compile(self) -> None:
        """Let torch.compile have the model, if it can: it is tried on one batch."""
        loader = self._data.train_dataloader()
        shape = (max(map(len, loader.order)), 1, loader.size, loader.size)
        kept = [buffer.clone() for buffer in self.model.buffers()]
        try:
            self.model.compile(dynamic=False)
            with self.trainer.precision_plugin.forward_context():
                L = torch.full(shape, 50.0, device=self.device)
                raw = self.model.train()(L.contiguous(memory_format=torch.channels_last))
            raw.float().mean().backward()
        except Exception as error:  # compilers fail in their own ways
            self.model._compiled_call_impl = None
            reason = " ".join(str(error).split())[:200]
            warnings.warn(
                f"torch.compile failed ({reason}); the training goes on without it", stacklevel=2
            )
        self.zero_grad()
        for buffer, old in zip(self.model.buffers(), kept, strict=True):
            buffer.data.copy_(old)

    def _take_turns(self, prediction: Prediction, target: Target, total: Tensor) -> None:
        """The model's step, then the discriminators', on the same pictures."""
        optimizers: Any = self.optimizers()  # a list, as there are several
        model_optimizer, *others = optimizers
        self._step(model_optimizer, 0, total)
        for which, (adversary, optimizer) in enumerate(
            zip(self.loss.adversaries, others, strict=True), 1
        ):
            if adversary.active:
                self._step(optimizer, which, adversary.discriminator_loss(prediction, target))
        schedules: Any = self.lr_schedulers()
        with warnings.catch_warnings():  # PyTorch's, of one that waits for its loss's start
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            for schedule in schedules:
                schedule.step()

    def _step(self, optimizer: Optimizer, which: int, loss: Tensor) -> None:
        self.manual_backward(loss)
        self._clip(optimizer, which)
        optimizer.step()
        optimizer.zero_grad()


def _knowledge(model: ColorModel, metrics: MetricCollection) -> CalibratedNLL | None:
    """What tells trainings apart, whatever was asked for, where the model has a distribution."""
    prior = model.head.controls().get("prior")
    if prior is None or len(prior) != len(bins()) or "calibrated_nll" in metrics:
        return None
    return CalibratedNLL()
