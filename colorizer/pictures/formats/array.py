"""Arrays, which are pictures too: no format of files, and in no registry."""

from typing import Any

import numpy as np

from colorizer.errors import UsageError
from colorizer.pictures.formats.format import Format, How, Told
from colorizer.pictures.formats.pillow import from_array

__all__ = ["ARRAY"]


class _Array(Format):
    """(H, W) or (H, W, 3), uint8 or uint16."""

    name = "array"
    becomes = ".png"

    def accepts(self, head: bytes) -> bool:
        return False

    def look(self, source: Any, name: str) -> Told:
        gray_or_rgb = source.ndim == 2 or (source.ndim == 3 and source.shape[2] == 3)
        if not gray_or_rgb or source.dtype not in (np.uint8, np.uint16) or 0 in source.shape:
            raise UsageError(
                f"an array of shape {source.shape} and type {source.dtype} is no picture; accepted"
                " are (H, W) and (H, W, 3), uint8 or uint16: convert it first"
            )
        return Told()

    def open(self, source: Any, name: str, how: How) -> Any:
        return from_array(source)


ARRAY = _Array()
