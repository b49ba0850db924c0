"""The model card: what a model was made from, how well it does, beside the gray baseline."""

from collections.abc import Mapping
from typing import Any

from colorizer.config import DataSettings, last_crop

__all__ = ["card"]


def card(settings: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """A model card in Markdown.

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
- {trainer["epochs"]} epochs of {sizes}-pixel squares, {facts["effective_batch"]} a step, in {took}.
- Hardware: {facts["hardware"]}, precision {trainer["precision"]}, seed {trainer["seed"]}.
- Versions: colorizer {facts["colorizer"]} (commit {facts["commit"]}), torch {facts["torch"]},
  Python {facts["python"]}; {facts["date"]}.

## Validation

{facts["validation_photos"]} photos ({held_out}), centered {sizes.split()[-1]}-pixel squares. A
gray picture is never wrong about a gray photo, so its numbers are the ones to beat.

| metric | this model | gray |
|---|---:|---:|
{rows}

## Limits

Chroma is a guess: plausible, not true. Small objects, unusual colors and pictures unlike the
training photos are colored worst.
"""
