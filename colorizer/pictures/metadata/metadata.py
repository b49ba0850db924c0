"""What a colored file says about itself: all that its original said, and how its colors arose."""

from dataclasses import dataclass, field, replace
from typing import Any

from colorizer.pictures.metadata import exif, photoshop
from colorizer.pictures.metadata.xmp import mark_xmp

__all__ = ["Metadata", "fitting"]


@dataclass(frozen=True)
class Metadata:
    """What is known of a page.

    Attributes:
        exif: a block, without the "Exif" before it.
        tags: of a TIFF page, all that describe the picture, with their directories.
        xmp: the packet; extended: the extended part of it, where that is apart.
        iptc: records.
        photoshop: image resources, the IPTC records among them.
        texts: chunks of a PNG, as kind and content.
        comments: of a JPEG.
        resolution: across and down, upright, in pixels per millimeter; None if nothing gives it.
        left_out: in words, what no file of ours can hold, or what was damaged.
    """

    exif: bytes = b""
    tags: dict[int, Any] = field(default_factory=dict)
    xmp: bytes = b""
    extended: bytes = b""
    iptc: bytes = b""
    photoshop: bytes = b""
    texts: tuple[tuple[bytes, bytes], ...] = ()
    comments: tuple[bytes, ...] = ()
    resolution: tuple[float, float] | None = None
    left_out: tuple[str, ...] = ()


def fitting(
    found: Metadata, width: int, height: int, comes_upright: bool, system: str, version: str
) -> Metadata:
    """Metadata changed where they described the old pixels, and with the mark.

    Args:
        width, height: of the upright picture, in pixels.
        comes_upright: whether the picture is not turned by what its EXIF data say.
        system, version: for the XMP, see `mark_xmp`.
    """
    left = list(found.left_out)
    resolution = found.resolution
    if found.exif and not found.tags:
        try:
            turned = exif.orientation(found.exif) >= 5 and not comes_upright
            given = exif.resolution_of(exif.to_tags(found.exif))
            resolution = (given[::-1] if turned else given) if given else resolution
        except ValueError:
            found = replace(found, exif=b"")
            left.append("damaged EXIF data")
    packet, lost = mark_xmp(found.xmp, system, version, found.extended)
    if lost:
        left.append("a damaged XMP packet")
    try:
        block = exif.tidied(found.exif, width, height, resolution)
    except ValueError:
        block = exif.tidied(b"", 0, 0, resolution)
        left.append("damaged EXIF data")
    return replace(
        found,
        exif=block,
        xmp=packet,
        extended=b"",
        photoshop=photoshop.fitting(found.photoshop),
        resolution=resolution,
        left_out=tuple(dict.fromkeys(left)),
    )
