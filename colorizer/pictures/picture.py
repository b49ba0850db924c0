"""Picture: a picture file, read as far as is asked for. The one door of this room."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from colorizer.color.has_color import SPREAD
from colorizer.errors import ColorizerError
from colorizer.pictures import lightness as light
from colorizer.pictures.formats import identified
from colorizer.pictures.formats.array import ARRAY
from colorizer.pictures.formats.format import Format, Frame, How, Told
from colorizer.pictures.metadata.metadata import Metadata, fitting
from colorizer.pictures.origin import MAX_PIXELS, check_size, name_of, reading, reason
from colorizer.pictures.resize import enlarge

if TYPE_CHECKING:
    import pyvips

__all__ = ["MAX_PIXELS", "Page", "Picture", "Source"]

Source = str | os.PathLike[str] | bytes | np.ndarray


@dataclass(frozen=True)
class Page:
    """One picture of a file; sizes are those of the upright picture, in pixels.

    Attributes:
        frame: where it is in the file.
        bits: 8 or 16, per channel.
        orientation: how it is turned, 1 to 8, as EXIF has it.
        pixel_bytes: of a pixel as decoded.
    """

    frame: Frame
    width: int
    height: int
    bits: int
    orientation: int = 1
    pixel_bytes: int = 1


@dataclass(frozen=True)
class Picture:
    """What the header of a picture says, and the way to its pixels; `Picture.open` makes one.

    Attributes:
        source: where it came from.
        format: of the file.
        pages: those that can be colored: all of a TIFF, but for reduced images; else one.
        notes: sentences that the user should read.
        told: what the format has found in the file.
        interlaced: whether it must be decoded whole.
        is_damaged: whether as much is decoded as can be.
        width, height, bits, pixel_bytes, turned: of its first page; turned, if its rows are not
            those of the file.
    """

    source: Path | bytes | np.ndarray
    format: Format
    pages: tuple[Page, ...]
    notes: tuple[str, ...] = ()
    told: Told = field(default_factory=Told, repr=False)
    interlaced: bool = False
    is_damaged: bool = False

    @classmethod
    def open(cls, source: "Source | Picture", max_pixels: int = MAX_PIXELS) -> "Picture":
        """Read the header of a picture.

        Args:
            source: a path, the bytes of a file, or an array (H, W) or (H, W, 3), uint8 or uint16:
                sRGB, or gray on the sRGB curve; or a picture that was opened before.
            max_pixels: width times height, above which a picture is refused.

        Raises:
            ColorizerError: there is no such file, or it is no picture that can be colored.
            UsageError: an array of another shape or type.
        """
        if isinstance(source, Picture):
            return source
        if isinstance(source, str | os.PathLike):
            source = Path(source)
        format = ARRAY if isinstance(source, np.ndarray) else identified(source)
        with reading(source):
            told = format.look(source, name_of(source))
            return cls(source, format, (), told.notes, told)._with_pages(max_pixels)

    def __str__(self) -> str:
        return name_of(self.source)

    @property
    def width(self) -> int:
        return self.pages[0].width

    @property
    def height(self) -> int:
        return self.pages[0].height

    @property
    def bits(self) -> int:
        return self.pages[0].bits

    @property
    def pixel_bytes(self) -> int:
        return self.pages[0].pixel_bytes

    @property
    def turned(self) -> bool:
        return self.pages[0].orientation > 2

    def reading(self) -> AbstractContextManager[None]:
        """Turns what libvips and Pillow raise into one sentence that names the picture."""
        return reading(self.source)

    def image(self, page: int = 0, shrink: int = 1) -> "pyvips.Image":
        """The pixels of a page, upright, as they are coded in the file, with metadata; lazy.

        Colors first, then transparency, which they are not multiplied by; nothing else.

        Args:
            page: an index into the pages of the picture.
            shrink: 1, 2, 4 or 8: decode it that much smaller, see `shrink_for`.
        """
        image = self.format.open(self._decoded, str(self), self._how(page, shrink))
        return self._upright(_with_profile(image, self.told.profile), page)

    def further(self, page: int = 0) -> "pyvips.Image | None":
        """The channels that are neither color nor transparency, upright; None if there are none."""
        image = self.format.further(self._decoded, str(self), self._how(page))
        return None if image is None else self._upright(image, page)

    def lightness(self, page: int = 0, shrink: int = 1) -> "pyvips.Image":
        """L of every pixel of a page: one float band, 0..100; lazy."""
        return light.lightness(self.image(page, shrink))

    def shrink_for(self, width: float, page: int = 0, times: int = 2) -> int:
        """How much smaller a page may be decoded to still have `times` the width."""
        shrink = 1
        while self.format.shrinks and shrink < 8:
            if self.pages[page].width < 2 * times * shrink * width:
                break
            shrink *= 2
        return shrink

    def thumbnail(self, page: int, size: tuple[int, int]) -> tuple[np.ndarray, bool]:
        """The lightness of a page at a small size, and whether the page has colors of its own.

        Args:
            size: width and height; enlarges where the picture is smaller.

        Returns:
            (H, W) float32, 0..100; and the truth of "colored".

        Raises:
            ColorizerError: the file is damaged. All of it is read, so this is where it shows.
        """
        width, height = size
        with self.reading():
            if not self.is_damaged:
                self._check("; --salvage colors what can be decoded")
            image = self.image(page, self.shrink_for(width, page))
            both = light.lightness(image).bandjoin(light.color_spread(image))
            small = enlarge(both, width, height).numpy()
        return small[..., 0].clip(0, 100), float(small[..., 1].mean()) > SPREAD

    def light(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None] | None:
        """The colors of the first page at a small size; None of a picture in gray.

        Args:
            size: width and height.

        Returns:
            (H, W, 3) float32, linear sRGB, 0..1; and how opaque it is, (H, W), 0..1, None if it all
            is. Transparent pixels take no part in the colors of those beside them.

        Raises:
            ColorizerError: the file is damaged.
        """
        width, height = size
        with self.reading():
            self._check()
            image = self.image(0, self.shrink_for(width))
            colors, alpha = light.split_alpha(image)
            if colors.bands < 3:
                return None
            linear = light.linear_light(image)
            if alpha is None:
                return enlarge(linear, width, height).numpy().clip(0, 1), None
            opaque = alpha / (255 if alpha.format == "uchar" else 65535)
            found = enlarge((linear * opaque).bandjoin(opaque), width, height).numpy()
        share = found[..., 3].clip(0, 1)
        return (found[..., :3] / np.maximum(share, 1e-6)[..., None]).clip(0, 1), share

    def salvaged(self) -> "Picture":
        """The picture, to be decoded as far as it can be; with a note, if that takes anything.

        All of it is decoded, to see.

        Raises:
            ColorizerError: nothing of it can be decoded.
        """
        try:
            with self.reading():
                self.format.check(self._decoded)
                self._decode_all()
            return self
        except ColorizerError as error:
            note = f"{error}; what could be decoded is colored, the rest is gray or wrong"
            tolerant = replace(self, is_damaged=True, notes=(*self.notes, note))
            with self.reading():
                tolerant._decode_all()
            return tolerant

    def metadata(
        self, page: int, image: "pyvips.Image", system: str, version: str, width: int | None = None
    ) -> Metadata:
        """What the colored page will say of itself: all that still holds, and the mark.

        Args:
            image: of the page, as `image` gave it.
            system, version: for the XMP, see `mark_xmp`.
            width: of the colored page; that of the image by default.
        """
        frame = self.pages[page].frame
        found = self.format.metadata(self._decoded, self.told, frame, image)
        found = replace(found, left_out=(*self.told.left_out, *found.left_out))
        upright = self.format.comes_upright
        return fitting(found, width or image.width, image.height, upright, system, version)

    @property
    def _decoded(self) -> Path | bytes:
        """The file, or what is decoded instead; of an array the array."""
        return self.source if self.told.data is None else self.told.data

    def _how(self, page: int, shrink: int = 1) -> How:
        held = self.pages[page]
        in_order = held.orientation <= 2
        return How(
            held.frame, self.told, shrink=shrink, in_order=in_order, is_damaged=self.is_damaged
        )

    def _upright(self, image: "pyvips.Image", page: int) -> "pyvips.Image":
        turned = image.autorot()
        if self.pages[page].orientation >= 5:
            turned = turned.copy(xres=image.yres, yres=image.xres)
        return turned

    def _check(self, advice: str = "") -> None:
        """Raise ColorizerError for a file that is known to be damaged, with what can be done."""
        try:
            self.format.check(self._decoded)
        except ValueError as error:
            raise ColorizerError(f"{self} cannot be read: {reason(error)}{advice}") from error

    def _decode_all(self) -> None:
        for page in range(len(self.pages)):
            self.image(page).avg()

    def _with_pages(self, max_pixels: int) -> Self:
        """With what the images of its frames say, and notes on it."""
        pages, images, notes = [], [], self.notes
        for number, frame in enumerate(self.told.frames):
            name = str(self)
            if len(self.told.frames) > 1:
                name = f"{name}, page {number + 1}"
            check = partial(check_size, max_pixels=max_pixels, name=name)
            how = How(frame, self.told, check, header=True)
            image = self.format.open(self._decoded, name, how)
            _check_kind(image, name)
            pages.append(_page(frame, image))
            images = images or [_with_profile(image, self.told.profile)]
        first = images[0]
        count = max(first.get("n-pages") if first.get_typeof("n-pages") else 1, self.told.pictures)
        if "pages" not in self.format.holds and count > 1:
            notes += (f"{self} has {count} pages or frames; only the first is colored",)
        dropped = self.told.has_profile and not first.get_typeof(light.ICC)
        if dropped or light.has_unusable_profile(first):
            notes += (f"{self}: its color profile is of no use here; taken as sRGB",)
        interlaced = bool(first.get_typeof("interlaced"))
        return replace(self, pages=tuple(pages), notes=notes, interlaced=interlaced)


def _page(frame: Frame, image: "pyvips.Image") -> Page:
    orientation = image.get("orientation") if image.get_typeof("orientation") else 1
    sides = (image.width, image.height)
    width, height = sides[::-1] if orientation >= 5 else sides
    bits = 8 if image.format == "uchar" else 16
    return Page(frame, width, height, bits, orientation, image.bands * bits // 8)


def _with_profile(image: "pyvips.Image", profile: bytes) -> "pyvips.Image":
    import pyvips

    if not profile:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, light.ICC, profile)
    return image


def _check_kind(image: "pyvips.Image", name: str) -> None:
    colors = image.bands - image.hasalpha()
    known = image.interpretation in ("b-w", "grey16", "srgb", "rgb16", "rgb", "cmyk")
    if image.format not in ("uchar", "ushort") or not known or colors not in (1, 3, 4):
        raise ColorizerError(
            f"{name} has {image.bands} channels of type {image.format} ({image.interpretation});"
            " accepted are gray, RGB and CMYK with 8 or 16 bits: convert it first"
        )
