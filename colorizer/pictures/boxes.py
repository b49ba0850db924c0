"""Boxes, of which JPEG 2000, JPEG XL and HEIF files are made: read, and added at the end.

Sources: ISO/IEC 15444-1 annex I (JP2), ISO/IEC 14496-12 (the same boxes in HEIF).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["EXIF_UUID", "XMP_UUID", "Jp2", "boxes", "read_jp2"]

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
EXIF_UUID = b"JpgTiffExif->JP2"
_LARGEST = 1 << 28  # bytes of a box that is read whole
_NESTED = {b"jp2h", b"res "}


def boxes(
    file: BinaryIO, start: int = 0, end: int | None = None
) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box between two places of a file."""
    end = file.seek(0, os.SEEK_END) if end is None else end
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        size, kind, skip = int.from_bytes(head[:4]), head[4:8], 8
        if size == 1:
            size, skip = int.from_bytes(head[8:16]), 16
        size = size or end - start
        if size < skip or start + size > end:
            raise ValueError("a box of it is cut off")
        yield kind, start + skip, start + size
        if kind in _NESTED:
            yield from boxes(file, start + skip, start + size)
        start += size


@dataclass
class Jp2:
    """What the boxes of a JPEG 2000 file say.

    Attributes:
        depths: bits of each component.
        space: the number of an enumerated color space; None if a profile tells, or nothing.
        alpha: the number of the component that is transparency; -1 if none is, None if untold.
        is_premultiplied: whether the colors are multiplied by it.
        resolution: across and down, in pixels per millimeter.
    """

    depths: tuple[int, ...] = ()
    space: int | None = None
    profile: bytes = b""
    xmp: bytes = b""
    exif: bytes = b""
    alpha: int | None = None
    is_premultiplied: bool = False
    has_palette: bool = False
    resolution: tuple[float, float] | None = None


def read_jp2(file: BinaryIO) -> Jp2:
    """Read a JP2 file, or a bare codestream.

    Raises:
        ValueError: it is cut off.
    """
    found = Jp2()
    file.seek(0)
    if file.read(4) == b"\xff\x4f\xff\x51":
        found.depths = _depths(file, 0)
        return found
    for kind, start, end in boxes(file):
        file.seek(start)
        if kind == b"jp2c":
            found.depths = _depths(file, start)
            continue
        data = file.read(min(end - start, _LARGEST))
        if kind == b"colr" and found.space is None and not found.profile:
            if data[:1] == b"\1":
                found.space = int.from_bytes(data[3:7])
            elif data[:1] in (b"\2", b"\3"):
                found.profile = data[3:]
        elif kind == b"pclr":
            found.has_palette = True
        elif kind == b"cdef":
            found.alpha = -1
            for at in range(2, len(data) - 5, 6):
                number, use = (
                    int.from_bytes(data[at : at + 2]),
                    int.from_bytes(data[at + 2 : at + 4]),
                )
                if use in (1, 2):
                    found.alpha, found.is_premultiplied = number, use == 2
        elif kind in (b"resc", b"resd") and not (kind == b"resd" and found.resolution):
            down, across = (_per_millimeter(data, i) for i in (0, 1))
            found.resolution = (across, down) if across and down else None
        elif kind == b"uuid" and data[:16] == XMP_UUID:
            found.xmp = data[16:]
        elif kind == b"uuid" and data[:16] == EXIF_UUID:
            found.exif = data[16:]
    return found


def _depths(file: BinaryIO, start: int) -> tuple[int, ...]:
    """Of the SIZ marker, at the start of a codestream."""
    file.seek(start)
    head = file.read(42)
    count = int.from_bytes(head[40:42])
    components = file.read(3 * min(count, 16384))
    if head[2:4] != b"\xff\x51" or len(components) < 3 * count:
        raise ValueError("its codestream is cut off")
    return tuple((bits & 127) + 1 for bits in components[::3])


def _per_millimeter(data: bytes, axis: int) -> float:
    """A resolution of ISO/IEC 15444-1, I.5.3.7: a fraction and a power of ten, per meter."""
    if len(data) < 10:
        return 0
    above, below = (int.from_bytes(data[4 * axis + i : 4 * axis + i + 2]) for i in (0, 2))
    power = int.from_bytes(data[8 + axis : 9 + axis], signed=True)
    return above / below * 10.0**power / 1000 if below else 0
