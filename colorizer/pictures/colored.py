"""A picture in color, with all that its file holds beside its pixels: the end of a photo's way."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from colorizer.pictures import save as output
from colorizer.pictures.formats.format import OutputPage
from colorizer.pictures.lightness import alpha_of
from colorizer.pictures.picture import Picture
from colorizer.pictures.save import check_destination, check_extension
from colorizer.pictures.writing import measured

if TYPE_CHECKING:
    import pyvips

__all__ = ["Colored", "Signature", "check_destination", "check_extension", "to_bytes", "to_file"]


class Colored(NamedTuple):
    """A page in color.

    Attributes:
        image: its colors, at full size; lazy. Other forms than a photo with their transparency.
        original: the page, as `Picture.image` gave it.
        had_color: whether it had colors before.
        signature: for its mark.
        notes: sentences of its coloring.
    """

    image: "pyvips.Image"
    original: "pyvips.Image"
    had_color: bool
    signature: "Signature"
    notes: tuple[str, ...] = ()


class Signature(NamedTuple):
    """What the mark of a result says: the model with what it was told, and the version."""

    system: str
    version: str


Color = Callable[[Picture, int, int], Colored]
"""Colors a page of a picture, by its number from 0 on, in so many bits (8 or 16)."""


def to_file(
    picture: Picture,
    path: Path,
    color: Color,
    threads: int | None = None,
    form: str = "photo",
) -> tuple[str, ...]:
    """Write a picture in color; the file appears whole, or not at all.

    All pages of a TIFF are colored, where the destination holds pages; else the first.

    Args:
        picture: the original.
        path: from `check_destination`; its extension selects the format, and it is replaced.
        color: of each page, asked for when the one before is written.
        threads: of libvips; None takes all cores.
        form: of `FORMS`, which `color` gives.

    Returns:
        Sentences on what the file does not hold, and on colors that were replaced.

    Raises:
        ColorizerError: the picture is damaged, or the file cannot be written.
    """
    notes: list[str] = []
    pages = _pages(picture, path, color, notes, form)
    output.save(pages, path, threads, _raw_bytes(picture, form))
    return tuple(notes)


def to_bytes(
    picture: Picture,
    path: Path,
    color: Color,
    threads: int | None = None,
    form: str = "photo",
) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of the file that `to_file` would write, and its sentences; raises as it does.

    Args:
        path: from `check_extension`.
    """
    notes: list[str] = []
    pages = _pages(picture, path, color, notes, form)
    return output.encode(pages, path, threads, _raw_bytes(picture, form)), tuple(notes)


def _pages(
    picture: Picture,
    path: Path,
    color: Color,
    notes: list[str],
    form: str,
) -> Iterator[OutputPage]:
    """The pages to write, lazy, one after another; what to tell of them is added to `notes`."""
    count = len(picture.pages)
    if count > 1 and not output.holds_pages(path):
        notes.append(f"{picture} has {count} pages; only the first is colored")
        count = 1
    for page in range(count):
        deep = picture.pages[page].bits
        colored = color(picture, page, output.bits_of(path, deep))
        if colored.had_color and not page:
            notes.append(f"{picture} has colors of its own; they are replaced")
        notes += [note for note in colored.notes if note not in notes]
        with picture.reading():  # whose metadata may be damaged
            width = colored.image.width
            told = picture.metadata(page, colored.original, *colored.signature, width)
            whole = measured(colored.image)
            if form == "photo":
                whole = _with_alpha(whole, colored.original)
            image = output.with_profile(whole, colored.original)
            further = picture.further(page)
        if further is not None and form != "photo":
            told_of = f"{picture}: its further channels are left out, as a {form} holds none"
            notes += [] if told_of in notes else [told_of]
            further = None
        made = OutputPage(image, told, further)
        for note in (*output.sentences(told, str(picture)), *output.losses(made, path, deep)):
            if note not in notes:
                notes.append(note)
        yield made


def _with_alpha(image: "pyvips.Image", original: "pyvips.Image") -> "pyvips.Image":
    alpha = alpha_of(original, 16 if image.format == "ushort" else 8)
    return image if alpha is None else image.bandjoin(alpha)


def _raw_bytes(picture: Picture, form: str) -> int:
    """Of all pages in color, not packed."""
    size = sum(page.width * page.height * page.bits // 2 for page in picture.pages)
    return 2 * size if form == "pair" else size
