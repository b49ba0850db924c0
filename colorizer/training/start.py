"""What a training starts from: which model, and with which weights."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from colorizer.config import Settings
from colorizer.errors import UsageError
from colorizer.model_folder import ModelFolder
from colorizer.models import BASE, ColorModel, create_model
from colorizer.registry import MODELS
from colorizer.weights import (
    START,
    check_code,
    load_model,
    load_state_dict,
    load_weights,
    untrained,
)

__all__ = [
    "chosen_model",
    "create_initial",
    "load_teacher",
    "model_options",
]


def chosen_model(settings: Settings) -> dict[str, Any]:
    """Name and options of the model to train: those of the settings, beside what `init` holds.

    Raises:
        UsageError: the settings ask for another model than the folder of `init` holds.
        UnknownNameError: `init` is neither a shipped name, a model folder, nor a file.
    """
    if settings.init is None or Path(settings.init).is_file():
        return {"name": BASE, **settings.model}
    folder = ModelFolder.find(settings.init)
    check_code(folder)
    held = untrained(folder.config["model"])
    for key, value in settings.model.items():
        value = list(value) if isinstance(value, tuple) else value  # as YAML has it
        if key not in START and value != held.get(key):
            raise UsageError(
                f"model.{key} is {value!r}, but {settings.init} holds weights of a model with "
                f"{key} {held.get(key)!r}: leave model.{key} out, or start from other weights"
            )
    return {k: v for k, v in held.items() if k not in START} | settings.model


def create_initial(settings: Settings, resumed: bool) -> ColorModel:
    """The model with the weights that it starts from.

    Args:
        settings: whose `model` is complete, see `chosen_model`.
        resumed: its weights will be a checkpoint's.

    Raises:
        ColorizerError: the weights of `init` cannot be read, or are another model's.
    """
    options = model_options(settings.model)
    if not (resumed or settings.init):
        return create_model(**options)
    model = create_model(**untrained(options))
    model.config |= options  # it did start pretrained: its encoder learns gently
    if settings.init is None:
        return model
    source = Path(settings.init)
    if not source.is_file():
        folder = ModelFolder.find(settings.init)
        source = folder.weights
        for name in model.head.options():  # it is decoded as it was
            if name in folder.config["inference"]:
                model.head.set_option(name, folder.config["inference"][name])
    if not resumed:
        load_weights(model, load_state_dict(source), settings.init)
    return model


def load_teacher(source: str) -> ColorModel:
    """The model that a loss learns from.

    Raises:
        UsageError: its head is another than `distribution`. ColorizerError: as `load_model`.
    """
    model = load_model(source)
    if model.head.name != "distribution":
        raise UsageError(
            f"the teacher {source} has the head {model.head.name!r}: a loss learns from a "
            "distribution over the bins"
        )
    return model


def model_options(model: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of `create_model`; training starts pretrained unless told otherwise."""
    options = dict(model)
    accepted = inspect.signature(MODELS[options["name"]]).parameters
    unknown = options.keys() - accepted.keys() - {"name"}
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        keys = ", ".join(sorted(unknown))
        raise UsageError(
            f"model {options['name']!r} takes no {keys} (it takes {', '.join(accepted)}); to leave "
            f"out what a recipe sets for another model: --model '{{name: {options['name']}}}'"
        )
    if "pretrained" in accepted and not options.get("pretrained_file"):
        options.setdefault("pretrained", True)
    return options
