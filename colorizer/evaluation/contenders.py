"""What is evaluated: models of either runtime, what others have made, and the two baselines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from colorizer.data.photos import Photo
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.network import Network, pad, working_size
from colorizer.inference.predict import over_picture
from colorizer.model_folder import ModelFolder
from colorizer.pictures.picture import Picture
from colorizer.support.told import shown
from colorizer.weights import load_model

__all__ = [
    "BASELINES",
    "Contender",
    "Model",
    "TorchNetwork",
    "check_names",
    "contenders",
    "name_and_place",
]

BASELINES = ("original", "gray")
"""What every model is put beside: the photo itself, and its lightness alone."""

Model = str | Path | Colorizer | Callable[[np.ndarray], np.ndarray]
"""A shipped name, a model folder, `NAME=FOLDER`, `NAME=FOLDER,FOLDER,...` for runs of several
seeds; a `Colorizer`; or a function of gray (H, W) uint8 -> (H, W, 3) uint8, sRGB."""


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    Attributes:
        name: for the report.
        color: gray (H, W) and original (H, W, 3), both uint8 -> (H, W, 3) uint8, sRGB.
        scores: gray (H, W) uint8 -> logits (Q, h, w) over the bins; None where it has none.
        about: the network, the checksum of its weights and its working size; empty for a baseline.
        results: photo and original -> (H, W, 3) uint8, where pictures were made elsewhere.
        group: the name that it shares with runs of other seeds; empty for one of its own.
    """

    name: str
    color: Callable[[np.ndarray, np.ndarray], np.ndarray]
    scores: Callable[[np.ndarray], np.ndarray] | None = None
    about: dict[str, Any] = field(default_factory=dict)
    results: Callable[[Photo, np.ndarray], np.ndarray] | None = None
    group: str = ""

    @property
    def drifts(self) -> bool:
        """Whether it can be asked to color a photo at another size."""
        return self.results is None and self.name not in BASELINES

    def picture(self, photo: Photo, gray: np.ndarray, original: np.ndarray) -> np.ndarray:
        """What it makes of a photo: (H, W, 3) uint8, sRGB."""
        if self.results is not None:
            return self.results(photo, original)
        return self.color(gray, original)


def contenders(
    models: Iterable[Model] | Mapping[str, Model | Sequence[Model]],
    size: int | None,
    device: str,
    quality: str = "fast",
) -> list[Contender]:
    """The baselines, and the models in the order of their names.

    Args:
        models: see `Model`; or by name, then several for runs of several seeds. Baselines among
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
    named: list[tuple[str | None, Any]] = [(None, model) for model in models]
    if isinstance(models, Mapping):
        named = [(str(name), model) for name, model in models.items()]
    seen: list[Any] = []
    for name, model in named:
        if (name is None and model in BASELINES) or (name, model) in seen:
            continue
        seen.append((name, model))
        rows += _rows(name, model, size, device, quality)
    check_names(rows)
    return rows


def check_names(rows: Sequence[Contender]) -> None:
    """Raise UsageError where two rows, or a row and several runs together, have one name."""
    names = [row.name for row in rows] + list(dict.fromkeys(r.group for r in rows if r.group))
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two models are called {name!r}: tell them apart by NAME=FOLDER")


def name_and_place(model: str | Path) -> tuple[str, str]:
    """Of `NAME=FOLDER` both, else the folder and a name that it suggests."""
    name, equals, place = str(model).partition("=")
    if equals and not Path(model).exists():
        return name, place
    path = ModelFolder.find(model).path
    return path.parent.name if path.name == "model" else path.name, str(model)


def _rows(
    name: str | None, model: Any, size: int | None, device: str, quality: str
) -> list[Contender]:
    """Of one model, or of each of several runs."""
    several = list(model) if isinstance(model, list | tuple) else None
    if isinstance(model, str | Path) and name is None:
        called, _, places = str(model).partition("=")
        if "," in places and not Path(model).exists() and not Path(places).exists():
            name, several = called, places.split(",")
    if several is None:
        return [_contender(name, model, size, device, quality)]
    if len(several) < 2:
        raise UsageError(f"{name}: one run has no deviation; name several, or the model alone")
    runs = (
        _contender(f"{name} {i}", run, size, device, quality) for i, run in enumerate(several, 1)
    )
    return [replace(run, group=str(name)) for run in runs]


def _contender(
    name: str | None, model: Any, size: int | None, device: str, quality: str
) -> Contender:
    if isinstance(model, Colorizer):
        return _of_colorizer(name or model.model_name, model)
    if callable(model):
        return _of_function(name, model)
    if not isinstance(model, str | Path):
        raise UsageError(
            f"a model is {shown(model)}; accepted are a name, a folder, a Colorizer, or a function "
            "of gray (H, W) uint8 that gives (H, W, 3) uint8"
        )
    own, place = name_and_place(model) if name is None else (name, str(model))
    folder = ModelFolder.find(place)
    network = Network(folder) if device == "cpu" else TorchNetwork(folder, device)
    return _of_colorizer(own, Colorizer(network, size=size, quality=quality))


def _of_colorizer(name: str, colorizer: Colorizer) -> Contender:
    network = colorizer.network
    return Contender(
        name,
        lambda gray, original: colorizer.colorize(gray),
        partial(_scores, network, colorizer.size) if colorizer.can_hint else None,
        {
            "network": colorizer.model_name,
            "weights_sha256": colorizer.weights_sha256,
            "size": colorizer.size,
            "quality": colorizer.options.quality,
            "runtime": "PyTorch" if isinstance(network, TorchNetwork) else "ONNX Runtime",
        },
    )


def _of_function(name: str | None, function: Callable[[np.ndarray], np.ndarray]) -> Contender:
    called = name or getattr(function, "__name__", "")
    if not called.isidentifier() and name is None:
        raise UsageError("a function without a name: give it one, as {'mine': function}")

    def color(gray: np.ndarray, original: np.ndarray) -> np.ndarray:
        found = np.asarray(function(gray))
        if found.dtype != np.uint8 or found.shape != (*gray.shape, 3):
            raise UsageError(
                f"{called} made {found.dtype} of shape {found.shape} of gray {gray.shape}; a result"
                f" is uint8 of shape {(*gray.shape, 3)}, sRGB"
            )
        return found

    qualified = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"
    return Contender(called, color, about={"function": qualified})


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
