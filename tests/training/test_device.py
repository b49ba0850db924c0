"""A step does not wait for the device: `pytest --device cuda`, or any machine with a GPU."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback

from colorizer import train
from colorizer.training import run as run_module
from tests.trainings import quick

VGG16 = {"vgg16": "random"}
CASES = {
    "distribution": ({}, {"distribution": 1.0}),
    "networks": ({"head": "ab"}, {"huber": 1.0, "perceptual": VGG16, "contrastive": VGG16}),
    "adversarial": ({"head": "ab"}, {"huber": 1.0, "adversarial": {"channels": 4}}),
}


class Watched(Callback):
    """From the second batch of an epoch to its last, nothing may wait: the first compiles."""

    def __init__(self) -> None:
        self.steps = 0

    def on_train_batch_start(self, trainer, task, batch, index) -> None:
        if index == 1:
            torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(self, trainer, task, outputs, batch, index) -> None:
        self.steps += index > 0
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize("case", CASES)
def test_a_step_does_not_wait_for_the_device(
    case: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, loss = CASES[case]
    settings = quick(photos, tmp_path, **model)
    settings.loss = loss
    settings.data.degrade = {}
    settings.trainer.accelerator, settings.trainer.precision = "auto", "bf16-mixed"
    watched, build = Watched(), run_module._trainer

    def with_watch(*args, **options):
        trainer = build(*args, **options)
        trainer.callbacks.append(watched)
        return trainer

    monkeypatch.setattr(run_module, "_trainer", with_watch)
    try:
        train(settings)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert watched.steps == 4
