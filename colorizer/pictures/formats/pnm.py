"""PNM (PBM, PGM, PPM): the plain pictures of Netpbm, read by Pillow and written as PNG."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorizer.pictures.formats.format import Format, How, register
from colorizer.pictures.formats.pillow import from_array, opened_by, pixels_of

if TYPE_CHECKING:
    import pyvips

__all__ = ["Pnm"]


@register
class Pnm(Format):
    """PNM, P1 to P6; gray of 16 bits, color of 8."""

    name = "PNM"
    suffixes = (".pgm", ".ppm", ".pnm", ".pbm")
    becomes = ".png"
    bytes_read = 8

    def accepts(self, head: bytes) -> bool:
        return head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        from PIL.PpmImagePlugin import PpmImageFile

        with opened_by(PpmImageFile, source, how) as pnm:
            pixels = np.asarray(pnm) if pnm.mode == "I" else pixels_of(pnm)
        return from_array(pixels.astype(np.uint16) if pixels.dtype == np.int32 else pixels)
