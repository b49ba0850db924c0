"""What a photo's result is called."""

import posixpath
import re
from pathlib import PurePosixPath

from colorizer.pictures.save import WRITABLE

__all__ = ["BY_CONTENT", "PICTURES", "SUFFIX", "original_of", "result_name"]

_BECOMES = {  # what can be read but not written
    **dict.fromkeys((".heic", ".heif", ".hif", ".jxl"), ".png"),
    **dict.fromkeys((".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), ".jp2"),
    **dict.fromkeys((".mpo", ".jpg_large", ".jpeg_large"), ".jpg"),
    **dict.fromkeys((".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf"), ".tif"),
}
BY_CONTENT = {
    "jpegload": ".jpg",
    "pngload": ".png",
    "webpload": ".webp",
    "tiffload": ".tif",
    "gifload": ".gif",
    "bmp": ".bmp",
    "jp2": ".jp2",
}
"""The extension of a result by the loader of its picture, where the name says nothing; else PNG."""

PICTURES = frozenset((*WRITABLE, *_BECOMES))
"""File name extensions that are looked for in folders; files of other names are, by content."""

SUFFIX = "-colored"
"""What stands behind the name of a result that lies beside its photo."""


def result_name(name: str, suffix: str = "") -> str:
    """The name of what a photo becomes: its own, but PNG for what cannot be written, as HEIC.

    Args:
        suffix: of all results, such as ".png"; empty keeps those of the photos.
    """
    stem, own = posixpath.splitext(name)
    return stem + (suffix or _BECOMES.get(own.lower(), own))


def original_of(name: str, others: frozenset[str]) -> str:
    """Of which of the files in the same folder a file is the result, by its name; "" if of none."""
    own = PurePosixPath(name)
    match = re.fullmatch(rf"(.*){SUFFIX}(-[0-9]+)?", own.stem, re.DOTALL)
    if not match:
        return ""
    if match[1] + own.suffix in others:
        return match[1] + own.suffix
    return next((o for o in others if o == match[1] or PurePosixPath(o).stem == match[1]), "")
