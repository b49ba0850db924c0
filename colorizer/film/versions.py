"""What the bytes of a colored film depend on, beside the film and the options."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["versions"]

_PACKAGES = ("colorizer", "av", "numpy", "onnxruntime", "opencv-python-headless")


def versions() -> dict[str, str]:
    """Of the packages, "unknown" for one that is not installed as a package."""
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
