"""Where a picture comes from: a path, the bytes of a file, an array; and what is said of it."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from colorizer.errors import ColorizerError, UsageError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "HEAD",
    "MAX_PIXELS",
    "check_size",
    "head_of",
    "name_of",
    "opened",
    "reading",
    "reason",
    "vips_path",
]

MAX_PIXELS = 1_000_000_000
"""Above so many a picture is refused, unless another limit is asked for."""

HEAD = 64
"""Bytes at the start of a file by which its format is known."""


def opened(source: Path | bytes) -> BinaryIO:
    """A file, or the bytes of one, to read."""
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def head_of(source: Path | bytes) -> bytes:
    """The first bytes.

    Raises:
        ColorizerError: it cannot be read.
    """
    if isinstance(source, bytes):
        return source[:HEAD]
    path = source
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ColorizerError(f"{path} is a device or a pipe, not a file")
        with path.open("rb") as file:
            return file.read(HEAD)
    except FileNotFoundError as error:
        raise ColorizerError(f"there is no file {path}") from error
    except IsADirectoryError as error:
        raise ColorizerError(f"{path} is a folder, not a picture") from error
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}") from error


def vips_path(path: str | Path) -> str | bytes:
    """A path as pyvips takes it, whatever bytes its name is of."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def check_size(width: int, height: int, max_pixels: int, name: str) -> None:
    """Raise ColorizerError if a picture claims more pixels than are allowed."""
    if width * height > max_pixels:
        raise ColorizerError(
            f"{name} claims {width} x {height} pixels, over the limit of {max_pixels:,}; raise"
            " max_pixels if you trust it"
        )


def name_of(source: "Path | bytes | np.ndarray") -> str:
    return str(source) if isinstance(source, Path) else "the picture"


@contextmanager
def reading(source: "Path | bytes | np.ndarray") -> Iterator[None]:
    """Turn what libvips and Pillow raise into one sentence that names the picture."""
    import pyvips

    try:
        yield
    except (pyvips.Error, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise ColorizerError(f"{name_of(source)} cannot be read: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What libvips or Pillow complains of, on one line."""
    lines = str(getattr(error, "detail", error)).split("\n")
    told = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    told = [line for line in told if "bad seek" not in line] or told
    return "; ".join(told[:2]) or str(getattr(error, "message", type(error).__name__))
