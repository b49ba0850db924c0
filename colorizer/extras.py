"""What needs an extra: its modules, or one sentence with the command that installs them."""

import importlib
from types import ModuleType

from colorizer.errors import ColorizerError

__all__ = ["extra", "training_side"]

_EXTRA = {
    *("huggingface_hub", "lightning", "matplotlib", "onnx", "onnxscript", "rich", "safetensors"),
    *("tensorboard", "timm", "torch", "torch_fidelity", "torchmetrics", "torchvision"),
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


def extra(module: str, name: str) -> ModuleType:
    """Import a module of an extra; raises ColorizerError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ColorizerError(
            f"this needs the {name} extra ({error.name} is missing): "
            f"pip install 'colorizer[{name}]', or in a checkout pip install -e '.[{name}]'"
        ) from error
