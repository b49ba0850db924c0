"""One file after another: read, decoded, examined and encoded, several at a time, in order."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pyvips
from PIL import Image

from colorizer.color import gamut
from colorizer.errors import ColorizerError
from colorizer.options import PrepareOptions
from colorizer.pictures.finding import Source, is_picture
from colorizer.pictures.origin import HEAD
from colorizer.preparation.doctor import SMALLEST, UNREADABLE, Finding, examine, lab
from colorizer.preparation.duplicates import Fingerprint, digest, signature
from colorizer.preparation.normalize import decode_middle

__all__ = ["Examined", "look_at"]


@dataclass(frozen=True)
class Examined:
    """What is known of one file.

    Attributes:
        source: the file.
        picture: whether it is one.
        finding: why it is left out, as far as it alone shows that.
        width, height: of the file, upright, in pixels.
        digest, signature: see `duplicates`.
        encoded: the small picture as WebP; empty if there is a finding.
        histogram: (Q,) int64, a quarter of its pixels, on a grid, over `gamut.bins()`.
    """

    source: Source
    picture: bool = True
    finding: Finding | None = None
    width: int = 0
    height: int = 0
    digest: str = ""
    signature: Fingerprint | None = None
    encoded: bytes = b""
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def look_at(source: Source, options: PrepareOptions, doctor: bool = True) -> Examined:
    """Read and examine one file; whatever is wrong with it is part of the answer.

    Args:
        doctor: False only identifies the picture.
    """
    try:
        encoded = source.read()
        if not is_picture(source.name, encoded[:HEAD]):
            return Examined(source, picture=False)
        decoded = decode_middle(encoded, options.size, options.max_pixels)
    except ColorizerError as error:
        return Examined(source, finding=Finding(UNREADABLE, _reason(error)))
    except MemoryError:
        return Examined(source, finding=Finding(UNREADABLE, "it does not fit into memory"))
    pixels = lab(decoded.rgb)
    width, height = decoded.width, decoded.height
    known: dict[str, Any] = {
        "width": width,
        "height": height,
        "digest": digest(encoded),
        "signature": signature(pixels),
    }
    if not doctor:
        return Examined(source, **known)
    if min(width, height) < SMALLEST:
        finding = Finding("tiny", f"{width}x{height} pixels")
        return Examined(source, finding=finding, **known)
    finding = examine(decoded.rgb, pixels)
    if finding:
        return Examined(source, finding=finding, **known)
    histogram = gamut.histogram(pixels[::2, ::2, 1:].reshape(-1, 2))
    written = _webp(decoded.rgb, options.quality)
    return Examined(source, encoded=written, histogram=histogram, **known)


def _reason(error: ColorizerError) -> str:
    """What is wrong with a file, the same each time.

    Of a damaged one libvips tells what several threads met with, now this first and now that.
    """
    reason = str(error).removeprefix("the picture ").removeprefix("cannot be read: ")
    if isinstance(error.__cause__, pyvips.Error) and "HEVC" not in reason:
        return "it is damaged or cut off; get the whole file"
    return reason


def _webp(rgb: np.ndarray, quality: int) -> bytes:
    """The bytes of a WebP file; the same for the same pixels."""
    file = BytesIO()
    Image.fromarray(rgb).save(file, "webp", quality=quality, method=4)
    return file.getvalue()
