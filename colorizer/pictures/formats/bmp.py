"""BMP, by Pillow: the libvips wheel has neither a reader nor a writer for it."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from colorizer.pictures.formats.format import Format, How, Output, OutputPage, Told, register
from colorizer.pictures.formats.pillow import blank, from_array, opened_by, with_metadata
from colorizer.pictures.formats.vips import limited
from colorizer.pictures.metadata.behind import behind
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["Bmp"]


@register
class Bmp(Format):
    """BMP, by Pillow; 8 bits."""

    name = "BMP"
    suffixes = (".bmp",)
    bytes_read = bytes_written = 8
    holds = frozenset({"resolution", "xmp"})

    def accepts(self, head: bytes) -> bool:
        return head.startswith(b"BM") and head[15:18] == b"\0\0\0"  # the size of what follows

    def look(self, source: Path | bytes, name: str) -> Told:
        with opened(source) as file:
            size = int.from_bytes(file.read(6)[2:], "little")
            file.seek(size)
            return Told(left_out=behind(file.read()) if size > 54 else ())

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        from PIL.BmpImagePlugin import BmpImageFile

        with opened_by(BmpImageFile, source, how) as bmp:
            mode = {"1": "L", "P": "RGB"}.get(bmp.mode, bmp.mode)
            if how.header:
                image = blank(*bmp.size, bands=len(mode))
            else:
                image = from_array(np.asarray(bmp.convert(mode)))
            across, down = bmp.info.get("dpi", (0, 0))
        return with_metadata(image, resolution=(across / 25.4, down / 25.4))

    def losses(self, page: OutputPage) -> list[str]:
        return ["BMP has no place for XMP; it lies where other programs do not look"] * bool(
            page.metadata.xmp
        )

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        from PIL import Image

        page = next(pages)
        across, down = page.metadata.resolution or (0, 0)  # else Pillow makes one up
        image = page.image.flatten(background=255) if page.image.hasalpha() else page.image
        pixels = Image.fromarray(limited(image, output.threads).numpy())
        pixels.save(output.file, "BMP", dpi=(across * 25.4, down * 25.4))
        if page.metadata.xmp:
            _add(page.metadata.xmp, output.file)


def _add(packet: bytes, file: BinaryIO) -> None:
    """Put bytes before the pixels, whose place the header tells."""
    file.seek(0)
    content = bytearray(file.read())
    packet += bytes(-len(packet) % 4)
    (place,) = struct.unpack_from("<I", content, 10)
    content[place:place] = packet
    struct.pack_into("<I", content, 2, len(content))
    struct.pack_into("<I", content, 10, place + len(packet))
    file.seek(0)
    file.write(content)
