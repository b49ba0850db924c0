"""How common each color is, which some losses and heads need to know."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from colorizer.data.module import PhotoModule
from colorizer.training.task import ColorTask

__all__ = ["ColorPrior"]


class ColorPrior(Callback):
    """Tells loss and head how common each color is in the training photos.

    It does so when the processes have met, and before an average is made of the weights: of several
    callbacks it has to be the first.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data: PhotoModule = trainer.datamodule  # ty: ignore[missing-attribute]
        assert isinstance(pl_module, ColorTask)
        prior = torch.from_numpy(data.color_prior())
        pl_module.loss.set_prior(prior)
        pl_module.model.head.set_prior(prior)
