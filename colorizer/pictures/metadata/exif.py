"""EXIF data: a block of tags in JPEG, PNG, WebP..., and in TIFF the tags of a page themselves.

What describes the old pixels and their coding changes with them; all else stays, byte for byte
where the block stays a block.

Source: CIPA DC-008 (Exif 3.0), TIFF 6.0.
"""

import io
from collections.abc import Mapping
from typing import Any

from colorizer.pictures.metadata.tags import ASCII, LONG, RATIONAL, SHORT, Directory, Tag, Tags

__all__ = [
    "DIRECTORIES",
    "describing",
    "from_tags",
    "orientation",
    "resolution_of",
    "resolution_tags",
    "says_more",
    "tidied",
    "to_tags",
]

_EXIF, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005
DIRECTORIES = (_EXIF, _GPS, _INTEROP)
"""Tags that point to further tags."""

_ORIENTATION, _ACROSS, _DOWN, _UNIT = 274, 282, 283, 296
_COLOR_SPACE, _SIDES, _PACKED, _GAMMA, _INTEROP_INDEX = 0xA001, (0xA002, 0xA003), 0x9102, 0xA500, 1
_CODING = frozenset(  # tags that describe pixels, their coding and color space, or hold pixels
    {
        *range(254, 260),
        *(262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291),
        *(292, 293, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332),
        *(333, 334, 336, 338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 351),
        *range(512, 522),
        *(529, 530, 531, 532, 559, 32995, 32996, 32997, 32998, 34232, 34675, 37724, 52545),
    }
)
_ELSEWHERE = frozenset({282, 283, 296, 700, 33723, 34377})  # resolution, XMP, IPTC, Photoshop
_RAW = frozenset({*range(50706, 50838), *range(50840, 51200), 33421, 33422})  # of DNG


def describing(tags: Mapping[int, Any]) -> dict[int, Any]:
    """What the tags of a TIFF page, or of an EXIF block, say of the picture."""
    left = _CODING | _ELSEWHERE | (_RAW if 50706 in tags else frozenset())
    return {tag: value for tag, value in tags.items() if tag not in left}


def orientation(block: bytes) -> int:
    """How the picture is turned, 1 to 8; 1 where nothing says."""
    try:
        value = next(Tags.of_block(block).chain()).first(_ORIENTATION, 1)
    except (ValueError, StopIteration):
        return 1
    return value if value in range(1, 9) else 1


def resolution_of(tags: Mapping[int, Any]) -> tuple[float, float] | None:
    """Across and down, in pixels per millimeter; None if it is not given."""
    held = Directory({k: v for k, v in tags.items() if isinstance(v, Tag)}, 0)
    across, down, unit = (held.first(tag) for tag in (_ACROSS, _DOWN, _UNIT))
    if not across or not down or unit == 1 or not (0 < across < 1e6 and 0 < down < 1e6):
        return None
    per_unit = 10 if unit == 3 else 25.4
    return across / per_unit, down / per_unit


def resolution_tags(resolution: tuple[float, float]) -> dict[int, Tag]:
    """A resolution as tags, in dots per inch."""
    values = [Tag.of(RATIONAL, *_ratio(axis * 25.4)) for axis in resolution]
    return {_ACROSS: values[0], _DOWN: values[1], _UNIT: Tag.of(SHORT, 2)}


def _ratio(value: float) -> tuple[int, int]:
    """Dots per inch with four decimals: 299.99994, of a metric file, is meant as 300."""
    return (round(value), 1) if abs(value - round(value)) < 0.02 else (round(value * 10000), 10000)


def tidied(block: bytes, width: int, height: int, resolution: tuple[float, float] | None) -> bytes:
    """A block that fits the colored picture: upright, sRGB, of this size, without thumbnail.

    Args:
        block: without the "Exif" before it; empty if there is none.
        width, height: of the picture, upright.
        resolution: across and down, upright, in pixels per millimeter; None if it is not known.

    Raises:
        ValueError: the block is damaged.
    """
    if not block:
        return from_tags(resolution_tags(resolution)) if resolution else b""
    file = io.BytesIO(block)
    tags = Tags(file)
    main, *more = list(tags.chain())[:2]
    for thumbnail in more:
        start, size = thumbnail.first(513, 0), thumbnail.first(514, 0)
        if 8 < start <= start + size <= len(block):  # gray pixels, and no longer pointed to
            file.seek(start)
            file.write(b"\0" * size)
    changes: dict[int, Any] = dict.fromkeys(main.tags.keys() & (_CODING - {_ORIENTATION}))
    if _ORIENTATION in main.tags:
        changes[_ORIENTATION] = Tag.of(SHORT, 1)
    given = resolution_of(main.tags)
    if resolution is None:
        changes |= dict.fromkeys((_ACROSS, _DOWN, _UNIT))
    elif given is None or any(
        abs(a - b) > 0.01 * b for a, b in zip(given, resolution, strict=True)
    ):
        changes |= resolution_tags(resolution)
    for inner in _below(tags, main, _EXIF):
        tags.change(inner.pointer, _inner(inner, width, height))
        for index in _below(tags, inner, _INTEROP):
            if _INTEROP_INDEX in index.tags:
                tags.change(index.pointer, {_INTEROP_INDEX: Tag(ASCII, b"R98\0")})
    tags.change(main.pointer, changes, following=0)
    return file.getvalue().rstrip(b"\0") + b"\0" * 4 if more else file.getvalue()


def from_tags(tags: Mapping[int, Any]) -> bytes:
    """An Exif block that holds these tags."""
    file = io.BytesIO(b"II*\0\0\0\0\0")
    Tags(file).add(tags, 4)
    return file.getvalue()


def to_tags(block: bytes) -> dict[int, Any]:
    """The tags of a block, with those that it points to.

    Raises:
        ValueError: the block is damaged.
    """
    tags = Tags.of_block(block)
    main = next(tags.chain(), None)
    return {} if main is None else tags.tree(main, DIRECTORIES)


def says_more(block: bytes) -> bool:
    """Whether a block says anything of the picture beside its resolution."""
    return bool(block) and bool(describing(to_tags(block)))


def _below(tags: Tags, directory: Directory, tag: int) -> list[Directory]:
    try:
        return [found for found in tags.below(directory, tag) if found.pointer]
    except ValueError:  # points to nonsense, as it did before
        return []


def _inner(directory: Directory, width: int, height: int) -> dict[int, Any]:
    """Changes of the EXIF directory itself."""
    changes: dict[int, Any] = dict.fromkeys({_PACKED, _GAMMA} & directory.tags.keys())
    if directory.first(_COLOR_SPACE, 1) != 1:
        changes[_COLOR_SPACE] = Tag.of(SHORT, 1)
    for tag, side in zip(_SIDES, (width, height), strict=True):
        if directory.first(tag, side) != side:
            changes[tag] = Tag.of(LONG, side)
    return changes
