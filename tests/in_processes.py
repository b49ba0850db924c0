"""A training whose outcome must not depend on how many processes share it; for test_distributed.py.

    python -m tests.in_processes PHOTOS OUT DEVICES BATCH [VALIDATION]

Batch statistics are frozen, and a step takes all photos, whole: then the gradient is the same.
"""

import sys

from torch import nn

import colorizer.training.finish as finish
import colorizer.training.run as run
from colorizer import Settings
from colorizer.training.task import ColorTask
from tests.trainings import save


class FrozenTask(ColorTask):
    def training_step(self, rgb, batch_index):
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return super().training_step(rgb, batch_index)


def main(photos: str, out: str, devices: str, batch: str, validation: str = "") -> None:
    settings = Settings(model={"name": "colornet", "encoder": "test_resnet", "pretrained": False})
    settings.data.train, settings.data.validation = photos, validation or photos
    settings.data.size = settings.data.crop = 32
    settings.data.scale, settings.data.flip = (1.0, 1.0), False
    settings.data.batch_size = int(batch)
    settings.schedule.warmup_steps = 0
    settings.trainer.output, settings.trainer.epochs, settings.trainer.ema = out, 4, 0.0
    settings.trainer.accelerator, settings.trainer.devices = "cpu", int(devices)
    settings.trainer.precision = "32-true"
    run.ColorTask, finish.export = FrozenTask, save
    run.check_exportable = lambda model: None
    run.train(settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
