"""All that a file of one's own needs: a decorator for each part of a method.

A class is registered as it is, as by the registries. A function is the part itself, where a part is
no more than that: what it computes, with its options as keywords that have defaults.

    from colorizer import parts


    @parts.loss("absolute")
    def absolute(prediction, target, scale: float = 1.0):
        return (prediction.ab - target.ab).float().abs().mean() / scale
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from torch import Tensor, nn

from colorizer.color.tensors import LabBatch, Prediction, Target
from colorizer.errors import UsageError
from colorizer.metrics.base import ImageMean, Number
from colorizer.models.colornet import ColorModel
from colorizer.models.heads import Head, create_head
from colorizer.registry import AUGMENTATIONS, DATASETS, HEADS, LOGGERS, LOSSES, METRICS, MODELS

__all__ = [
    "ColorModel",
    "augmentation",
    "create_head",
    "dataset",
    "head",
    "logger",
    "loss",
    "metric",
    "model",
]

model = MODELS.register
"""Register a `ColorModel`, or a function that makes one, by name."""
dataset = DATASETS.register
"""Register what has a length and pictures by index, or a function that makes one."""
augmentation = AUGMENTATIONS.register
"""Register a class whose instances are called with (rgb, generator)."""


def head(name: str, channels: int = 2) -> Callable[[Any], Any]:
    """Register a `Head`, or a function that decodes.

    Args:
        name: what it is called by.
        channels: of the raw output. The function takes raw (N, channels, h, w), float32, and gives
            ab (N, 2, h, w), in Lab units.
    """

    def of_function(found: Callable[..., Tensor], options: dict[str, Any]) -> type[Head]:
        class Decoded(Head):
            def __init__(self, in_channels: int, stride: int = 4, **given: Any) -> None:
                super().__init__(in_channels, channels, stride)
                self.given = options | given

            def decode(self, raw: Tensor) -> Tensor:
                return found(raw.float(), **self.given)

        return Decoded

    return _registered(HEADS.register(name), of_function, 1)


def loss(name: str) -> Callable[[Any], Any]:
    """Register a loss: a module, or a function of (prediction, target) that gives a scalar."""

    def of_function(found: Callable[..., Tensor], options: dict[str, Any]) -> type[nn.Module]:
        class Computed(nn.Module):
            def __init__(self, **given: Any) -> None:
                super().__init__()
                self.given = options | given

            def forward(self, prediction: Prediction, target: Target) -> Tensor:
                return found(prediction, target, **self.given)

        return Computed

    return _registered(LOSSES.register(name), of_function, 2)


def metric(
    name: str, title: str = "", unit: str = "", higher_is_better: bool | None = False
) -> Callable[[Any], Any]:
    """Register a metric: a `ColorMetric`, or a function that measures pictures.

    Args:
        name: what it is called by.
        title, unit: for tables; the title is the name's own by default.
        higher_is_better: None where it describes and does not judge.

    The function takes (prediction, target) and gives a value for each picture, (N,).
    """

    def of_function(found: Callable[..., Tensor], options: dict[str, Any]) -> type[ImageMean]:
        class Mean(ImageMean):
            numbers = (Number(name, title or name.capitalize(), unit, higher_is_better),)

            def __init__(self, **given: Any) -> None:
                super().__init__()
                self.given = options | given

            def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
                return found(prediction, target, **self.given)[:, None]

        return Mean

    return _registered(METRICS.register(name), of_function, 2)


def logger(name: str) -> Callable[[Any], Any]:
    """Register a `Logger` of Lightning's, or a function that hears numbers.

    The function takes the run's folder, the step, and the numbers by name.
    """

    def of_function(found: Callable[..., None], options: dict[str, Any]) -> type[Logger]:
        class Heard(Logger):
            version = 0

            def __init__(self, folder: str, **given: Any) -> None:
                super().__init__()
                self.folder, self.given = Path(folder), options | given

            @property
            def name(self) -> str:
                return name

            def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
                found(self.folder, step, metrics, **self.given)

            def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
                """Settings lie in the run already."""

        return Heard

    return _registered(LOGGERS.register(name), of_function, 3)


def _registered(
    register: Callable[[Any], Any], of_function: Callable[..., type], given: int
) -> Callable[[Any], Any]:
    """A decorator that registers a class as it is, of a function the class that is made of it.

    Args:
        register: of the registry.
        of_function: the function, and its options with their defaults -> the class.
        given: how many arguments it is called with; those behind them are its options.
    """

    def decorate(found: Any) -> Any:
        if inspect.isclass(found):
            return register(found)
        signature = inspect.signature(found)
        options = list(signature.parameters.values())[given:]
        if len(signature.parameters) < given or any(p.default is p.empty for p in options):
            raise UsageError(
                f"{found.__qualname__}{signature}: it is called with {given} values, and what "
                "it takes behind them are options, with defaults"
            )
        made = of_function(found, {p.name: p.default for p in options})
        constructor: Any = made.__init__
        own = list(inspect.signature(constructor).parameters.values())[:-1]  # not **given
        options = [p.replace(kind=p.KEYWORD_ONLY) for p in options]
        constructor.__signature__ = inspect.Signature([*own, *options])
        made.__doc__, made.__module__ = found.__doc__, found.__module__
        made.__name__, made.__qualname__ = found.__name__, found.__qualname__
        register(made)
        return found

    return decorate
