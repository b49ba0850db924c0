"""Chunks of PNG and WebP files: texts and metadata, which libvips changes or garbles.

Sources: PNG specification (W3C, third edition), RFC 9649 (WebP).
"""

import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from colorizer.pictures.behind import behind
from colorizer.pictures.profiles import PRIMARIES, TRANSFERS, named_profile

__all__ = ["PngTold", "embed_png", "embed_webp", "read_png"]

_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_XMP = b"XML:com.adobe.xmp"
_RAW_PROFILE = re.compile(rb"Raw profile type ([A-Za-z0-9]+)$")
_SHORT = (b"IHDR", b"gAMA", b"cHRM", b"cICP", b"sRGB", b"pHYs", b"acTL")  # that are read
_SRGB_GAMMA = 0.45455
_LARGEST = 1 << 26  # bytes of a text that is read
_CODING = {  # what describes the pixels as they were coded, and what is written anew
    *(b"IHDR", b"PLTE", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD"),
    *(b"hIST", b"pHYs", b"sPLT", b"eXIf", b"IDAT", b"IEND", b"mDCV", b"cLLI"),
    *(b"acTL", b"fcTL", b"fdAT"),
}


@dataclass
class PngTold:
    """What the chunks of a PNG say beside pixels, profile, EXIF data and XMP.

    Attributes:
        texts: chunks, as their kind and their content.
        iptc: records, as ImageMagick and exiftool keep them.
        exif: a block that only a text holds.
        profile: an ICC profile of what cICP, gAMA and cHRM say, if no better chunk tells the color
            space, and if that is not sRGB.
        has_profile: whether there is an ICC profile, or another color space that is not known.
        pictures: how many frames an animation has.
        left_out: in words, what has no place in another file.
    """

    texts: tuple[tuple[bytes, bytes], ...] = ()
    iptc: bytes = b""
    exif: bytes = b""
    profile: bytes = b""
    has_profile: bool = False
    has_resolution: bool = False
    pictures: int = 1
    left_out: tuple[str, ...] = ()


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and size of each chunk of a PNG."""
    place = 8
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4])
        yield head[4:], place, size
        place += 12 + size
        if head[4:] == b"IEND":
            return


def read_png(file: BinaryIO) -> PngTold:
    """Read the chunks of a file; what is damaged is passed over."""
    told, space, left, is_gray, end = PngTold(), {}, [], False, 0
    for kind, place, size in _chunks(file):
        end = place + 12 + size
        if kind == b"iCCP":
            told.has_profile = True
        elif kind in _TEXTS and size <= _LARGEST:
            file.seek(place + 8)
            _read_text(told, kind, file.read(size))
        elif kind in _SHORT and size < 64:
            file.seek(place + 8)
            content = file.read(size)
            space[kind] = content
            if kind == b"IHDR":
                is_gray = content[9:10] in (b"\0", b"\4")
            elif kind == b"pHYs":
                told.has_resolution = content[8:9] == b"\1" and any(content[:4])
            elif kind == b"acTL":
                told.pictures = max(1, int.from_bytes(content[:4]))
        elif kind == b"tIME" and size == 7:
            continue  # when the file was last changed, which is now
        elif kind not in _CODING:
            words = "content credentials (C2PA)" if kind == b"caBX" else ""
            left.append(words or f"a chunk {kind.decode('latin-1')}")
    if not told.has_profile:
        try:
            told.profile = _profile(space, is_gray)
        except ValueError:
            told.has_profile = True
    file.seek(end)
    told.left_out = tuple(dict.fromkeys(left)) + behind(file.read())
    return told


def _profile(space: dict[bytes, bytes], is_gray: bool) -> bytes:
    """What the chunks say of the color space, the better ones first (section 4.3 of the standard).

    Raises:
        ValueError: it is one that is not known here.
    """
    if b"cICP" in space:
        primaries, transfer, matrix, full = space[b"cICP"][:4]
        if primaries not in PRIMARIES or transfer not in TRANSFERS or matrix or not full:
            raise ValueError("a color space of another kind")
        return named_profile(TRANSFERS[transfer], PRIMARIES[primaries], is_gray)
    if b"sRGB" in space:
        return b""
    gamma = int.from_bytes(space.get(b"gAMA", b"")[:4]) / 100_000
    numbers = np.frombuffer(space.get(b"cHRM", b"")[:32].ljust(32, b"\0"), ">u4") / 100_000
    chromaticities = tuple(map(float, numbers))
    known = all(0 < y <= 1 and x + y <= 1 for x, y in zip(*[iter(chromaticities)] * 2, strict=True))
    if not known or is_gray or np.abs(np.subtract(chromaticities, PRIMARIES[1])).max() < 0.002:
        chromaticities = PRIMARIES[1]
    if not 0.1 < gamma < 10:
        curve = TRANSFERS[13]
    elif abs(gamma - _SRGB_GAMMA) < 0.02 and chromaticities == PRIMARIES[1]:
        return b""  # files of sRGB name this in place of its curve
    else:
        curve = (1 / gamma,)
    return named_profile(curve, chromaticities, is_gray)


def _read_text(told: PngTold, kind: bytes, content: bytes) -> None:
    keyword = content.split(b"\0", 1)[0]
    if keyword == _XMP:
        return
    profile = _RAW_PROFILE.match(keyword)
    if not profile:
        told.texts += ((kind, content),)
        return
    try:
        packed = content[len(keyword) + 1 :]
        text = zlib.decompress(packed[1:]) if kind == b"zTXt" else packed
        data = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except (zlib.error, ValueError, UnicodeDecodeError):
        return
    if profile[1] == b"iptc":
        told.iptc = data
    elif profile[1].lower() in (b"exif", b"app1") and data.startswith(b"Exif\0\0"):
        told.exif = data[6:]


def embed_png(
    source: BinaryIO,
    target: BinaryIO,
    *,
    exif: bytes,
    xmp: bytes,
    texts: tuple[tuple[bytes, bytes], ...],
    resolution: tuple[float, float] | None,
) -> None:
    """Copy a PNG that libvips has written, with metadata in it.

    Args:
        resolution: across and down, in pixels per millimeter.
    """
    chunks = list(_chunks(source))
    source.seek(0)
    target.write(source.read(8))
    for kind, place, size in chunks:
        if kind == b"pHYs":
            continue
        source.seek(place)
        _copy(source, target, 12 + size)
        if kind == b"IHDR":
            if resolution:
                across, down = (round(axis * 1000).to_bytes(4) for axis in resolution)
                target.write(_png_chunk(b"pHYs", across + down + b"\1"))
            if exif:
                target.write(_png_chunk(b"eXIf", exif))
            if xmp:
                target.write(_png_chunk(b"iTXt", _XMP + b"\0\0\0\0\0" + xmp))
            for text_kind, content in texts:
                target.write(_png_chunk(text_kind, content))


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content).to_bytes(4)
    return len(content).to_bytes(4) + kind + content + checksum


def embed_webp(source: BinaryIO, target: BinaryIO, *, exif: bytes, xmp: bytes) -> None:
    """Copy a WebP that libvips has written with a profile, with metadata in it.

    Raises:
        ValueError: it has not the extended form, which a profile makes it have.
    """
    head = bytearray(source.read(30))
    if (exif or xmp) and head[12:16] != b"VP8X":
        raise ValueError("libvips wrote a WebP file of another form than was asked for")
    added = b""
    for kind, content, flag in ((b"EXIF", exif, 8), (b"XMP ", xmp, 4)):
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


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size > 0:
        piece = source.read(min(size, 1 << 20))
        if not piece:
            raise ValueError("the file is cut off")
        target.write(piece)
        size -= len(piece)
