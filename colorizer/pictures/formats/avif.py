"""AVIF: read and written by libvips, which makes a resolution up."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from colorizer.pictures.formats.boxes import beside, brands
from colorizer.pictures.formats.format import Format, Frame, How, Output, OutputPage, Told, register
from colorizer.pictures.formats.vips import open_vips, render
from colorizer.pictures.metadata.metadata import Metadata
from colorizer.pictures.metadata.tags import Tags
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["Avif"]

_KEEP_EXIF_XMP = 1 | 2 | 8
_EXIF_BLOCK = re.compile(rb"Exif\0\0(?:II\*\0|MM\0\*)")


@register
class Avif(Format):
    """AVIF, read and written by libvips."""

    name = "AVIF"
    suffixes = (".avif",)
    loader = "heifload"
    comes_upright = True
    bytes_read, bytes_written = 20, 25
    deepest = 16
    holds = frozenset({"alpha", "exif", "xmp", "resolution"})

    def accepts(self, head: bytes) -> bool:
        return any(brand in (b"avif", b"avis", b"MA1A", b"MA1B") for brand in brands(head))

    def look(self, source: Path | bytes, name: str) -> Told:
        with opened(source) as file:
            told = Told(left_out=beside(file))
        image = open_vips(source, self.loader, How())
        first = image.get("heif-primary") if image.get_typeof("heif-primary") else 0
        told.frames = [Frame(first)]
        return told

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        image = open_vips(source, self.loader, how)
        return _full_range(image) if image.format == "ushort" else image

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        page = next(pages)
        depth = 8 if page.image.format == "uchar" else 12
        image = _with_blobs(page.image, page.metadata)
        options = {"compression": "av1", "Q": 80, "bitdepth": depth, "keep": _KEEP_EXIF_XMP}
        render(image, "heifsave", output.file, output.threads, **options)
        if not page.metadata.resolution:
            _without_resolution(output.file)


def _full_range(image: "pyvips.Image") -> "pyvips.Image":
    """libvips shifts 10 and 12 bits to the left, which leaves white below 65,535."""
    white = 65536 - 2 ** (16 - image.get("bits-per-sample"))
    return (image * (65535 / white)).rint().cast("ushort")


def _with_blobs(image: "pyvips.Image", metadata: Metadata) -> "pyvips.Image":
    """The image with EXIF data and XMP for libvips to write."""
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


def _without_resolution(file: BinaryIO) -> None:
    """Take the resolution that libvips makes up out of the EXIF data, in place."""
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
