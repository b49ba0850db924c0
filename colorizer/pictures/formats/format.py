"""What the house must know of a picture format: one class for each, in a file of its own.

A subclass under `@register` is all that a new format needs (and an import in `formats/__init__`):
finding, opening, saving, the memory that is set aside, and the contract tests ask the registry.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from colorizer.pictures.formats.frames import Frame, How, Told
from colorizer.pictures.formats.vips import open_vips
from colorizer.pictures.metadata.metadata import Metadata

if TYPE_CHECKING:
    import pyvips

__all__ = ["FORMATS", "Format", "Frame", "How", "Output", "OutputPage", "Told", "register"]


@dataclass(frozen=True)
class OutputPage:
    """A page to write.

    Attributes:
        image: sRGB, with or without alpha, uchar or ushort, with its profile; lazy.
        metadata: see `Picture.metadata`.
        further: channels that are neither color nor transparency; None if there are none.
    """

    image: "pyvips.Image"
    metadata: Metadata = field(default_factory=Metadata)
    further: "pyvips.Image | None" = None


@dataclass(frozen=True)
class Output:
    """An open file to write to.

    Attributes:
        file: of the picture, empty.
        aside: makes a file for what is put aside.
        threads: of libvips; None takes all cores.
        raw_bytes: of all pages, not packed.
    """

    file: BinaryIO
    aside: Callable[[], BinaryIO]
    threads: int | None = None
    raw_bytes: int = 0


class Format:
    """One picture format; a subclass says what differs.

    Attributes:
        name: what people call it.
        suffixes: what the names of its files end with, in lower case; where it is written, the
            first is that of a picture whose own name says nothing.
        other_suffixes: of files that are read, and get another suffix when they are written.
        becomes: the suffix of results, where the format itself is not written.
        loader: the operation of libvips that reads it.
        shrinks: whether it can be decoded at a fraction of its size.
        comes_upright: whether the decoder turns the picture, whatever its EXIF data say.
        bytes_read, bytes_written: that decoding and encoding take for each pixel of 8 bits beside
            what streams, measured and rounded up.
        bytes_interlaced: that an interlaced file takes besides, for each byte of a pixel.
        deepest: bits per channel that it is written with.
        holds: which kinds of metadata it is written with: "alpha", "further", "pages", "exif",
            "xmp", "iptc", "photoshop", "texts", "comments", "resolution".
    """

    name = ""
    suffixes: tuple[str, ...] = ()
    other_suffixes: tuple[str, ...] = ()
    becomes = ""
    loader = ""
    shrinks = False
    comes_upright = False
    bytes_read = 0
    bytes_written = 0
    bytes_interlaced = 0
    deepest = 8
    holds: frozenset[str] = frozenset()

    @property
    def is_written(self) -> bool:
        return not self.becomes

    def accepts(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes, 64 or fewer, is of this format."""
        raise NotImplementedError

    def look(self, source: Path | bytes, name: str) -> Told:
        """What a file says; `name` is that of the file, for sentences.

        Raises:
            ColorizerError: it cannot be colored; ValueError: it is damaged.
        """
        return Told()

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        """A frame as it is coded: colors, then transparency; not turned; lazy where possible."""
        return open_vips(source, self.loader, how)

    def further(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image | None":
        """The channels that are neither color nor transparency; None if there are none."""
        return None

    def memory(self, frame: Frame) -> int:
        """Bytes that decoding a frame takes for each pixel of 8 bits beside what streams."""
        return self.bytes_read

    def check(self, data: Path | bytes) -> None:
        """Raise ValueError if the file is damaged in a way that opening it does not show."""

    def metadata(
        self, source: Path | bytes, told: Told, frame: Frame, image: "pyvips.Image"
    ) -> Metadata:
        """What a frame says of itself, as it stands there, of an image as opened and upright."""
        from colorizer.pictures.formats.vips import blobs_of

        return blobs_of(image, told.has_resolution)

    def losses(self, page: OutputPage) -> list[str]:
        """What of a page this format cannot hold, in sentences, beside what `holds` says."""
        return []

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        """Write the pages, or the first of them, and their metadata."""
        raise NotImplementedError


FORMATS: list[Format] = []
"""All that are read, in the order in which they were registered."""


def register(kind: type[Format]) -> type[Format]:
    """Make a format known: a decorator of its class."""
    FORMATS.append(kind())
    return kind
