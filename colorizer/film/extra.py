"""The video extra: PyAV and OpenCV, or one sentence that tells how to get them."""

import importlib
from typing import Any

from colorizer.errors import ColorizerError

__all__ = ["require_av", "require_cv2"]


def require_av() -> Any:
    """PyAV; raises ColorizerError with the command that installs it."""
    return _require("av")


def require_cv2() -> Any:
    """OpenCV; raises ColorizerError with the command that installs it."""
    return _require("cv2")


def _require(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ColorizerError(
            f"films need the video extra ({module} is missing): "
            "pip install 'colorizer[video]', or in a checkout pip install -e '.[video]'"
        ) from error
