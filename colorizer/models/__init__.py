"""Networks from lightness to chroma; they know nothing of files or training."""

import inspect
from typing import Any

from colorizer.model_folder import shipped_models
from colorizer.models import cic, constantnet, ddcolor, icolorit, zoo  # noqa: F401  (registers them)
from colorizer.models.colornet import ColorModel
from colorizer.models.heads import list_heads
from colorizer.registry import MODELS

__all__ = ["BASE", "ColorModel", "create_model", "list_heads", "list_models"]

BASE = "colornet18"
"""The model that is trained, and that a state dict belongs to, unless another one is named."""


def create_model(name: str, **options: Any) -> ColorModel:
    """Build a model of the zoo.

    Args:
        name: one of `list_models()`.
        options: typed keywords of that model, such as `head` ("distribution" or "ab"),
            `pretrained`, `pretrained_file`, `freeze`.

    Returns:
        The model; its `config` holds the name and every option, defaults included.

    Raises:
        UnknownNameError: with the nearest known name. UsageError: an option that it does not take.

    Examples:
        >>> model = create_model("constantnet", head={"name": "distribution", "temperature": 0.5})
        >>> model.head.temperature
        0.5
    """
    model = MODELS.create(name, **options)
    parameters = inspect.signature(MODELS[name]).parameters.values()
    model.config = {"name": name} | {p.name: p.default for p in parameters} | options
    return model


def list_models(pattern: str | None = None, *, pretrained: bool = False) -> list[str]:
    """The names that `create_model` knows, sorted; see `Registry.names`.

    Args:
        pattern: of names, such as "*18*", or a part of them.
        pretrained: only those whose weights ship, which `load_model` and `Colorizer` take.

    Examples:
        >>> list_models("*18*")
        ['colornet18', 'colornet18_cross']
        >>> list_models(pretrained=True)
        ['colornet18', 'colornet_lite_cross']
    """
    ship = shipped_models()
    return [name for name in MODELS.names(pattern) if not pretrained or name in ship]
