"""Picture files: their header, their pixels as a lazy libvips image, and a small lightness."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.compose import enlarge
from colorizer.pictures.lightness import color_spread, has_unusable_profile, lightness
from colorizer.pictures.opening import MAX_PIXELS, check_size, name_of, open_image, sniff

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "MAX_PIXELS",
    "Picture",
    "Source",
    "decode",
    "read",
    "reading",
    "reason",
    "thumbnail",
]

Source = str | os.PathLike[str] | bytes | np.ndarray

COLORED = 0.01  # mean difference between channels, of their range, above which gray has a color


@dataclass(frozen=True)
class Picture:
    """What the header of a picture says; the size is that of the upright picture, in pixels.

    Attributes:
        source: where it came from.
        loader: the name of the libvips operation that reads it; "array" or "bmp" otherwise.
        bits: 8 or 16, per channel.
        pages: how many will be colored, from `first` on: all of a TIFF, if they are alike.
        notes: sentences that the user should read.
        pixel_bytes: of a pixel as decoded.
        interlaced, turned: whether it must be decoded whole, or its rows are not those of the file.
    """

    source: Path | bytes | np.ndarray
    loader: str
    width: int
    height: int
    bits: int
    pages: int = 1
    first: int = 0
    notes: tuple[str, ...] = ()
    pixel_bytes: int = 1
    interlaced: bool = False
    turned: bool = False

    def __str__(self) -> str:
        return name_of(self.source)


def read(source: Source, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read the header of a picture.

    Args:
        source: a path, the bytes of a file, or an array (H, W) or (H, W, 3), uint8 or uint16:
            sRGB, or gray on the sRGB curve.
        max_pixels: width times height, above which a picture is refused.

    Raises:
        ColorizerError: there is no such file, or it is no picture that can be colored.
        UsageError: an array of another shape or type.
    """
    if isinstance(source, np.ndarray):
        return _read_array(source)
    source = source if isinstance(source, bytes) else Path(source)
    loader = sniff(source)
    with reading(source):
        image = open_image(source, loader, max_pixels, header=True)
        first = image.get("heif-primary") if image.get_typeof("heif-primary") else 0
        if first:
            image = open_image(source, loader, header=True, page=first)
        _check(image, name_of(source), max_pixels)
        pages, notes = _count_pages(source, loader, image)
    if has_unusable_profile(image):
        notes += (f"{name_of(source)}: its color profile is of no use here; taken as sRGB",)
    sides = (image.width, image.height)
    width, height = sides[::-1] if _orientation(image) >= 5 else sides
    bits = 8 if image.format == "uchar" else 16
    return Picture(
        source,
        loader,
        width,
        height,
        bits,
        pages,
        first,
        notes,
        pixel_bytes=image.bands * bits // 8,
        interlaced=bool(image.get_typeof("interlaced")),
        turned=_orientation(image) > 2,
    )


def decode(picture: Picture, page: int = 0, shrink: int = 1) -> "pyvips.Image":
    """The pixels of a page, upright, as they are coded in the file, with all metadata; lazy.

    Args:
        page: counted from the first that is colored.
        shrink: 1, 2, 4 or 8: decode a JPEG that much smaller.
    """
    options = {"shrink": shrink} if shrink > 1 else {}
    if picture.first + page:
        options["page"] = picture.first + page
    image = open_image(picture.source, picture.loader, **options)
    if _orientation(image) > 2:  # turned: rows are not needed in the order of the file
        image = open_image(picture.source, picture.loader, access="random", **options)
        return _turn(image)
    return image.autorot()


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
    while picture.loader == "jpegload" and shrink < 8 and picture.width >= 4 * shrink * width:
        shrink *= 2
    with reading(picture.source):
        image = decode(picture, page, shrink)
        small = enlarge(lightness(image).bandjoin(color_spread(image)), width, height).numpy()
    return small[..., 0].clip(0, 100), float(small[..., 1].mean()) > COLORED


def reason(error: Exception) -> str:
    """What libvips or Pillow complains of, on one line."""
    lines = str(getattr(error, "detail", error)).split("\n")
    told = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    told = [line for line in told if "bad seek" not in line] or told
    if any("HEVC" in line and "has not been built in" in line for line in told):
        return "this libvips has no HEVC decoder for HEIC; convert it first, say by heif-convert"
    return "; ".join(told[:2]) or str(getattr(error, "message", type(error).__name__))


def _read_array(array: np.ndarray) -> Picture:
    gray_or_rgb = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if not gray_or_rgb or array.dtype not in (np.uint8, np.uint16) or 0 in array.shape:
        raise UsageError(
            f"an array of shape {array.shape} and type {array.dtype} is no picture; accepted are"
            " (H, W) and (H, W, 3), uint8 or uint16: convert it first"
        )
    return Picture(array, "array", array.shape[1], array.shape[0], array.dtype.itemsize * 8)


def _check(image: "pyvips.Image", name: str, max_pixels: int) -> None:
    check_size(image.width, image.height, max_pixels, name)
    colors = image.bands - image.hasalpha()
    known = image.interpretation in ("b-w", "grey16", "srgb", "rgb16", "rgb", "cmyk")
    if image.format not in ("uchar", "ushort") or not known or colors not in (1, 3, 4):
        raise ColorizerError(
            f"{name} has {image.bands} channels of type {image.format} ({image.interpretation});"
            " accepted are gray, RGB and CMYK with 8 or 16 bits: convert it first"
        )


def _count_pages(
    source: Path | bytes, loader: str, image: "pyvips.Image"
) -> tuple[int, tuple[str, ...]]:
    count = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if count == 1:
        return 1, ()
    if loader == "tiffload":
        kinds = {_kind(open_image(source, loader, page=page)) for page in range(count)}
        if len(kinds) == 1:
            return count, ()
    return 1, (f"{name_of(source)} has {count} pages or frames; only the first is colored",)


def _kind(image: "pyvips.Image") -> tuple[Any, ...]:
    return image.width, image.height, image.bands, image.format, _orientation(image)


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
