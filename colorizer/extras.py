"""What needs an extra: its modules, or one sentence with the command that installs them."""

import importlib
import importlib.util
from types import ModuleType

from colorizer.errors import ColorizerError

__all__ = ["command", "extra", "lacking", "training_side"]

_EXTRA = {
    *("huggingface_hub", "lightning", "matplotlib", "onnx", "onnxscript", "rich", "safetensors"),
    *("tensorboard", "timm", "torch", "torch_fidelity", "torchmetrics", "torchvision"),
}


def command(name: str) -> str:
    """What installs an extra. By its name alone pip would take a stranger's package of PyPI."""
    return f"in the clone that Colorizer was installed from, pip install -e '.[{name}]'"


def training_side(module: str) -> ModuleType:
    """Import a module that needs torch; raises ColorizerError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in _EXTRA:
            raise ColorizerError(
                f"this needs the training extra ({error.name} is missing): {command('train')}"
            ) from error
        raise


def extra(module: str, name: str) -> ModuleType:
    """Import a module of an extra; raises ColorizerError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ColorizerError(
            f"this needs the {name} extra ({error.name} is missing): {command(name)}"
        ) from error


def lacking(name: str, *modules: str) -> str:
    """The sentence that says which module of an extra is missing; empty if all are there."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            return f"this needs the {name} extra ({module} is missing): {command(name)}"
    return ""
