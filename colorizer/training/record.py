"""What is written down of a run: the model card, and where the result comes from."""

import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from colorizer.config import DataSettings, last_crop
from colorizer.version import __version__

__all__ = ["card", "hardware", "provenance"]


def card(settings: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """A model card in Markdown: what a model was made from, how well it does, beside gray.

    Args:
        settings: the plain settings of the run, `model` with all its options.
        facts: the content of the run's metrics.json.
    """
    name, head = settings["model"]["name"], settings["model"]["head"]
    data, trainer = settings["data"], settings["trainer"]
    held_out = data["validation"] or f"{data['holdout']:.0%} of the training photos, held out"
    hours, minutes = divmod(round(facts["seconds"] / 60), 60)
    took = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    sizes = " to ".join(map(str, dict.fromkeys([data["crop"], last_crop(DataSettings(**data))])))
    rows = "\n".join(
        f"| {metric} | {value:.4g} | {facts['gray'].get(metric, float('nan')):.4g} |"
        for metric, value in facts["metrics"].items()
        if metric in facts["gray"]
    )
    return f"""# {name}

Predicts the chroma of a grayscale photograph from its lightness. Head: {head}.

## Training

- Data: {data["train"]}, {facts["photos"]} photos; the license of a model follows from its data.
- Loss: {settings["loss"]}.
- {trainer["epochs"]} epochs of {sizes}-pixel crops, {facts["effective_batch"]} a step, in {took}.
- Hardware: {facts["hardware"]}, precision {trainer["precision"]}, seed {trainer["seed"]}.
- Versions: colorizer {facts["colorizer"]} (commit {facts["commit"]}), torch {facts["torch"]},
  Python {facts["python"]}; {facts["date"]}.

## Validation

{facts["validation_photos"]} photos ({held_out}), centered {sizes.split()[-1]}-pixel crops. A
gray picture is never wrong about a gray photo, so its numbers are the ones to beat.

| metric | this model | gray |
|---|---:|---:|
{rows}

## Limits

Chroma is a guess: plausible, not true. Small objects, unusual colors and pictures unlike the
training photos are colored worst.
"""


def provenance() -> dict[str, str]:
    """What made a run: versions, commit and date."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return {
        "colorizer": __version__,
        "commit": commit,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now().date().isoformat(),
    }


def hardware(device: torch.device, devices: int = 1) -> str:
    """What a training runs on, in words."""
    several = f"{devices} x " if devices > 1 else ""
    if device.type == "cuda":
        return several + torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{several}{device.type} ({platform.machine()}), {threads} thread{'s' * (threads > 1)}"
