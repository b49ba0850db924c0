"""Results are known by their mark, so that nothing else is ever replaced."""

import os
from pathlib import Path

__all__ = ["SYSTEM", "is_marked"]

SYSTEM = "Colorizer, model"
"""How the field AISystemUsed of the XMP of our results begins."""

_NEEDLE = f"AISystemUsed>{SYSTEM}".encode()
_REACH = 1 << 18  # bytes from either end: metadata are before or after all pixels


def is_marked(path: Path) -> bool:
    """Whether a file is a result of ours; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            if _NEEDLE in file.read(_REACH):
                return True
            file.seek(max(0, file.seek(0, os.SEEK_END) - _REACH))
            return _NEEDLE in file.read()
    except OSError:
        return False
