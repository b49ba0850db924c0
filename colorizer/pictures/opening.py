"""From a source - a path, the bytes of a file, an array - to a libvips image, not decoded yet."""

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.options import MAX_PIXELS

if TYPE_CHECKING:
    import pyvips

__all__ = ["MAX_PIXELS", "READABLE", "check_size", "name_of", "open_image", "sniff"]

READABLE = "JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF, BMP"


def sniff(source: Path | bytes) -> str:
    """Which loader reads this file, by its first bytes: names lie, and libvips guesses widely."""
    head = source[:16] if isinstance(source, bytes) else _first_bytes(source)
    if not head:
        raise ColorizerError(f"{name_of(source)} is empty (0 bytes)")
    if head.startswith(b"\xff\xd8\xff"):
        return "jpegload"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "pngload"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webpload"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiffload"
    if head[4:8] == b"ftyp":
        return "heifload"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gifload"
    if head.startswith(b"BM"):
        return "bmp"
    raise ColorizerError(f"{name_of(source)} is no picture of a known format; accepted: {READABLE}")


def _first_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ColorizerError(f"{path} is a device or a pipe, not a file")
        with path.open("rb") as file:
            return file.read(16)
    except FileNotFoundError as error:
        raise ColorizerError(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise ColorizerError(f"{path} is a folder, not a picture") from error
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}") from error


def open_image(
    source: Path | bytes | np.ndarray,
    loader: str,
    max_pixels: int | None = None,
    *,
    header: bool = False,
    **options: Any,
) -> "pyvips.Image":
    """The libvips image of a source, not decoded yet (BMP and arrays: in memory).

    Args:
        header: what the image says of itself is enough; the pixels of a BMP are black then.

    Raises:
        ColorizerError: it claims more than `max_pixels`; None asks nothing.
    """
    import pyvips

    if isinstance(source, np.ndarray):
        return _from_array(source)
    if loader == "bmp":
        return _open_bmp(source, sys.maxsize if max_pixels is None else max_pixels, header)
    options = {"access": "sequential", "fail_on": "error"} | options
    if isinstance(source, bytes):
        image = getattr(pyvips.Image, f"{loader}_buffer")(source, **options)
    else:  # revalidate: the file may have changed since libvips last saw this path
        image = getattr(pyvips.Image, loader)(str(source), revalidate=True, **options)
    if loader == "heifload" and image.format == "ushort":
        image = _full_range(image)
    return _with_resolution(image) if loader in ("heifload", "webpload") else image


def _full_range(image: "pyvips.Image") -> "pyvips.Image":
    """libvips shifts 10 and 12 bits to the left, which leaves white below 65,535."""
    white = 65536 - 2 ** (16 - image.get("bits-per-sample"))
    return (image * (65535 / white)).rint().cast("ushort")


def _with_resolution(image: "pyvips.Image") -> "pyvips.Image":
    """With the resolution of the EXIF data, which libvips reads only for JPEG and PNG."""
    import pyvips

    if not image.get_typeof("exif-ifd0-XResolution"):
        return image
    try:
        across, down = (
            float(Fraction(image.get(f"exif-ifd0-{axis}Resolution").split()[0])) for axis in "XY"
        )
        unit = image.get("exif-ifd0-ResolutionUnit").split()[0]
    except (pyvips.Error, ValueError, ZeroDivisionError):
        return image
    if not (0 < across < 1e6 and 0 < down < 1e6):
        return image
    per_unit = 10 if unit == "3" else 25.4  # millimeters
    return image.copy(xres=across / per_unit, yres=down / per_unit)


def _from_array(array: np.ndarray) -> "pyvips.Image":
    import pyvips

    image = pyvips.Image.new_from_array(np.ascontiguousarray(array))
    gray, color = ("b-w", "srgb") if array.dtype == np.uint8 else ("grey16", "rgb16")
    return image.copy(interpretation=color if image.bands > 1 else gray)


def _open_bmp(source: Path | bytes, max_pixels: int, header: bool) -> "pyvips.Image":
    """A BMP through Pillow, whole; the libvips wheel has no reader for it."""
    import io

    import pyvips
    from PIL.BmpImagePlugin import BmpImageFile  # Image.open has a limit of its own

    file = io.BytesIO(source) if isinstance(source, bytes) else source
    with BmpImageFile(file) as bmp:
        check_size(*bmp.size, max_pixels, name_of(source))
        mode = {"1": "L", "P": "RGB"}.get(bmp.mode, bmp.mode)
        if header:
            bands = len(mode)
            kind = "srgb" if bands > 1 else "b-w"
            image = pyvips.Image.black(*bmp.size, bands=bands).copy(interpretation=kind)
        else:
            image = _from_array(np.asarray(bmp.convert(mode)))
        across, down = bmp.info.get("dpi", (0, 0))
    if across > 0 and down > 0:
        image = image.copy(xres=across / 25.4, yres=down / 25.4)
    return image


def check_size(width: int, height: int, max_pixels: int, name: str) -> None:
    """Raise ColorizerError if a picture claims more pixels than are allowed."""
    if width * height > max_pixels:
        raise ColorizerError(
            f"{name} claims {width} x {height} pixels, over the limit of {max_pixels:,}; raise"
            " max_pixels if you trust it"
        )


def name_of(source: Path | bytes | np.ndarray) -> str:
    return str(source) if isinstance(source, Path) else "the picture"
