"""Results are known by their mark, so that nothing else is ever replaced."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["SYSTEM", "add_xmp", "bears_mark", "is_marked"]

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


def add_xmp(file: BinaryIO, kind: str, packet: bytes) -> None:
    """Add XMP to a GIF or BMP that is written, where their decoders look for nothing.

    Of a GIF it is an application extension, as part 3 of Adobe's XMP specification has it; of a BMP
    it stands before the pixels, whose place its header tells.

    Args:
        kind: "gif" or "bmp".
    """
    if kind == "gif":
        file.seek(-1, os.SEEK_END)  # its trailer
        trailer = bytes((1, *range(255, -1, -1), 0))  # by which blind readers find the end
        file.write(b"!\xff\x0bXMP DataXMP" + packet + trailer + b";")
        return
    file.seek(0)
    content = bytearray(file.read())
    (place,) = struct.unpack_from("<I", content, 10)
    content[place:place] = packet + bytes(-len(packet) % 4)
    struct.pack_into("<I", content, 2, len(content))
    struct.pack_into("<I", content, 10, place + len(packet) + -len(packet) % 4)
    file.seek(0)
    file.write(content)


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
