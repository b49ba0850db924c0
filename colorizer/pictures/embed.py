"""Put metadata into files whose pixels are written, and tell what a format cannot hold.

libvips writes pixels and profile alone: what it writes of EXIF, XMP and texts it changes, drops
over 64 kB without an error, or makes up.
"""

import io
import re
import shutil
import struct
from typing import TYPE_CHECKING, BinaryIO

from colorizer.pictures import chunks, exif, jpeg, photoshop
from colorizer.pictures.boxes import EXIF_UUID, XMP_UUID, boxes
from colorizer.pictures.metadata import Metadata
from colorizer.pictures.tags import BYTE, LONG, SHORT, UNDEFINED, Tag, Tags
from colorizer.pictures.tiff import STRIPS
from colorizer.pictures.xmp import split_xmp

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "amend_avif",
    "append_page",
    "copy_with",
    "into_tiff",
    "losses",
    "with_blobs",
]

_XMP, _IPTC, _PHOTOSHOP, _EXTRA = 700, 33723, 34377, 338
_LONG8 = 16
_EXIF_BLOCK = re.compile(rb"Exif\0\0(?:II\*\0|MM\0\*)")
_MOST_XMP = jpeg.LARGEST - 29  # what the name of the segment leaves
_MOST_EXIF = jpeg.LARGEST - 6
_MOST_PHOTOSHOP = jpeg.LARGEST - 14


def losses(metadata: Metadata, saver: str, kind: str, name: str) -> list[str]:
    """Sentences on what a format cannot hold: one for each kind that is there.

    Args:
        saver: see `save`; kind: what people call it; name: of the file.
    """
    holds_none = saver in ("gifsave", "bmp")
    lost = []
    if holds_none and metadata.exif:
        lost.append(f"{name}: {kind} holds no EXIF data; they are left out")
    if saver == "bmp":
        lost.append(f"{name}: BMP has no place for XMP; it lies where other programs do not look")
    if saver == "jpegsave" and len(metadata.exif) > _MOST_EXIF:
        lost.append(f"{name}: JPEG holds 64 kB of EXIF data, and these are more; they are left out")
    resources = photoshop.with_iptc(metadata.photoshop, metadata.iptc)
    if saver == "jpegsave" and len(resources) > _MOST_PHOTOSHOP:
        lost.append(f"{name}: JPEG holds 64 kB of IPTC data, and these are more; they are left out")
    if metadata.iptc and saver not in ("jpegsave", "tiffsave"):
        lost.append(f"{name}: only JPEG and TIFF hold IPTC data; they are left out")
    resources = photoshop.without_iptc(metadata.photoshop)
    if resources and saver not in ("jpegsave", "tiffsave"):
        lost.append(f"{name}: only JPEG and TIFF hold data of Photoshop; they are left out")
    if metadata.texts and saver != "pngsave":
        words = ", ".join(_keywords(metadata))
        lost.append(f"{name}: only PNG holds its texts ({words}); they are left out")
    if metadata.comments and saver not in ("jpegsave", "pngsave"):
        lost.append(f"{name}: only JPEG and PNG hold its comment; it is left out")
    if metadata.resolution and saver == "gifsave":
        lost.append(f"{name}: GIF holds no resolution; it is left out")
    return lost


def _keywords(metadata: Metadata) -> list[str]:
    keys = (content.split(b"\0", 1)[0].decode("latin-1") for _, content in metadata.texts)
    return list(dict.fromkeys(keys))


def copy_with(source: BinaryIO, target: BinaryIO, saver: str, metadata: Metadata) -> None:
    """Copy a JPEG, PNG, WebP or JPEG 2000, with metadata in it."""
    if saver == "jpegsave":
        packet, further = split_xmp(metadata.xmp, _MOST_XMP)
        resources = photoshop.with_iptc(metadata.photoshop, metadata.iptc)
        jpeg.embed(
            source,
            target,
            exif=metadata.exif if len(metadata.exif) <= _MOST_EXIF else b"",
            xmp=packet,
            further=further,
            photoshop=resources if len(resources) <= _MOST_PHOTOSHOP else b"",
            comments=metadata.comments,
            resolution=metadata.resolution,
        )
    elif saver == "pngsave":
        comments = tuple((b"tEXt", b"Comment\0" + _latin(text)) for text in metadata.comments)
        chunks.embed_png(
            source,
            target,
            exif=metadata.exif,
            xmp=metadata.xmp,
            texts=metadata.texts + comments,
            resolution=metadata.resolution,
        )
    elif saver == "webpsave":
        chunks.embed_webp(source, target, exif=metadata.exif, xmp=metadata.xmp)
    else:
        _into_jp2(source, target, metadata)


def _latin(text: bytes) -> bytes:
    return text.replace(b"\0", b"")


def with_blobs(image: "pyvips.Image", metadata: Metadata) -> "pyvips.Image":
    """The image with EXIF data and XMP for libvips to write, as it must for AVIF."""
    import pyvips

    result = image.copy()
    blobs = (
        ("exif-data", metadata.exif and b"Exif\0\0" + metadata.exif),
        ("xmp-data", metadata.xmp),
    )
    for field, data in blobs:
        if data:
            result.set_type(pyvips.GValue.blob_type, field, data)
    if metadata.resolution:
        result = result.copy(xres=metadata.resolution[0], yres=metadata.resolution[1])
    return result


def amend_avif(file: BinaryIO, metadata: Metadata) -> None:
    """Take the resolution that libvips makes up out of the EXIF data of an AVIF, in place."""
    if metadata.resolution:
        return
    file.seek(0)
    data = file.read()
    found = _EXIF_BLOCK.search(data)
    if not found:
        return
    start = found.start() + 6
    block = io.BytesIO(data[start:])
    tags = Tags(block)
    main = next(tags.chain())
    tags.change(main.pointer, dict.fromkeys((282, 283, 296)))
    file.seek(start)
    file.write(block.getvalue())


def into_tiff(file: BinaryIO, metadata: Metadata, extra: tuple[int, ...]) -> None:
    """Give the one page of a TIFF that libvips has written its tags.

    Args:
        extra: values of ExtraSamples.
    """
    tags = Tags(file)
    added = dict(metadata.tags) or (
        exif.describing(exif.to_tags(metadata.exif)) if metadata.exif else {}
    )
    added |= dict.fromkeys((282, 283, 296))
    added |= exif.resolution_tags(metadata.resolution) if metadata.resolution else {}
    added[_XMP] = Tag(BYTE, metadata.xmp) if metadata.xmp else None
    added[_IPTC] = Tag(UNDEFINED, metadata.iptc) if metadata.iptc else None
    resources = photoshop.without_iptc(metadata.photoshop)
    if resources:
        added[_PHOTOSHOP] = Tag(BYTE, resources)
    if extra:
        added[_EXTRA] = Tag.of(SHORT, *extra)
    tags.change(next(tags.chain()).pointer, added)


def append_page(target: BinaryIO, page: BinaryIO) -> None:
    """Add the one page of a TIFF as the last of another one."""
    source, tags = Tags(page), Tags(target)
    found = next(source.chain())
    held = source.tree(found, exif.DIRECTORIES)
    kind = _LONG8 if tags.is_big else LONG
    for places, sizes in ((273, 279), (324, 325)):
        if places in held:
            pairs = zip(found.numbers(places), found.numbers(sizes), strict=True)
            held[places] = Tag.of(kind, *(tags.copy(page, place, size) for place, size in pairs))
    *_, last = tags.chain(STRIPS)
    tags.add(held, last.end)


def _into_jp2(source: BinaryIO, target: BinaryIO, metadata: Metadata) -> None:
    """Copy a JP2 that Pillow has written: resolution in its header, the rest before the pixels."""
    place = 0
    for kind, start, end in list(boxes(source)):
        if kind not in (b"jP  ", b"ftyp", b"jp2h", b"jp2c"):
            continue
        head = start - place
        source.seek(start)
        content = source.read(end - start) if kind != b"jp2c" else b""
        if kind == b"jp2h" and metadata.resolution:
            content += _box(b"res ", _box(b"resc", _meter(metadata.resolution)))
        if kind == b"jp2c":
            for name, data in ((XMP_UUID, metadata.xmp), (EXIF_UUID, metadata.exif)):
                target.write(_box(b"uuid", name + data) if data else b"")
            source.seek(place)
            shutil.copyfileobj(source, target, 1 << 20)
            return
        target.write(_box(kind, content))
        place += head + (end - start)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _meter(resolution: tuple[float, float]) -> bytes:
    """Down and across, in pixels per meter, as numbers over 100 with a power of ten."""
    numbers = []
    for axis in resolution[::-1]:
        value, power = axis * 1000, 0
        while value * 100 > 65535:
            value, power = value / 10, power + 1
        numbers.append((round(value * 100), 100, power))
    (down, below, power), (across, _, other) = numbers
    return struct.pack(">4H2b", down, below, across, below, power, other)
