"""Through libvips: opening, metadata as blobs, and running a pipeline into a file."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from colorizer.pictures.formats.frames import How
from colorizer.pictures.metadata.metadata import Metadata
from colorizer.pictures.origin import vips_path

if TYPE_CHECKING:
    import pyvips

__all__ = ["KEEP_PROFILE", "RESOLUTION", "blob", "blobs_of", "limited", "open_vips", "render"]

KEEP_PROFILE = "icc"
RESOLUTION = "colorizer-resolution"
"""A field of ours: the resolution of an image is that of its file."""


def open_vips(
    source: Path | bytes, loader: str, how: How, strict: str = "error", **options: Any
) -> "pyvips.Image":
    """The image of a file, not decoded yet.

    Args:
        strict: from what complaint of libvips on decoding fails.
    """
    import pyvips

    options["access"] = "sequential" if how.in_order else "random"
    options["fail_on"] = "none" if how.is_damaged else strict
    if how.frame.page:
        options["page"] = how.frame.page
    if how.shrink > 1:
        options["shrink"] = how.shrink
    if isinstance(source, bytes):
        image = getattr(pyvips.Image, f"{loader}_buffer")(source, **options)
    else:  # revalidate: the file may have changed since libvips last saw this path
        image = getattr(pyvips.Image, loader)(vips_path(source), revalidate=True, **options)
    how.check(image.width, image.height)
    return image


def blob(image: "pyvips.Image", name: str) -> bytes:
    """What libvips holds under a name; empty if there is nothing."""
    return bytes(image.get(name)) if image.get_typeof(name) else b""


def blobs_of(image: "pyvips.Image", has_resolution: bool) -> Metadata:
    """EXIF data, XMP and resolution, as libvips or a reader of ours holds them."""
    known = has_resolution or image.get_typeof(RESOLUTION)
    block = blob(image, "exif-data")
    if block[4:10] == b"Exif\0\0":  # HEIF has a number before it
        block = block[4:]
    return Metadata(
        block.removeprefix(b"Exif\0\0"),
        xmp=blob(image, "xmp-data"),
        resolution=(image.xres, image.yres) if known else None,
    )


def render(
    image: "pyvips.Image", saver: str, file: BinaryIO, threads: int | None, **options: Any
) -> None:
    """Run the pipeline, and write the pixels into an open file, with their profile alone.

    libvips changes, drops or makes up what else it writes.
    """
    options = {"keep": KEEP_PROFILE} | options
    image = limited(image, threads)
    if isinstance(file, io.BytesIO):
        file.write(getattr(image, f"{saver}_buffer")(**options))
    else:
        getattr(image, saver)(vips_path(file.name), **options)


def limited(image: "pyvips.Image", threads: int | None) -> "pyvips.Image":
    """The image, whose pipeline will run on so many threads."""
    import pyvips

    if threads:
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "concurrency", threads)
    return image
