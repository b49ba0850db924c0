"""JPEG 2000, read by Pillow and written as TIFF, which keeps its depth.

Source: ISO/IEC 15444-1 annex I (JP2).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.pictures.formats.boxes import boxes
from colorizer.pictures.formats.format import Format, How, Told, register
from colorizer.pictures.formats.pillow import (
    from_array,
    opened_by,
    pixels_of,
    stretched,
    with_metadata,
)
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["Jp2"]

_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_UUID = b"JpgTiffExif->JP2"
_LARGEST = 1 << 28  # bytes of a box that is read whole
_GRAY_SPACES, _CMYK, _LAB = (0, 15, 17), 12, 14  # enumerated color spaces: bilevel, gray
_KNOWN = {
    *(b"jP  ", b"ftyp", b"jp2h", b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef", b"res "),
    *(b"resc", b"resd", b"jp2c"),
}
_TELLING = {b"jumb": "content credentials (C2PA)", b"uuid": "data of other programs"}


@register
class Jp2(Format):
    """JPEG 2000: a JP2 file or a bare codestream."""

    name = "JPEG 2000"
    suffixes = (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx")
    becomes = ".tif"
    bytes_read = 16

    def accepts(self, head: bytes) -> bool:
        return head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"))

    def look(self, source: Path | bytes, name: str) -> Told:
        with opened(source) as file:
            found = _read(file)
        count, depth = len(found.depths), max(found.depths, default=8)
        unknown = found.space == _LAB or (count == 4 and found.space == _CMYK)
        if unknown or count not in (1, 2, 3, 4):
            raise ColorizerError(
                f"{name} is JPEG 2000 with {count} channels in a color space that Pillow does not"
                " convert; accepted are gray and RGB: convert it first"
            )
        told = Told(own=found, left_out=tuple(dict.fromkeys(found.left_out)))
        if depth > 8 and not (count == 1 and depth <= 16):
            told.notes += (
                f"{name}: of its {depth} bits per channel, 8 are read; Pillow has no more",
            )
        if found.has_odd_channels:
            kind = "premultiplied transparency" if found.is_premultiplied else "further channel"
            told.notes += (f"{name}: its {kind} is left out",)
        return told

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

        told: _Boxes = how.told.own
        depth = max(told.depths, default=8)
        with opened_by(Jpeg2KImageFile, source, how) as jp2:
            pixels = pixels_of(jp2)
        if pixels.dtype == np.uint16:  # the bits lie to the left
            pixels = stretched(pixels, (65535 << 16 - depth) & 65535)
        elif depth < 8:
            pixels = stretched(pixels, (255 << 8 - depth) & 255)
        if told.has_odd_channels:
            pixels = pixels[..., : told.colors]
        image = from_array(pixels)
        return with_metadata(image, told.profile, told.exif, told.xmp, told.resolution)


@dataclass
class _Boxes:
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
    left_out: tuple[str, ...] = ()

    @property
    def colors(self) -> int:
        return 1 if self.space in _GRAY_SPACES or len(self.depths) < 3 else 3

    @property
    def has_odd_channels(self) -> bool:
        """Whether there is something else than colors and, last, plain transparency."""
        count = len(self.depths)
        if self.has_palette or count <= self.colors:
            return False
        alpha = count - 1 if self.alpha is None and count in (2, 4) else self.alpha
        return self.is_premultiplied or alpha not in (None, self.colors)


def _read(file: BinaryIO) -> _Boxes:
    """Read a JP2 file, or a bare codestream.

    Raises:
        ValueError: it is cut off.
    """
    found = _Boxes()
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
        elif kind == b"uuid" and data[:16] == _XMP_UUID:
            found.xmp = data[16:]
        elif kind == b"uuid" and data[:16] == _EXIF_UUID:
            found.exif = data[16:]
        elif kind not in _KNOWN:
            name = kind.decode("latin-1").strip()
            found.left_out += (_TELLING.get(kind, f"a box {name}"),)
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
