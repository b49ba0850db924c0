"""From a source - a path, the bytes of a file, an array - to a libvips image, not decoded yet."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.options import MAX_PIXELS
from colorizer.pictures import tiff
from colorizer.pictures.foreign import FOREIGN, from_array, open_foreign

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "MAX_PIXELS",
    "RAW",
    "READABLE",
    "check_size",
    "loader_of",
    "loader_of_bytes",
    "name_of",
    "open_image",
    "sniff",
    "vips_path",
]

READABLE = "JPEG, PNG, WebP, TIFF, JPEG 2000, AVIF, HEIC, JPEG XL, GIF, BMP"

RAW = "raw"
"""What `sniff` answers for raw photos of cameras, which nothing here develops."""


def sniff(source: Path | bytes) -> str:
    """Which loader reads this file, by its first bytes: names lie, and libvips guesses widely.

    Raises:
        ColorizerError: there is no such file, or it is no picture that can be read; the message
            says why.
    """
    head = source[:32] if isinstance(source, bytes) else _first_bytes(source)
    if not head:
        raise ColorizerError(f"{name_of(source)} is empty (0 bytes)")
    loader = loader_of_bytes(head)
    if loader == RAW:
        raise ColorizerError(
            f"{name_of(source)} is a raw photo, the values of a camera's sensor; develop it first,"
            " say with darktable or RawTherapee, into a TIFF of 16 bits"
        )
    if not loader:
        raise ColorizerError(
            f"{name_of(source)} is no picture of a known format; accepted: {READABLE}"
        )
    return loader


def loader_of(path: Path) -> str:
    """As `sniff`, but "" for what begins as no picture does, and `RAW` for raw photos.

    Raises:
        ColorizerError: it cannot be read.
    """
    return loader_of_bytes(_first_bytes(path))


def loader_of_bytes(head: bytes) -> str:
    """As `loader_of`, for the first 32 bytes of a file."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpegload"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "pngload"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webpload"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return RAW if head[8:10] == b"CR" else "tiffload"
    if head[4:8] == b"ftyp":
        return RAW if head[8:12] == b"crx " else "heifload" * (head[8:12] in _HEIF)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gifload"
    if head.startswith(b"BM") and head[15:18] == b"\0\0\0":  # the size of what follows
        return "bmp"
    if head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "jp2"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return "jxl"
    if head.startswith((b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb")):
        return RAW
    return ""


_HEIF = (
    *(b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    *(b"mif2", b"miaf", b"MA1A", b"MA1B"),
)


def _first_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ColorizerError(f"{path} is a device or a pipe, not a file")
        with path.open("rb") as file:
            return file.read(32)
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
    frame: tiff.Frame | None = None,
    header: bool = False,
    **options: Any,
) -> tuple["pyvips.Image", tuple[str, ...]]:
    """The libvips image of a source, not decoded yet (in memory, where Pillow reads it), and notes.

    Args:
        frame: which of several pictures.
        header: what the image says of itself is enough; the pixels of a BMP are black then.

    Raises:
        ColorizerError: it claims more than `max_pixels`; None asks nothing.
    """
    import pyvips

    frame = frame or tiff.Frame()
    loader = frame.loader or loader
    if isinstance(source, np.ndarray):
        return from_array(source), ()
    if loader in FOREIGN:
        name = name_of(source)
        check = partial(
            check_size, max_pixels=sys.maxsize if max_pixels is None else max_pixels, name=name
        )
        return open_foreign(source, loader, name, check, frame.page, header)
    strict = "warning" if loader == "jpegload" else "error"
    options = {"access": "sequential", "fail_on": strict} | options
    if frame.page:
        options["page"] = frame.page
    if frame.sub >= 0:
        options["subifd"] = frame.sub
    if isinstance(source, bytes):
        image = getattr(pyvips.Image, f"{loader}_buffer")(source, **options)
    else:  # revalidate: the file may have changed since libvips last saw this path
        image = getattr(pyvips.Image, loader)(vips_path(source), revalidate=True, **options)
    if loader == "heifload" and image.format == "ushort":
        image = _full_range(image)
    return image, ()


def vips_path(path: str | Path) -> str | bytes:
    """A path as pyvips takes it, whatever bytes its name is of."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _full_range(image: "pyvips.Image") -> "pyvips.Image":
    """libvips shifts 10 and 12 bits to the left, which leaves white below 65,535."""
    white = 65536 - 2 ** (16 - image.get("bits-per-sample"))
    return (image * (65535 / white)).rint().cast("ushort")


def check_size(width: int, height: int, max_pixels: int, name: str) -> None:
    """Raise ColorizerError if a picture claims more pixels than are allowed."""
    if width * height > max_pixels:
        raise ColorizerError(
            f"{name} claims {width} x {height} pixels, over the limit of {max_pixels:,}; raise"
            " max_pixels if you trust it"
        )


def name_of(source: Path | bytes | np.ndarray) -> str:
    return str(source) if isinstance(source, Path) else "the picture"
