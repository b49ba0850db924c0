"""Trainings that take seconds."""

import csv
from pathlib import Path

from safetensors.torch import save_file

from colorizer import Settings


def quick(photos: Path, out: Path, **model: object) -> Settings:
    """Settings of a training that takes seconds."""
    settings = Settings(
        model={"name": "colornet", "encoder": "test_resnet", "pretrained": False, **model}
    )
    settings.data.train = str(photos)
    settings.data.size = settings.data.crop = 32
    settings.data.batch_size = 4
    settings.trainer.output = str(out)
    settings.trainer.epochs = 2
    settings.trainer.accelerator = "cpu"
    return settings


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def save(model, folder: Path, **about: object) -> None:
    """In place of an export, which takes longer than the training and is not what is tested."""
    folder.mkdir(exist_ok=True)  # a killed training may have come so far
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "w.safetensors")
