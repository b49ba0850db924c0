"""GIF: read and written by libvips; it holds 256 colors and hardly any metadata."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from colorizer.pictures.formats.format import Format, Output, OutputPage, Told, register
from colorizer.pictures.formats.vips import render
from colorizer.pictures.metadata.behind import behind
from colorizer.pictures.origin import opened

__all__ = ["Gif"]


@register
class Gif(Format):
    """GIF; of an animation the first frame."""

    name = "GIF"
    suffixes = (".gif",)
    loader = "gifload"
    bytes_read, bytes_written = 8, 12
    holds = frozenset({"alpha", "xmp"})

    def accepts(self, head: bytes) -> bool:
        return head.startswith((b"GIF87a", b"GIF89a"))

    def look(self, source: Path | bytes, name: str) -> Told:
        with opened(source) as file:
            return Told(left_out=_left_out(file))

    def losses(self, page: OutputPage) -> list[str]:
        half = "GIF holds no half transparency; a pixel is seen or not"
        lost = ["GIF holds 256 colors, so that lightness is approximate"]
        return lost + [half] * page.image.hasalpha()

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        page = next(pages)
        render(page.image, "gifsave", output.file, output.threads)
        if page.metadata.xmp:  # an application extension, as part 3 of Adobe's specification has it
            output.file.seek(-1, os.SEEK_END)
            trailer = bytes((1, *range(255, -1, -1), 0))  # by which blind readers find the end
            output.file.write(b"!\xff\x0bXMP DataXMP" + page.metadata.xmp + trailer + b";")


def _left_out(file: BinaryIO) -> tuple[str, ...]:
    """Comments, XMP and what stands behind the picture, in words; damage ends them."""
    head, left = file.read(13), []
    _skip_table(file, head[10:11])
    while block := file.read(1):
        if block == b"\x3b":
            return (*dict.fromkeys(left), *behind(file.read()))
        if block == b"\x21":
            label, first = file.read(1), file.read(12)
            file.seek(-len(first), 1)
            left += ["its comment"] * (label == b"\xfe")
            left += ["its XMP"] * (label == b"\xff" and first[1:] == b"XMP DataXMP")
        elif block == b"\x2c":
            _skip_table(file, file.read(9)[8:])
            file.read(1)
        else:
            break
        while (size := file.read(1)) not in (b"", b"\0"):
            file.seek(size[0], 1)
    return tuple(dict.fromkeys(left))


def _skip_table(file: BinaryIO, flags: bytes) -> None:
    """Of colors, as the flags before it tell."""
    if flags and flags[0] & 128:
        file.seek(3 << (flags[0] & 7) + 1, 1)
