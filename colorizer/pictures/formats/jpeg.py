"""JPEG: its segments, which libvips reads in part, whether it is whole, and writing.

Sources: ITU T.81 annex B, CIPA DC-008, Adobe's XMP specification part 3 (extended XMP).
"""

import dataclasses
import hashlib
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from colorizer.pictures.formats.format import Format, Frame, How, Output, OutputPage, Told, register
from colorizer.pictures.formats.vips import open_vips, render
from colorizer.pictures.metadata import photoshop
from colorizer.pictures.metadata.behind import behind
from colorizer.pictures.metadata.metadata import Metadata
from colorizer.pictures.metadata.tags import Tags
from colorizer.pictures.metadata.xmp import split_xmp

if TYPE_CHECKING:
    import pyvips

__all__ = ["Jpeg"]

_LARGEST = 65_533  # bytes that a segment holds
_MOST_XMP = _LARGEST - 29  # what the name of the segment leaves
_MOST_EXIF = _LARGEST - 6
_MOST_PHOTOSHOP = _LARGEST - 14

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_FURTHER_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_PIECE = 65_000
_SCAN, _COMMENT = 0xDA, 0xFE
_KNOWN = (  # what the colored file writes anew, or what described the old coding alone
    *((0xE0, b"JFIF\0"), (0xE0, b"JFXX\0"), (0xE1, _EXIF), (0xE1, _XMP), (0xE1, _FURTHER_XMP)),
    *((0xE2, b"ICC_PROFILE\0"), (0xED, _PHOTOSHOP), (0xEE, b"Adobe"), (0xEC, b"Ducky")),
)
_TELLING = {
    b"JP": "content credentials (C2PA)",
    b"FPXR": "FlashPix data",
    b"urn:iso:std:iso:ts:21496": "what tells of a gain map (HDR)",
}


@register
class Jpeg(Format):
    """JPEG, and the first picture of an MPO."""

    name = "JPEG"
    suffixes = (".jpg", ".jpeg", ".jpe", ".jfif")
    other_suffixes = (".mpo", ".jpg_large", ".jpeg_large")
    loader = "jpegload"
    shrinks = True
    bytes_interlaced = 3
    holds = frozenset({"exif", "xmp", "iptc", "photoshop", "comments", "resolution"})

    def accepts(self, head: bytes) -> bool:
        return head.startswith(b"\xff\xd8\xff")

    def look(self, source: Path | bytes, name: str) -> Told:
        whole = source if isinstance(source, bytes) else source.read_bytes()
        told, is_odd = _read(io.BytesIO(whole))
        end = _end_of(whole)
        if end < 0:
            told.data = whole + b"\xff\xd9"
            told.notes = (f"{name} lacks its end marker; all of its pixels are there",)
        else:
            told.left_out += behind(whole[end:], told.pictures)
        if is_odd:
            told.data = _cleaned(told.data or whole)
        return told

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        return open_vips(source, self.loader, how, strict="warning")

    def check(self, data: Path | bytes) -> None:
        _check_whole(data if isinstance(data, bytes) else data.read_bytes())

    def metadata(
        self, source: Path | bytes, told: Told, frame: Frame, image: "pyvips.Image"
    ) -> Metadata:
        found = told.metadata or Metadata()
        resolution = (image.xres, image.yres) if told.has_resolution else None
        return dataclasses.replace(found, resolution=resolution)

    def losses(self, page: OutputPage) -> list[str]:
        lost = []
        if len(page.metadata.exif) > _MOST_EXIF:
            lost.append("EXIF")
        if len(photoshop.with_iptc(page.metadata.photoshop, page.metadata.iptc)) > _MOST_PHOTOSHOP:
            lost.append("IPTC")
        return [
            f"JPEG holds 64 kB of {kind} data, and these are more; they are left out"
            for kind in lost
        ]

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        page = next(pages)
        image = page.image.flatten(background=255) if page.image.hasalpha() else page.image
        bare = output.aside()
        render(image, "jpegsave", bare, output.threads, Q=95)
        bare.seek(0)
        _embed(bare, output.file, page.metadata)


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Marker, content and place of each segment; the last is the first scan."""
    file.seek(2)
    while True:
        start = file.tell()
        byte = file.read(1)
        if byte != b"\xff":
            if not byte:
                return
            continue  # bytes between segments, which every reader passes over
        while byte == b"\xff":
            byte = file.read(1)
        marker = byte[0] if byte else 0xD9
        if marker == 0xD9:
            return
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            continue
        size = int.from_bytes(file.read(2))
        content = file.read(max(0, size - 2))
        yield marker, content, start
        if marker == _SCAN or len(content) < size - 2:
            return


def _read(file: BinaryIO) -> tuple[Told, bool]:
    """What the segments say, and whether there is something that `_cleaned` takes away.

    What is damaged is passed over.
    """
    told, is_odd, pieces, left, end = Told(), False, {}, [], 2
    exif = xmp = extended = resources = b""
    comments = []
    for marker, content, start in _segments(file):
        is_odd |= start != end or content != _usual(marker, content)
        end = start + 4 + len(content)
        if marker == 0xE1 and content.startswith(_EXIF) and not exif:
            exif = content[len(_EXIF) :]
        elif marker == 0xE1 and content.startswith(_XMP) and not xmp:
            xmp = content[len(_XMP) :]
        elif marker == 0xE1 and content.startswith(_FURTHER_XMP):
            at = len(_FURTHER_XMP)
            name, place = content[at : at + 32], int.from_bytes(content[at + 36 : at + 40])
            pieces.setdefault(name, {})[place] = content[at + 40 :]
        elif marker == 0xED and content.startswith(_PHOTOSHOP):
            resources += content[len(_PHOTOSHOP) :]
        elif marker == _COMMENT:
            comments.append(content)
        elif marker == 0xE0 and content.startswith(b"JFIF\0"):
            density = int.from_bytes(content[8:10]) * int.from_bytes(content[10:12])
            told.has_resolution = content[7:8] in (b"\1", b"\2") and density > 0
        elif 0xE0 <= marker <= 0xEF and (marker, content[:4]) == (0xE2, b"MPF\0"):
            told.pictures = max(1, _count_pictures(content[4:]))
        elif 0xE0 <= marker <= 0xEF and not any(
            marker == known and content.startswith(head) for known, head in _KNOWN
        ):
            left.append(_name(marker, content))
    told.left_out = tuple(dict.fromkeys(left))
    for name, parts in pieces.items():
        if name in xmp:
            extended = b"".join(parts[place] for place in sorted(parts))
    told.metadata = Metadata(
        exif,
        xmp=xmp,
        extended=extended,
        iptc=photoshop.iptc_of(resources),
        photoshop=resources,
        comments=tuple(comments),
    )
    return told, is_odd


def _name(marker: int, content: bytes) -> str:
    for head, words in _TELLING.items():
        if content.startswith(head):
            return words
    told = re.match(rb"[ -~]{3,20}", content)
    called = f" ({told[0].decode()})" if told else ""
    return f"application data APP{marker - 0xE0}{called}"


def _count_pictures(block: bytes) -> int:

    try:
        return int(next(Tags(io.BytesIO(block)).chain()).first(0xB001, 1))
    except (ValueError, StopIteration):
        return 1


def _end_of(data: bytes) -> int:
    """Where the picture ends: the place behind its end marker; -1 where that is missing."""
    file = io.BytesIO(data)
    place = 0
    for _, content, start in _segments(file):
        place = start + 4 + len(content)
    while place:  # from marker to marker: after each scan may come further ones
        found = _MARKER.search(data, place)
        if not found:
            break
        if found[0][1] == 0xD9:
            return found.end()
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return len(data) if data.rstrip(b"\0").endswith(b"\xff\xd9") else -1


_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


def _cleaned(data: bytes) -> bytes:
    """The file without what libjpeg warns of before any pixel, so that damage alone is warned of.

    These are stray bytes between segments, and numbers that everybody takes as the usual ones.
    """
    file = io.BytesIO(data)
    parts = [_segment(m, _usual(m, content)) for m, content, _ in _segments(file)]
    return b"\xff\xd8" + b"".join(parts) + data[file.tell() :]


def _usual(marker: int, content: bytes) -> bytes:
    """A segment with a version of JFIF, and a color transform of Adobe, that there are."""
    if marker == 0xE0 and content.startswith(b"JFIF\0") and content[5:6] != b"\1":
        return content[:5] + b"\1" + content[6:]
    if marker == 0xEE and content.startswith(b"Adobe") and content[11:12] > b"\2":
        return content[:11] + b"\1" + content[12:]
    return content


def _check_whole(data: bytes) -> None:
    """Decode all of a file, small, to see whether it is damaged, as far as JPEG can show that.

    libvips does not look at what is left over when the last row is decoded, by which most damage
    shows.

    Raises:
        ValueError: it is; the message is that of libjpeg.
    """
    import simplejpeg

    smallest = {"min_height": 1, "min_width": 1, "min_factor": 1}
    try:
        space = simplejpeg.decode_jpeg_header(data)[2]
        space = "CMYK" if space in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(data, space, fastdct=True, fastupsample=True, **smallest)
    except ValueError as error:
        if str(error).startswith(("Corrupt JPEG data", "Premature end")):
            raise


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


def _embed(source: BinaryIO, target: BinaryIO, metadata: Metadata) -> None:
    """Copy a JPEG that libvips has written, with metadata in it, as far as segments hold them."""
    packet, further = split_xmp(metadata.xmp, _MOST_XMP)
    resources = photoshop.with_iptc(metadata.photoshop, metadata.iptc)
    segments = [_segment(0xE0, _jfif(metadata.resolution))]
    for marker, _, start in _segments(source):
        if marker != 0xE0:  # what libvips may have written of JFIF
            source.seek(start)
            break
    if metadata.exif and len(metadata.exif) <= _MOST_EXIF:
        segments.append(_segment(0xE1, _EXIF + metadata.exif))
    if packet:
        segments.append(_segment(0xE1, _XMP + packet))
    if further:
        head = _FURTHER_XMP + hashlib.md5(further).hexdigest().upper().encode()
        head += len(further).to_bytes(4)
        for at in range(0, len(further), _PIECE):
            piece = at.to_bytes(4) + further[at : at + _PIECE]
            segments.append(_segment(0xE1, head + piece))
    if resources and len(resources) <= _MOST_PHOTOSHOP:
        segments.append(_segment(0xED, _PHOTOSHOP + resources))
    segments += [_segment(_COMMENT, comment) for comment in metadata.comments]
    target.write(b"\xff\xd8" + b"".join(segments))
    shutil.copyfileobj(source, target, 1 << 20)


def _jfif(resolution: tuple[float, float] | None) -> bytes:
    dots = [round(axis * 25.4) for axis in resolution or ()]
    fits = bool(dots) and all(0 < axis < 65536 for axis in dots)
    across, down = dots if fits else (1, 1)
    return b"JFIF\0\1\2" + bytes((fits,)) + across.to_bytes(2) + down.to_bytes(2) + b"\0\0"
