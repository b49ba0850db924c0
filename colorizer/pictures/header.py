"""Picture files: their header, their pixels as a lazy libvips image, and a small lightness.

Longer than other files, as the three share what a header tells of frames, channels and damage.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures import jpeg, tiff
from colorizer.pictures.behind import behind
from colorizer.pictures.chunks import PngTold, read_png
from colorizer.pictures.lightness import ICC, color_spread, has_unusable_profile, lightness
from colorizer.pictures.opening import MAX_PIXELS, check_size, name_of, open_image, sniff
from colorizer.pictures.resize import enlarge
from colorizer.pictures.tiff import Channels, Frame

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "MAX_PIXELS",
    "Page",
    "Picture",
    "Source",
    "further_channels",
    "open_page",
    "read",
    "reading",
    "reason",
    "salvaged",
    "thumbnail",
]

Source = str | os.PathLike[str] | bytes | np.ndarray

COLORED = 0.01  # mean difference between channels, of their range, above which gray has a color


@dataclass(frozen=True)
class Page:
    """One picture of a file; sizes are those of the upright picture, in pixels.

    Attributes:
        frame: where it is in the file.
        bits: 8 or 16, per channel.
        orientation: how it is turned, 1 to 8, as EXIF has it.
        channels: of a TIFF, what they are.
        pixel_bytes: of a pixel as decoded.
    """

    frame: Frame
    width: int
    height: int
    bits: int
    orientation: int = 1
    channels: Channels | None = None
    pixel_bytes: int = 1


@dataclass(frozen=True)
class Picture:
    """What the header of a file says; width, height and bits are those of its first page.

    Attributes:
        source: where it came from.
        loader: the name of the libvips operation that reads it, or of the reader in `foreign`;
            "array" otherwise.
        pages: those that can be colored: all of a TIFF, but for reduced images.
        notes: sentences that the user should read.
        interlaced: whether it must be decoded whole.
        data: what is decoded instead of the source.
        told: what its segments or chunks say.
        is_damaged: whether as much is decoded as can be.
    """

    source: Path | bytes | np.ndarray
    loader: str
    width: int
    height: int
    bits: int
    pages: tuple[Page, ...] = ()
    notes: tuple[str, ...] = ()
    interlaced: bool = False
    data: bytes | None = field(default=None, repr=False)
    told: jpeg.Told | PngTold | None = field(default=None, repr=False)
    is_damaged: bool = False

    def __str__(self) -> str:
        return name_of(self.source)

    @property
    def pixel_bytes(self) -> int:
        """Of a pixel as decoded."""
        return self.pages[0].pixel_bytes if self.pages else 1

    @property
    def turned(self) -> bool:
        """Whether its rows are not those of the file."""
        return bool(self.pages) and self.pages[0].orientation > 2


def read(source: "Source | Picture", max_pixels: int = MAX_PIXELS) -> Picture:
    """Read the header of a picture.

    Args:
        source: a path, the bytes of a file, or an array (H, W) or (H, W, 3), uint8 or uint16:
            sRGB, or gray on the sRGB curve; or a header that was read before.
        max_pixels: width times height, above which a picture is refused.

    Raises:
        ColorizerError: there is no such file, or it is no picture that can be colored.
        UsageError: an array of another shape or type.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _read_array(source)
    source = source if isinstance(source, bytes) else Path(source)
    name, loader = name_of(source), sniff(source)
    with reading(source):
        data, told, notes = _look_into(source, loader)
        frames = [Frame()]
        if loader == "tiffload":
            frames, more = tiff.find_frames(source, name)
            notes += more
        pages, images = [], []
        for number, frame in enumerate(frames):
            of_page = name if len(frames) == 1 else f"{name}, page {number + 1}"
            page, image, more = _read_page(data or source, loader, frame, of_page, max_pixels)
            image = _with_told(image, told)
            pages.append(page)
            images = images or [image]
            notes += more if number == 0 else ()
    image = images[0]
    count = max(
        image.get("n-pages") if image.get_typeof("n-pages") else 1, told.pictures if told else 1
    )
    if loader != "tiffload" and count > 1:
        notes += (f"{name} has {count} pages or frames; only the first is colored",)
    dropped = isinstance(told, PngTold) and told.has_profile and not image.get_typeof(ICC)
    if dropped or has_unusable_profile(image):
        notes += (f"{name}: its color profile is of no use here; taken as sRGB",)
    return Picture(
        source,
        pages[0].frame.loader or loader,
        pages[0].width,
        pages[0].height,
        pages[0].bits,
        tuple(pages),
        notes,
        interlaced=bool(image.get_typeof("interlaced")),
        data=data,
        told=told,
    )


def _look_into(
    source: Path | bytes, loader: str
) -> tuple[bytes | None, jpeg.Told | PngTold | None, tuple[str, ...]]:
    """What to decode instead of the source, what its segments or chunks say, and notes."""
    if loader not in ("jpegload", "pngload"):
        return None, None, ()
    with tiff.opened(source) as file:
        if loader == "pngload":
            return None, read_png(file), ()
        told = jpeg.read_told(file)
        file.seek(0)
        whole = file.read()
        data, notes, end = None, (), jpeg.end_of(whole)
        if end < 0:
            data = whole + b"\xff\xd9"
            notes = (f"{name_of(source)} lacks its end marker; all of its pixels are there",)
        else:
            told.left_out += behind(whole[end:], told.pictures)
        if told.is_odd:
            data = jpeg.cleaned(data or whole)
    return data, told, notes


def _read_page(
    source: Path | bytes, loader: str, frame: Frame, name: str, max_pixels: int
) -> tuple[Page, "pyvips.Image", tuple[str, ...]]:
    """A page, its image as far as that is known, and notes."""
    frame = _with_loader(source, loader, frame, name)
    image, notes = open_image(source, loader, max_pixels, frame=frame, header=True)
    first = image.get("heif-primary") if image.get_typeof("heif-primary") else 0
    if first:
        frame = replace(frame, page=first)
        image, notes = open_image(source, loader, frame=frame, header=True)
    check_size(image.width, image.height, max_pixels, name)
    channels = None
    if frame.directory and not frame.loader:
        tiff.check_inks(frame.directory, name)
        channels = tiff.channels_of(frame.directory, image.bands)
    if channels:
        image = tiff.normalized(image, channels)
    _check(image, name)
    turned = _orientation(image)
    sides = (image.width, image.height)
    width, height = sides[::-1] if turned >= 5 else sides
    bits = 8 if image.format == "uchar" else 16
    page = Page(frame, width, height, bits, turned, channels, image.bands * bits // 8)
    return page, image, notes


def _with_loader(source: Path | bytes, loader: str, frame: Frame, name: str) -> Frame:
    """The frame, with another reader where libvips has none for its coding."""
    import pyvips

    if loader == "heifload" and not _is_avif(source) and not _vips_reads(source, loader):
        return replace(frame, loader="heic")
    if frame.directory is None or tiff.readable(frame.directory):
        return frame
    for reader in ("", "pillow-tiff"):
        if reader and (frame.sub >= 0 or not tiff.pillow_reads(frame.directory)):
            continue
        try:
            tried = replace(frame, loader=reader)
            open_image(source, loader, frame=tried)[0].crop(0, 0, 1, 1).avg()
            return tried
        except (pyvips.Error, OSError, SyntaxError, ValueError):
            continue
    raise ColorizerError(
        f"{name} is coded as {tiff.coding(frame.directory)}, which neither libvips nor Pillow reads"
        " here; convert it first, say by tiffcp -c lzw or by ImageMagick"
    )


def _vips_reads(source: Path | bytes, loader: str) -> bool:
    import pyvips

    if importlib.util.find_spec("pillow_heif"):
        return False
    try:
        open_image(source, loader)[0].crop(0, 0, 1, 1).avg()
        return True
    except pyvips.Error:
        return False


def _is_avif(source: Path | bytes) -> bool:
    with tiff.opened(source) as file:
        size = int.from_bytes(file.read(4))
        return b"avi" in file.read(max(0, min(size, 256) - 4))


def open_page(picture: Picture, page: int = 0, shrink: int = 1) -> "pyvips.Image":
    """The pixels of a page, upright, as they are coded in the file, with all metadata; lazy.

    Colors first, then transparency, which they are not multiplied by; nothing else.

    Args:
        page: an index into the pages of the picture.
        shrink: 1, 2, 4 or 8: decode a JPEG that much smaller.
    """
    return _opened(picture, page, shrink, further=False)


def _check_jpeg(picture: Picture) -> None:
    data = picture.source if picture.data is None else picture.data
    jpeg.check_whole(data if isinstance(data, bytes) else data.read_bytes())


def further_channels(picture: Picture, page: int = 0) -> "pyvips.Image | None":
    """The channels that are neither color nor transparency, upright; None if there are none."""
    channels = picture.pages[page].channels if picture.pages else None
    if not channels or len(channels.extra) <= (channels.alpha >= 0):
        return None
    return _opened(picture, page, 1, further=True)


def _opened(picture: Picture, page: int, shrink: int, further: bool) -> "pyvips.Image":
    options: dict[str, Any] = {"shrink": shrink} if shrink > 1 else {}
    if picture.is_damaged:
        options["fail_on"] = "none"
    source = picture.source if picture.data is None else picture.data
    if not picture.pages:
        return open_image(source, picture.loader)[0]
    held = picture.pages[page]
    turned = held.orientation > 2  # rows are not needed in the order of the file
    if turned:
        options["access"] = "random"
    loader = held.frame.loader or ("tiffload" if held.frame.directory else picture.loader)

    def opened(source: Path | bytes) -> "pyvips.Image":
        return open_image(source, loader, frame=held.frame, **options)[0]

    channels = held.channels
    if channels and channels.colors == 1 and channels.planes:
        first, *rest = (
            opened(tiff.plane(source, held.frame, number, channels.planes))
            for number in range(channels.planes)
        )
        image = first.bandjoin(rest)
    else:
        image = opened(tiff.plain(source, held.frame, channels) if channels else source)
    if channels:
        image = (tiff.further if further else tiff.normalized)(image, channels)
    image = _with_told(image, picture.told)
    return _turn(image) if turned else image.autorot()


def _with_told(image: "pyvips.Image", told: jpeg.Told | PngTold | None) -> "pyvips.Image":
    """The image, with a profile of what the chunks of a PNG say of its colors."""
    import pyvips

    if not isinstance(told, PngTold) or not told.profile:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, ICC, told.profile)
    return image


def salvaged(picture: Picture) -> tuple[Picture, tuple[str, ...]]:
    """The picture, to be decoded as far as it can be; and a note, if that takes anything.

    All of it is decoded, to see.

    Raises:
        ColorizerError: nothing of it can be decoded.
    """
    pages = range(max(1, len(picture.pages)))
    try:
        with reading(picture.source):
            if picture.loader == "jpegload":
                _check_jpeg(picture)
            for page in pages:
                open_page(picture, page).avg()
        return picture, ()
    except ColorizerError as error:
        tolerant = replace(picture, is_damaged=True)
        with reading(picture.source):
            for page in pages:
                open_page(tolerant, page).avg()
        note = f"{error}; what could be decoded is colored, the rest is gray or wrong"
        return tolerant, (note,)


def thumbnail(picture: Picture, page: int, size: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """The lightness of a page at a small size, and whether the page has colors of its own.

    Args:
        size: width and height; enlarges where the picture is smaller.

    Returns:
        (H, W) float32, 0..100; and the truth of "colored".

    Raises:
        ColorizerError: the file is damaged. All of it is read, so this is where it shows.
    """
    width, height = size
    shrink = 1
    wide = picture.pages[page].width if picture.pages else picture.width
    while picture.loader == "jpegload" and shrink < 8 and wide >= 4 * shrink * width:
        shrink *= 2
    with reading(picture.source):
        if picture.loader == "jpegload" and not picture.is_damaged:
            try:
                _check_jpeg(picture)
            except ValueError as error:
                raise ColorizerError(
                    f"{picture} cannot be read: {reason(error)}; --salvage colors what can be"
                    " decoded"
                ) from error
        image = open_page(picture, page, shrink)
        small = enlarge(lightness(image).bandjoin(color_spread(image)), width, height).numpy()
    return small[..., 0].clip(0, 100), float(small[..., 1].mean()) > COLORED


def reason(error: Exception) -> str:
    """What libvips or Pillow complains of, on one line."""
    lines = str(getattr(error, "detail", error)).split("\n")
    told = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    told = [line for line in told if "bad seek" not in line] or told
    return "; ".join(told[:2]) or str(getattr(error, "message", type(error).__name__))


def _read_array(array: np.ndarray) -> Picture:
    gray_or_rgb = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if not gray_or_rgb or array.dtype not in (np.uint8, np.uint16) or 0 in array.shape:
        raise UsageError(
            f"an array of shape {array.shape} and type {array.dtype} is no picture; accepted are"
            " (H, W) and (H, W, 3), uint8 or uint16: convert it first"
        )
    return Picture(array, "array", array.shape[1], array.shape[0], array.dtype.itemsize * 8)


def _check(image: "pyvips.Image", name: str) -> None:
    colors = image.bands - image.hasalpha()
    known = image.interpretation in ("b-w", "grey16", "srgb", "rgb16", "rgb", "cmyk")
    if image.format not in ("uchar", "ushort") or not known or colors not in (1, 3, 4):
        raise ColorizerError(
            f"{name} has {image.bands} channels of type {image.format} ({image.interpretation});"
            " accepted are gray, RGB and CMYK with 8 or 16 bits: convert it first"
        )


def _orientation(image: "pyvips.Image") -> int:
    return image.get("orientation") if image.get_typeof("orientation") else 1


def _turn(image: "pyvips.Image") -> "pyvips.Image":
    turned = image.autorot()
    if _orientation(image) >= 5:
        turned = turned.copy(xres=image.yres, yres=image.xres)
    return turned


@contextmanager
def reading(source: Path | bytes | np.ndarray) -> Iterator[None]:
    """Turn what libvips and Pillow raise into one sentence that names the picture."""
    import pyvips

    try:
        yield
    except (pyvips.Error, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise ColorizerError(f"{name_of(source)} cannot be read: {reason(error)}") from error
