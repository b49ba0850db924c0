"""What a colored file says about itself: all that its original said, and how its colors arose."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from colorizer.pictures import exif, photoshop, tiff
from colorizer.pictures.chunks import PngTold
from colorizer.pictures.header import Page, Picture
from colorizer.pictures.jpeg import Told
from colorizer.pictures.lightness import is_srgb
from colorizer.pictures.profiles import color_space
from colorizer.pictures.tags import Tag, Tags
from colorizer.pictures.xmp import mark_xmp

if TYPE_CHECKING:
    import pyvips

__all__ = ["Metadata", "read_metadata", "sentences", "with_profile"]

_ICC = "icc-profile-data"
_XMP, _IPTC, _PHOTOSHOP = 700, 33723, 34377
_LEFT = {37724: "layers of Photoshop", 52545: "content credentials (C2PA)"}


@dataclass(frozen=True)
class Metadata:
    """What is known of a page, as it will be written.

    Attributes:
        exif: a block, without the "Exif" before it.
        tags: of a TIFF page, all that describe the picture, with their directories.
        xmp: the packet.
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
    iptc: bytes = b""
    photoshop: bytes = b""
    texts: tuple[tuple[bytes, bytes], ...] = ()
    comments: tuple[bytes, ...] = ()
    resolution: tuple[float, float] | None = None
    left_out: tuple[str, ...] = ()


def read_metadata(
    picture: Picture, number: int, original: "pyvips.Image", system: str, version: str
) -> Metadata:
    """The metadata of a page, changed where they described the old pixels, and with the mark.

    Args:
        number: an index into the pages.
        original: the page as decoded, upright.
        system, version: for the XMP, see `mark_xmp`.
    """
    further, told = b"", picture.told
    page = picture.pages[number] if picture.pages else None
    if page is not None and page.frame.directory is not None:
        found = _of_tiff(picture, page)
    else:
        found = Metadata(
            _without_head(_blob(original, "exif-data")),
            xmp=_blob(original, "xmp-data"),
            resolution=_known_resolution(picture, original),
        )
    if isinstance(told, Told):
        further = told.further
        found = replace(
            found,
            exif=told.exif,
            xmp=told.xmp,
            iptc=photoshop.iptc_of(told.photoshop),
            photoshop=photoshop.fitting(told.photoshop),
            comments=told.comments,
            left_out=told.left_out,
        )
    elif isinstance(told, PngTold):
        found = replace(
            found,
            exif=found.exif or told.exif,
            texts=told.texts,
            iptc=told.iptc,
            left_out=told.left_out,
        )
    left = list(found.left_out)
    resolution = found.resolution
    if found.exif and not found.tags:
        try:
            turned = exif.orientation(found.exif) >= 5 and not _comes_upright(picture)
            given = exif.resolution_of(exif.to_tags(found.exif))
            resolution = (given[::-1] if turned else given) if given else resolution
        except ValueError:
            found = replace(found, exif=b"")
            left.append("damaged EXIF data")
    packet, lost = mark_xmp(found.xmp, system, version, further)
    if lost:
        left.append("a damaged XMP packet")
    try:
        block = exif.tidied(found.exif, original.width, original.height, resolution)
    except ValueError:
        block = exif.tidied(b"", 0, 0, resolution)
        left.append("damaged EXIF data")
    return replace(found, exif=block, xmp=packet, resolution=resolution, left_out=tuple(left))


def sentences(metadata: Metadata, name: str) -> list[str]:
    """What of the original no file of ours will hold."""
    return [f"{name}: {words} cannot be kept and are left out" for words in metadata.left_out]


def with_profile(image: "pyvips.Image", original: "pyvips.Image") -> "pyvips.Image":
    """The pixels with an sRGB profile - that of the original, if it is one - and nothing else."""
    import pyvips

    profile = _blob(original, _ICC)
    own = int.from_bytes(profile[:4]) == len(profile) and color_space(profile) == "RGB"
    result = image.copy()
    for name in result.get_fields():
        if result.get_typeof(name) and name not in _HEADER:
            result.remove(name)
    if not (own and is_srgb(original)):
        profile = pyvips.Operation.call("profile_load", "srgb")
    result.set_type(pyvips.GValue.blob_type, _ICC, profile)
    return result


_HEADER = (
    *("width", "height", "bands", "format", "coding", "interpretation"),
    *("xoffset", "yoffset", "xres", "yres", "filename"),
)


def _of_tiff(picture: Picture, page: Page) -> Metadata:
    held = page.frame.directory
    left = [words for tag, words in _LEFT.items() if tag in held.tags]
    try:
        with tiff.opened(picture.source) as file:
            tree = Tags(file).tree(held, exif.DIRECTORIES)
    except ValueError:
        tree = {tag: value for tag, value in held.tags.items() if tag not in exif.DIRECTORIES}
        left.append("damaged EXIF data")
    tags = exif.describing(tree)
    resolution = exif.resolution_of(held.tags)
    if resolution and page.orientation >= 5:
        resolution = resolution[::-1]
    resources = _bytes(held.tags.get(_PHOTOSHOP))
    block = exif.from_tags(tags | (exif.resolution_tags(resolution) if resolution else {}))
    return Metadata(
        block if tags else b"",
        tags,
        _bytes(held.tags.get(_XMP)),
        _records(held.tags.get(_IPTC)) or photoshop.iptc_of(resources),
        photoshop.fitting(resources),
        resolution=resolution,
        left_out=tuple(left),
    )


def _records(tag: Tag | None) -> bytes:
    """IPTC records, of which some programs say that they were numbers, or of Photoshop."""
    data = _bytes(tag)
    return photoshop.iptc_of(data) if data.startswith(b"8BIM") else data


def _bytes(tag: Tag | None) -> bytes:
    return b"" if tag is None else tag.data


def _known_resolution(picture: Picture, original: "pyvips.Image") -> tuple[float, float] | None:
    known = picture.told is not None and picture.told.has_resolution
    if known or original.get_typeof("colorizer-resolution"):
        return original.xres, original.yres
    return None


def _comes_upright(picture: Picture) -> bool:
    """Whether the decoder turns the picture, whatever its EXIF data say."""
    return picture.loader in ("heifload", "heic")


def _without_head(block: bytes) -> bytes:
    """An EXIF block from its first tag on: HEIF has numbers before it, others the word "Exif"."""
    return (
        block[4:].removeprefix(b"Exif\0\0")
        if block[4:10] == b"Exif\0\0"
        else block.removeprefix(b"Exif\0\0")
    )


def _blob(image: "pyvips.Image", name: str) -> bytes:
    return bytes(image.get(name)) if image.get_typeof(name) else b""
