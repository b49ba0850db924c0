"""EXIF data in TIFF files, which libvips neither reads nor writes, through Pillow; and IPTC.

In a TIFF, EXIF data are not one block but tags of the first page, beside those of the pixels.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Exif

__all__ = ["append_tags", "parse_exif", "read_tags"]

_EXIF, _GPS = 0x8769, 0x8825  # tags that point to further tags
_IPTC = 0x83BB
_TEXT, _BYTE, _LONG, _UNDEFINED = 2, 1, 4, 7  # types of values
_TEXTS = {  # what tells of the picture, not of its coding
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x011D: "PageName",
    0x0131: "Software",
    0x0132: "DateTime",
    0x013B: "Artist",
    0x013C: "HostComputer",
    0x8298: "Copyright",
}


def read_tags(source: Path | bytes) -> bytes:
    """The descriptive tags of a TIFF's first page, as a block of EXIF data; empty if none."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=["TIFF"]) as tiff:
                exif, kept = tiff.getexif(), Image.Exif()
                for tag in _TEXTS:
                    if isinstance(exif.get(tag), str):
                        kept[tag] = _as_it_was(exif[tag])
                for tag in (_EXIF, _GPS):
                    further = exif.get_ifd(tag).items()
                    kept.get_ifd(tag).update(
                        (k, _as_it_was(v)) for k, v in further if not isinstance(v, dict)
                    )
            return b"" if _is_empty(kept) else kept.tobytes()
        except Exception:  # damaged tags raise nearly anything, and are no reason to stop
            return b""


def parse_exif(block: bytes) -> "Exif | None":
    """A block of EXIF data as Pillow has it; None if it is damaged or holds nothing to keep."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exif = Image.Exif()
            exif.load(block)
            return None if _is_empty(exif) else exif
        except Exception:  # as above
            return None


def append_tags(file: BinaryIO, exif_data: bytes, iptc: bytes) -> None:
    """Add descriptive tags to the first page of a TIFF that libvips has just written.

    The tags that are there stay as they are, but for the IPTC data, of which libvips 8.18 writes
    a quarter; the new list of tags goes to the end of the file. Files over 4 GB (BigTIFF) are
    left alone.

    Args:
        file: the TIFF, open for reading and writing.
        exif_data: a block of EXIF data; empty or damaged if there are none.
        iptc: IPTC records; empty if there are none.
    """
    exif = parse_exif(exif_data)
    added = list(_values(exif)) if exif else []
    if iptc:
        added.append((_IPTC, _UNDEFINED, len(iptc), iptc))
    if not added:
        return
    file.seek(0)
    order, magic, start = struct.unpack("<2sHI", file.read(8))
    if order != b"II" or magic != 42:
        return
    file.seek(start)
    (count,) = struct.unpack("<H", file.read(2))
    entries = [file.read(12) for _ in range(count)]
    following = file.read(4)
    entries = [entry for entry in entries if entry[:2] != struct.pack("<H", _IPTC)]
    present = {entry[:2] for entry in entries}
    end = file.seek(0, io.SEEK_END)
    data = b"\0" * (end % 2)  # everything lies at an even place
    for tag, kind, number, value in added:
        if struct.pack("<H", tag) in present:
            continue
        place = end + len(data)
        content = value if isinstance(value, bytes) else _subtags(value, place)
        data += content + b"\0" * (len(content) % 2)
        # up to four bytes stand in the entry itself
        inline = content.ljust(4, b"\0") if len(content) <= 4 else struct.pack("<I", place)
        entries.append(struct.pack("<HHI", tag, kind, number) + inline)
    file.write(data)
    start = end + len(data)
    file.write(struct.pack("<H", len(entries)))
    file.write(b"".join(sorted(entries, key=lambda entry: entry[1::-1])) + following)
    file.seek(4)
    file.write(struct.pack("<I", start))


def _is_empty(exif: "Exif") -> bool:
    return not (any(tag in exif for tag in _TEXTS) or exif.get_ifd(_EXIF) or exif.get_ifd(_GPS))


def _values(exif: "Exif") -> Iterator[tuple[int, int, int, Any]]:
    """Tag, type, count and value: zero-terminated text, or a dictionary of further tags."""
    for tag in _TEXTS:
        if isinstance(exif.get(tag), str):
            text = _as_it_was(exif[tag]).encode() + b"\0"
            yield tag, _TEXT, len(text), text
    for tag in (_EXIF, _GPS):
        if subtags := exif.get_ifd(tag):
            yield tag, _LONG, 1, subtags


def _subtags(values: dict[int, Any], place: int) -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    directory = ImageFileDirectory_v2(ifh=b"II*\0\x08\0\0\0")
    for tag, value in values.items():
        if isinstance(value, dict):
            continue
        if isinstance(value, bytes):
            directory.tagtype[tag] = _BYTE if tag in (0, 5) else _UNDEFINED  # 0, 5: of GPS
        directory[tag] = _as_it_was(value)
    return directory.tobytes(place)


class _Text(str):
    """A text whose bytes stay: Pillow reads them as Latin-1, and would write them as ASCII.

    Most programs write UTF-8.
    """

    def encode(self, *_: str) -> bytes:
        return super().encode("latin-1")


def _as_it_was(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value
