"""PNG: its chunks, of which libvips changes or garbles some, and writing.

Source: PNG specification (W3C, third edition).
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from colorizer.pictures.formats.format import Format, Frame, Output, OutputPage, Told, register
from colorizer.pictures.formats.vips import blobs_of, render
from colorizer.pictures.metadata.behind import behind
from colorizer.pictures.metadata.icc import PRIMARIES, TRANSFERS, named_profile
from colorizer.pictures.metadata.metadata import Metadata
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["Png"]

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


@register
class Png(Format):
    """PNG; of an animation the first frame."""

    name = "PNG"
    suffixes = (".png",)
    loader = "pngload"
    bytes_interlaced = 3
    deepest = 16
    holds = frozenset({"alpha", "exif", "xmp", "texts", "comments", "resolution"})

    def accepts(self, head: bytes) -> bool:
        return head.startswith(b"\x89PNG\r\n\x1a\n")

    def look(self, source: Path | bytes, name: str) -> Told:
        with opened(source) as file:
            return _read(file)

    def metadata(
        self, source: Path | bytes, told: Told, frame: Frame, image: "pyvips.Image"
    ) -> Metadata:
        found, own = blobs_of(image, told.has_resolution), told.metadata or Metadata()
        return replace(found, exif=found.exif or own.exif, texts=own.texts, iptc=own.iptc)

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        page = next(pages)
        bare = output.aside()
        render(page.image, "pngsave", bare, output.threads)
        bare.seek(0)
        _embed(bare, output.file, page.metadata)


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


def _read(file: BinaryIO) -> Told:
    """Read the chunks of a file; what is damaged is passed over."""
    told, known, space, left, is_gray, end = Told(), {}, {}, [], False, 0
    for kind, place, size in _chunks(file):
        end = place + 12 + size
        if kind == b"iCCP":
            told.has_profile = True
        elif kind in _TEXTS and size <= _LARGEST:
            file.seek(place + 8)
            _read_text(known, kind, file.read(size))
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
    told.metadata = Metadata(**known)
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


def _read_text(known: dict[str, Any], kind: bytes, content: bytes) -> None:
    """A text, or the IPTC records or EXIF data that some programs keep in one."""
    keyword = content.split(b"\0", 1)[0]
    if keyword == _XMP:
        return
    profile = _RAW_PROFILE.match(keyword)
    if not profile:
        known["texts"] = (*known.get("texts", ()), (kind, content))
        return
    try:
        packed = content[len(keyword) + 1 :]
        text = zlib.decompress(packed[1:]) if kind == b"zTXt" else packed
        data = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except (zlib.error, ValueError, UnicodeDecodeError):
        return
    if profile[1] == b"iptc":
        known["iptc"] = data
    elif profile[1].lower() in (b"exif", b"app1") and data.startswith(b"Exif\0\0"):
        known["exif"] = data[6:]


def _embed(source: BinaryIO, target: BinaryIO, metadata: Metadata) -> None:
    """Copy a PNG that libvips has written, with metadata in it."""
    comments = ((b"tEXt", b"Comment\0" + text.replace(b"\0", b"")) for text in metadata.comments)
    chunks = list(_chunks(source))
    source.seek(0)
    target.write(source.read(8))
    for kind, place, size in chunks:
        if kind == b"pHYs":
            continue
        source.seek(place)
        _copy(source, target, 12 + size)
        if kind == b"IHDR":
            if metadata.resolution:
                across, down = (round(axis * 1000).to_bytes(4) for axis in metadata.resolution)
                target.write(_chunk(b"pHYs", across + down + b"\1"))
            if metadata.exif:
                target.write(_chunk(b"eXIf", metadata.exif))
            if metadata.xmp:
                target.write(_chunk(b"iTXt", _XMP + b"\0\0\0\0\0" + metadata.xmp))
            for text_kind, content in (*metadata.texts, *comments):
                target.write(_chunk(text_kind, content))


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content).to_bytes(4)
    return len(content).to_bytes(4) + kind + content + checksum


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size > 0:
        piece = source.read(min(size, 1 << 20))
        if not piece:
            raise ValueError("the file is cut off")
        target.write(piece)
        size -= len(piece)
