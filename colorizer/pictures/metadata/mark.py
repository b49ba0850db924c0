"""Results are known by their mark, so that nothing else is ever replaced."""

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["SYSTEM", "bears_mark", "is_marked"]

SYSTEM = "Colorizer, model"
"""How the field AISystemUsed of the XMP of our results begins."""

_NEEDLE = f"AISystemUsed>{SYSTEM}".encode()
_NEAR, _FAR = 1 << 15, 1 << 18  # bytes from either end: metadata are before or after all pixels


def bears_mark(look: Callable[[int, int | None], bytes]) -> bool:
    """Whether a file is a result of ours.

    Args:
        look: gives the bytes from a place on, up to another; a place below 0 is one from the end,
            and None is the end. It is asked for few of them first.
    """
    reaches = ((0, _NEAR), (-_NEAR, None), (0, _FAR), (-_FAR, None))
    return any(_NEEDLE in look(first, last) for first, last in reaches)


def is_marked(path: Path) -> bool:
    """Whether a file of this machine is a result of ours; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)

            def look(first: int, last: int | None) -> bytes:
                file.seek(first if first >= 0 else max(0, size + first))
                return file.read(-1 if last is None else last - first)

            return bears_mark(look)
    except OSError:
        return False
