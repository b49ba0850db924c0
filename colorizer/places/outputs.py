"""What a photo's result is called."""

import posixpath
import re
from pathlib import PurePosixPath

from colorizer.pictures.formats import result_suffix
from colorizer.pictures.forms import FORMS

__all__ = ["original_of", "result_name"]

_BEHIND = "|".join(FORMS.values())


def result_name(name: str, suffix: str = "") -> str:
    """The name of what a photo becomes: its own, but for what cannot be written, as HEIC.

    Args:
        suffix: of all results, such as ".png"; empty keeps those of the photos.
    """
    stem, own = posixpath.splitext(name)
    found = result_suffix(name)
    kept = own if found in ("", own.lower()) else found
    return stem + (suffix or kept)


def original_of(name: str, others: frozenset[str]) -> str:
    """Of which of the files in the same folder a file is the result, by its name; "" if of none."""
    own = PurePosixPath(name)
    match = re.fullmatch(rf"(.*)(?:{_BEHIND})(-[0-9]+)?", own.stem, re.DOTALL)
    if not match:
        return ""
    if match[1] + own.suffix in others:
        return match[1] + own.suffix
    return next((o for o in others if o == match[1] or PurePosixPath(o).stem == match[1]), "")
