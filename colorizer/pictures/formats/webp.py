"""WebP: metadata in chunks that libvips drops when they are long, and writing.

Source: RFC 9649.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from colorizer.pictures.formats.format import Format, Output, OutputPage, Told, register
from colorizer.pictures.formats.vips import render
from colorizer.pictures.metadata.behind import behind
from colorizer.pictures.metadata.metadata import Metadata
from colorizer.pictures.origin import opened

__all__ = ["WebP"]

_KNOWN = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}


@register
class WebP(Format):
    """WebP; of an animation the first frame."""

    name = "WebP"
    suffixes = (".webp",)
    loader = "webpload"
    bytes_read, bytes_written = 10, 11
    holds = frozenset({"alpha", "exif", "xmp", "resolution"})

    def accepts(self, head: bytes) -> bool:
        return head.startswith(b"RIFF") and head[8:12] == b"WEBP"

    def look(self, source: Path | bytes, name: str) -> Told:
        with opened(source) as file:
            return Told(left_out=_left_out(file))

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        page = next(pages)
        bare = output.aside()
        render(page.image, "webpsave", bare, output.threads, Q=95)
        bare.seek(0)
        _embed(bare, output.file, page.metadata)


def _left_out(file: BinaryIO) -> tuple[str, ...]:
    """What chunks that nobody knows here hold, and what stands behind the picture."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    place, left = 12, []
    while place + 8 <= end:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            break
        if head[:4] not in _KNOWN:
            words = "content credentials (C2PA)" if head[:4] == b"C2PA" else ""
            left.append(words or f"a chunk {head[:4].decode('latin-1').strip()}")
        size = int.from_bytes(head[4:], "little")
        place += 8 + size + size % 2
    file.seek(end + end % 2)
    return (*dict.fromkeys(left), *behind(file.read()))


def _embed(source: BinaryIO, target: BinaryIO, metadata: Metadata) -> None:
    """Copy a WebP that libvips has written with a profile, with metadata in it.

    Raises:
        ValueError: it has not the extended form, which a profile makes it have.
    """
    head = bytearray(source.read(30))
    if (metadata.exif or metadata.xmp) and head[12:16] != b"VP8X":
        raise ValueError("libvips wrote a WebP file of another form than was asked for")
    added = b""
    for kind, content, flag in ((b"EXIF", metadata.exif, 8), (b"XMP ", metadata.xmp, 4)):
        if content:
            head[20] |= flag
            added += (
                kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)
            )
    size = int.from_bytes(head[4:8], "little") + len(added)
    head[4:8] = size.to_bytes(4, "little")
    target.write(head)
    shutil.copyfileobj(source, target, 1 << 20)
    target.write(added)
