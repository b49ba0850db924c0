"""How many squares a step can take on a device."""

import copy

import torch

from colorizer.config import Settings
from colorizer.training.fitting import largest_batch
from colorizer.training.optimizer import create_optimizer
from colorizer.training.task import ColorTask

__all__ = ["fit_batch"]

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def fit_batch(task: ColorTask, settings: Settings, device: torch.device, most: int) -> int:
    """The most squares per step, of the largest size of the training, that fit on the device.

    Args:
        task: is copied for the trials, and not changed.
        settings: of the training.
        device: where it takes place.
        most: never more than this.

    Raises: ColorizerError if not even a few fit.
    """
    side = max(settings.data.crop, *settings.data.grow.values(), 0)
    dtype = _AUTOCAST.get(settings.trainer.precision)
    twin = copy.deepcopy(task).to(device).train()
    optimizers = [create_optimizer(twin.model, settings.optimizer)]
    judge = twin.loss.adversarial
    if judge is not None:
        judge.progress = 1.0
        optimizers.append(create_optimizer(judge.discriminator, settings.optimizer))

    def trial(count: int) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()  # of a trial that ran out of memory
        rgb = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, device=device)
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            prediction, target = twin.predict(rgb)
            twin.loss(prediction, target).backward()
            if judge is not None:
                judge.discriminator_loss(prediction, target).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return largest_batch(trial, device, most)
