"""Formats that libvips' wheel lacks, whole, through Pillow and its plugins."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.extras import command
from colorizer.pictures.formats.format import How
from colorizer.pictures.formats.vips import RESOLUTION
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = [
    "blank",
    "from_array",
    "opened_by",
    "pixels_of",
    "plugin",
    "sober",
    "stretched",
    "with_metadata",
]


def from_array(array: np.ndarray) -> "pyvips.Image":
    """(H, W) or (H, W, C), uint8 or uint16, as gray, RGB, each with or without alpha."""
    import pyvips

    image = pyvips.Image.new_from_array(np.ascontiguousarray(array))
    gray, color = ("b-w", "srgb") if array.dtype == np.uint8 else ("grey16", "rgb16")
    return image.copy(interpretation=color if image.bands > 2 else gray)


def blank(width: int, height: int, bands: int) -> "pyvips.Image":
    """What stands for pixels where only the header is asked for: 8 bits, black."""
    import pyvips

    kind = "srgb" if bands > 2 else "b-w"
    return pyvips.Image.black(width, height, bands=bands).copy(interpretation=kind)


def pixels_of(image: "Image") -> np.ndarray:
    """Gray or RGB, 8 or 16 bits, with alpha where there is one."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("F", "I", "LAB"):
        raise ColorizerError(
            f"its pixels are of the kind {image.mode}; accepted are gray and RGB with 8 or 16 bits:"
            " convert it first"
        )
    mode = {"1": "L", "P": "RGB", "PA": "RGBA", "YCbCr": "RGB", "La": "LA", "RGBa": "RGBA"}
    mode |= {"RGBX": "RGB", "CMYK": "RGB", "HSV": "RGB"}
    return np.asarray(image.convert(mode.get(image.mode, image.mode)))


def stretched(pixels: np.ndarray, white: int) -> np.ndarray:
    """With the value `white` at the highest of the type."""
    highest = np.iinfo(pixels.dtype).max
    if white == highest:
        return pixels
    return np.rint(pixels * (highest / white)).clip(0, highest).astype(pixels.dtype)


def with_metadata(
    image: "pyvips.Image",
    profile: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    resolution: tuple[float, float] | None = None,
    turned: bool = False,
) -> "pyvips.Image":
    """With metadata where libvips has them; the resolution, and "turned", as fields of ours."""
    import pyvips

    result = image.copy()
    blobs = (("icc-profile-data", profile), ("exif-data", exif), ("xmp-data", xmp))
    for field, data in blobs:
        if data:
            result.set_type(pyvips.GValue.blob_type, field, bytes(data))
    if resolution and min(resolution) > 0:
        result = result.copy(xres=resolution[0], yres=resolution[1])
        result.set_type(pyvips.GValue.gint_type, RESOLUTION, 1)
    if not turned and exif:
        from colorizer.pictures.metadata.exif import orientation

        result.set_type(pyvips.GValue.gint_type, "orientation", orientation(bytes(exif)))
    return result


def plugin(module: str, package: str, name: str, kind: str) -> Any:
    """A module of the extra `formats`.

    Raises:
        ColorizerError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ColorizerError(
            f"{name} is {kind}, which takes {package} to read: {command('formats')}; or convert it"
            " first"
        ) from error


@contextmanager
def opened_by(kind: type["ImageFile"], source: Path | bytes, how: How) -> Iterator["ImageFile"]:
    """A file through a class of Pillow's (Image.open has a limit of its own), its size checked."""
    with sober(), opened(source) as file, kind(file) as image:
        how.check(*image.size)
        yield image


@contextmanager
def sober() -> Iterator[None]:
    """No warnings, and a ValueError for whatever else plugins raise at damaged files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (ColorizerError, OSError, SyntaxError, ValueError, MemoryError):
            raise
        except Exception as error:
            raise ValueError(f"it is damaged ({type(error).__name__})") from error
