"""Color grayscale photographs: build, train and run colorization networks.

Coloring needs only the light dependencies; what builds and trains networks is imported when it is
first used, and needs the training extra.
"""

from typing import TYPE_CHECKING, Any

from colorizer.errors import ColorizerError, UnknownNameError, UsageError
from colorizer.support.offline import stay_offline
from colorizer.version import __version__

if TYPE_CHECKING:
    from colorizer.config import Settings
    from colorizer.evaluation import evaluate
    from colorizer.inference.colorizer import (
        Colorizer,
        colorize,
        colorize_bytes,
        colorize_file,
    )
    from colorizer.losses import create_loss, list_losses
    from colorizer.metrics import create_metrics, list_metrics
    from colorizer.models import create_model, list_heads, list_models
    from colorizer.preparation import prepare
    from colorizer.training import train
    from colorizer.weights import load_model

__all__ = [
    "Colorizer",
    "ColorizerError",
    "Settings",
    "UnknownNameError",
    "UsageError",
    "__version__",
    "colorize",
    "colorize_bytes",
    "colorize_file",
    "create_loss",
    "create_metrics",
    "create_model",
    "evaluate",
    "list_heads",
    "list_losses",
    "list_metrics",
    "list_models",
    "load_model",
    "prepare",
    "train",
]

stay_offline()

_LIGHT = {
    "Colorizer": "colorizer.inference.colorizer",
    "Settings": "colorizer.config",
    "colorize": "colorizer.inference.colorizer",
    "colorize_bytes": "colorizer.inference.colorizer",
    "colorize_file": "colorizer.inference.colorizer",
    "prepare": "colorizer.preparation",
}
_TRAINING = {
    "create_loss": "colorizer.losses",
    "create_metrics": "colorizer.metrics",
    "create_model": "colorizer.models",
    "evaluate": "colorizer.evaluation",
    "list_heads": "colorizer.models",
    "list_losses": "colorizer.losses",
    "list_metrics": "colorizer.metrics",
    "list_models": "colorizer.models",
    "load_model": "colorizer.weights",
    "train": "colorizer.training",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LIGHT:
        return getattr(importlib.import_module(_LIGHT[name]), name)
    if name in _TRAINING:
        from colorizer.extras import training_side

        return getattr(training_side(_TRAINING[name]), name)
    raise AttributeError(f"module 'colorizer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
