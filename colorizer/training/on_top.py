"""Train a small network over the frozen one of a model folder, and write it beside that."""

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm

from colorizer.color.lab import RGB_WHITE, light_to_lab, srgb_to_light
from colorizer.errors import ColorizerError
from colorizer.inference.network import Network
from colorizer.model_folder import WEIGHTS
from colorizer.pictures.resize import resize
from colorizer.support.files import write_whole

__all__ = ["crop_in_lab", "fit", "look_at", "write_learnt"]

RATE, DECAY = 3e-3, 1e-3
RISE = 50  # steps, over which the rate rises
LAST = 200  # steps, over which errors are averaged for the report

Net = TypeVar("Net", bound=nn.Module)
Errors = Callable[[], Sequence[tuple[Tensor, float]]]
"""Of each example of a step: the error with the network, which is learnt from, and without it."""


def fit(net: Net, steps: int, errors: Errors, average: float) -> tuple[float, float, Net]:
    """AdamW with a cosine schedule, and an average of the weights.

    Args:
        net: is trained in place.
        steps: how long.
        errors: of a step.
        average: the share of the average that a step keeps, once it has begun.

    Returns:
        The errors without and with the network at the end, and the network of averaged weights.
    """
    mean = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    last: list[tuple[float, float]] = []
    for step in (bar := tqdm(range(steps), desc="learning", unit="step", disable=None)):
        rise = min(1, (step + 1) / RISE)
        for group in optimizer.param_groups:
            group["lr"] = RATE * rise * (0.03 + 0.97 * (1 + math.cos(math.pi * step / steps)) / 2)
        found = errors()
        loss = torch.stack([error for error, _ in found]).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        share = 1 - min(average, (step + 1) / (step + 10))
        for kept, now in zip(mean.parameters(), net.parameters(), strict=True):
            kept.data.lerp_(now.data, share)
        without = float(np.mean([before for _, before in found]))
        last = [*last[1 - LAST :], (without, loss.item())]
        bar.set_postfix(error="{1:.2f} of {0:.2f}".format(*np.mean(last, 0)), refresh=False)
    before, after = np.mean(last, 0)
    return float(before), float(after), mean


def crop_in_lab(rgb: np.ndarray, share: float, side: int, rng: np.random.Generator) -> np.ndarray:
    """A square of a photo (H, W, 3) uint8, of a share of its short side, in Lab.

    Returns:
        (side, side, 3) float32.
    """
    cut = max(1, int(share * min(rgb.shape[:2])))
    top, left = (int(rng.integers(0, s - cut + 1)) for s in rgb.shape[:2])
    light = resize(srgb_to_light(rgb[top : top + cut, left : left + cut] / 255), side, side)
    return light_to_lab(light, RGB_WHITE).astype(np.float32)


def look_at(network: Network, lab: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the frozen network sees in a crop, on the grid of its features.

    Args:
        lab: (H, W, 3).

    Returns:
        The features (h, w, C), L (h, w), the predicted ab (h, w, 2), and that of the crop.
    """
    found = network.chroma_and_features(lab[..., 0].clip(0, 100))
    predicted, features = (values.transpose(1, 2, 0) for values in found)
    small, predicted = (resize(values, *features.shape[:2]) for values in (lab, predicted))
    return features, small[..., 0], predicted, small[..., 1:]


def write_learnt(net: nn.Module, network: Network, name: str) -> Path:
    """Write a trained network into a model folder, in half precision, for exactly its weights.

    Raises:
        ColorizerError: the file cannot be written.
    """
    tensors = {key: value.half().contiguous() for key, value in net.state_dict().items()}
    path = network.folder.path / name
    try:
        write_whole(path, save(tensors, {WEIGHTS: network.weights_sha256}))
    except OSError as error:
        raise ColorizerError(f"{path} cannot be written: {error.strerror or error}") from error
    return path
