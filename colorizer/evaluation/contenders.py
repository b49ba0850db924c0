"""What is evaluated: models of either runtime, and the two baselines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.network import Network, pad, working_size
from colorizer.inference.predict import over_picture
from colorizer.model_folder import ModelFolder
from colorizer.pictures.picture import Picture
from colorizer.weights import load_model

__all__ = ["BASELINES", "Contender", "TorchNetwork", "contenders"]

BASELINES = ("original", "gray")
"""What every model is put beside: the photo itself, and its lightness alone."""


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    Attributes:
        name: for the report.
        color: gray (H, W) and original (H, W, 3), both uint8 -> (H, W, 3) uint8, sRGB.
        scores: gray (H, W) uint8 -> logits (Q, h, w) over the bins; None where it has none.
        about: the network, the checksum of its weights and its working size; empty for a baseline.
    """

    name: str
    color: Callable[[np.ndarray, np.ndarray], np.ndarray]
    scores: Callable[[np.ndarray], np.ndarray] | None = None
    about: dict[str, Any] = field(default_factory=dict)


def contenders(
    models: Iterable[str], size: int | None, device: str, quality: str = "fast"
) -> list[Contender]:
    """The baselines, and the models in the order of their names.

    Args:
        models: shipped names or model folders, `NAME=FOLDER` for a row called so; baselines among
            them are there already.
        size: working size in pixels; None is each model's own.
        device: "cpu" runs ONNX Runtime, another one the torch model.
        quality: of the coloring, "fast" or "best".

    Raises:
        UsageError: two rows of one name. UnknownNameError, ColorizerError: as `Colorizer`.
    """
    rows = [
        Contender("original", lambda gray, original: original),
        Contender("gray", lambda gray, original: np.repeat(gray[..., None], 3, axis=2)),
    ]
    for model in dict.fromkeys(models):
        if model not in BASELINES:
            rows.append(_contender(model, size, device, quality))
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two models are called {name!r}: tell them apart by NAME=FOLDER")
    return rows


def _contender(model: str, size: int | None, device: str, quality: str) -> Contender:
    name, equals, place = str(model).partition("=")
    if not equals or Path(model).exists():
        name, place = "", str(model)
    folder = ModelFolder.find(place)
    network = Network(folder) if device == "cpu" else TorchNetwork(folder, device)
    colorizer = Colorizer(network, size=size, quality=quality)
    path = folder.path
    own = path.parent.name if path.name == "model" else path.name
    return Contender(
        name or own,
        lambda gray, original: colorizer.colorize(gray),
        partial(_scores, network, colorizer.size) if colorizer.can_hint else None,
        {
            "network": folder.name,
            "weights_sha256": folder.weights_sha256,
            "size": colorizer.size,
            "quality": quality,
            "runtime": "ONNX Runtime" if device == "cpu" else "PyTorch",
        },
    )


def _scores(network: Network, size: int, gray: np.ndarray) -> np.ndarray:
    """What the network says of each bin: gray (H, W) uint8 -> logits (Q, h, w)."""
    picture = Picture.open(gray)
    small, _ = picture.thumbnail(0, working_size(*gray.shape[::-1], size))
    return np.moveaxis(over_picture(network.logits(pad(small)), small), -1, 0)


class TorchNetwork(Network):
    """The network of a model folder in torch, in place of ONNX Runtime.

    Args:
        folder: the model folder.
        device: of torch's, such as "cuda".
    """

    def __init__(self, folder: ModelFolder, device: str) -> None:
        super().__init__(folder)
        self._device = device
        self._model = load_model(folder).to(device)

    def __call__(
        self, L: np.ndarray, *, temperature: float | None = None, prior: np.ndarray | None = None
    ) -> np.ndarray:
        given = {"L": L, "temperature": temperature, "prior": prior}
        inputs = {
            name: torch.tensor(np.asarray(value, np.float32), device=self._device)
            for name, value in given.items()
            if value is not None
        }
        with torch.inference_mode():
            raw = self._model(inputs.pop("L")[None, None])
            ab = self._model.decode(raw, **inputs)[0].float().cpu().numpy()
        if not np.isfinite(ab).all():
            raise ColorizerError(f"the model {self.name} predicted no finite chroma")
        return ab
