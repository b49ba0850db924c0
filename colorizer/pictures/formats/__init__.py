"""Picture formats, one file each: which one a file is of, and what becomes of it by its name.

A new format is a file here (see `format.Format`), and its name in the import below.
"""

import os
from pathlib import Path, PurePath

from colorizer.errors import ColorizerError, UsageError

# isort: off
from colorizer.pictures.formats import jpeg, png, webp, tiff, jp2, avif, heif  # noqa: F401
from colorizer.pictures.formats import jxl, gif, bmp, pnm, raw  # noqa: F401 - in messages too

# isort: on
from colorizer.pictures.formats.format import FORMATS, Format
from colorizer.pictures.origin import head_of, name_of

__all__ = ["SUFFIXES", "WRITABLE", "becoming", "format_of", "identified", "result_suffix", "writer"]

WRITABLE: tuple[str, ...] = tuple(s for f in FORMATS if f.is_written for s in f.suffixes)
"""File name extensions that can be written."""

_BECOMES = {
    suffix: suffix if suffix in WRITABLE else format.becomes or format.suffixes[0]
    for format in FORMATS
    for suffix in (*format.suffixes, *format.other_suffixes)
}
SUFFIXES = frozenset(_BECOMES)
"""File name extensions that are looked for in folders; files of other names are, by content."""


def format_of(head: bytes) -> Format | None:
    """The format of a file, by its first 64 bytes: names lie; None for what begins as none."""
    return next((format for format in FORMATS if format.accepts(head)), None)


def identified(source: Path | bytes) -> Format:
    """The format of a file.

    Raises:
        ColorizerError: there is no such file, or it is no picture of a known format.
    """
    head = head_of(source)
    if not head:
        raise ColorizerError(f"{name_of(source)} is empty (0 bytes)")
    found = format_of(head)
    if found is None:
        known = ", ".join(format.name for format in FORMATS if not isinstance(format, raw.Raw))
        raise ColorizerError(
            f"{name_of(source)} is no picture of a known format; accepted: {known}"
        )
    return found


def result_suffix(name: str | PurePath) -> str:
    """The suffix of what a picture of this name becomes; "" if the name says nothing."""
    return _BECOMES.get(os.path.splitext(name)[1].lower(), "")


def becoming(format: Format | None) -> str:
    """The suffix of what a picture of this format becomes, where its name says nothing."""
    return ".png" if format is None else format.becomes or format.suffixes[0]


def writer(suffix: str, told: str = "") -> Format:
    """The format that files of a suffix are written in; raises UsageError, which `told` begins."""
    for format in FORMATS:
        if format.is_written and suffix.lower() in format.suffixes:
            return format
    raise UsageError(
        f"{told}cannot write {(suffix.strip('.') and suffix) or 'a file without extension'};"
        f" accepted are {' '.join(WRITABLE)}"
    )
