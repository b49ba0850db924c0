"""What a file says of its pictures, and how one of them is to be opened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from colorizer.pictures.metadata.metadata import Metadata

if TYPE_CHECKING:
    from colorizer.pictures.metadata.tags import Directory

__all__ = ["Frame", "How", "Told"]


@dataclass(frozen=True)
class Frame:
    """A picture in a file.

    Attributes:
        page: its number.
        sub: of a TIFF, the number of its SubIFD; -1 for none.
        directory: of a TIFF, its tags.
        reader: "" for that of the format, or the name of another one.
    """

    page: int = 0
    sub: int = -1
    directory: "Directory | None" = None
    reader: str = ""


@dataclass
class Told:
    """What a file says before any of its pixels are decoded.

    Attributes:
        frames: the pictures to color.
        notes: sentences that the user should read.
        metadata: of the file; None where they come with the decoded image.
        left_out: in words, what no file of ours can hold.
        pictures: how many the file holds, all in all.
        data: what is to be decoded instead of the file.
        profile: of its colors, where the image itself has none.
        has_profile: whether there should be one.
        has_resolution: whether the resolution that libvips gives is the file's.
        own: what the format itself wants to know again when it opens the file.
    """

    frames: list[Frame] = field(default_factory=lambda: [Frame()])
    notes: tuple[str, ...] = ()
    metadata: Metadata | None = None
    left_out: tuple[str, ...] = ()
    pictures: int = 1
    data: bytes | None = None
    profile: bytes = b""
    has_profile: bool = False
    has_resolution: bool = False
    own: Any = None


@dataclass(frozen=True)
class How:
    """How a picture is to be opened.

    Attributes:
        frame: which of several.
        told: what `Format.look` has found.
        check: is called with width and height before pixels are decoded, and may raise.
        header: what the image says of itself is enough; its pixels may be black.
        shrink: 1, 2, 4 or 8: decode it that much smaller; only if the format `shrinks`.
        in_order: rows are asked for from top to bottom.
        is_damaged: as much is decoded as can be.
    """

    frame: Frame = field(default_factory=Frame)
    told: Told = field(default_factory=Told)
    check: Callable[[int, int], None] = lambda width, height: None
    header: bool = False
    shrink: int = 1
    in_order: bool = True
    is_damaged: bool = False
