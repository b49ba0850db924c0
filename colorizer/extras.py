"""The torch side of the package, which needs the training extra."""

import importlib
from types import ModuleType

from colorizer.errors import ColorizerError

__all__ = ["training_side"]

_EXTRA = {
    *("filelock", "lightning", "matplotlib", "onnx", "onnxscript", "rich", "safetensors"),
    *("tensorboard", "timm", "torch", "torchmetrics", "torchvision"),
}


def training_side(module: str) -> ModuleType:
    """Import a module that needs torch; raises ColorizerError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in _EXTRA:
            raise ColorizerError(
                f"this needs the training extra ({error.name} is missing): "
                "pip install 'colorizer[train]', or in a checkout pip install -e '.[train]'"
            ) from error
        raise
