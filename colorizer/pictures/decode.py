"""From the bytes of a picture file to a small sRGB picture, in every format that can be colored."""

import io

import numpy as np
import pyvips
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from colorizer.pictures.formats import format_of
from colorizer.pictures.lightness import ICC, has_unusable_profile, is_srgb
from colorizer.pictures.origin import HEAD, MAX_PIXELS
from colorizer.pictures.picture import Picture

__all__ = ["decode_bytes"]

_PLUGINS = {"JPEG": JpegImageFile, "PNG": PngImageFile, "WebP": WebPImageFile}


def decode_bytes(
    encoded: bytes, short_side: int, max_pixels: int = MAX_PIXELS
) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode a picture to sRGB, upright, on white, its short side at most `short_side` pixels.

    Large JPEG files are decoded at a fraction of their size, most others in strips. A smaller
    picture keeps its size. Of several pages or frames this is the first.

    Returns:
        (H, W, 3) uint8; and width and height of the file, upright, in pixels.

    Raises:
        ColorizerError: it is damaged, cut off, or of an unknown kind; or it claims more than
            `max_pixels`.
    """
    if (rgb := _decode_small(encoded, short_side, max_pixels)) is not None:
        return rgb, (rgb.shape[1], rgb.shape[0])
    picture = Picture.open(encoded, max_pixels)
    short, long = sorted((picture.width, picture.height))
    # A square box: it fits the long side, whichever that is.
    box = max(1, round(min(1, short_side / short) * long))
    with picture.reading():
        small = _thumbnail(picture, box).colourspace("srgb").cast("uchar")
        if small.hasalpha():
            small = small.flatten(background=255)
        return small.numpy(), (picture.width, picture.height)


def _decode_small(encoded: bytes, short_side: int, max_pixels: int) -> np.ndarray | None:
    """A plain sRGB picture that is small enough already; None for any other.

    Most photos of a prepared set are, and Pillow decodes one in a fifth of the time that libvips
    takes to set its pipeline up.
    """
    format = format_of(encoded[:HEAD])
    plugin = None if format is None else _PLUGINS.get(format.name)
    if format is None or plugin is None:
        return None
    try:  # not by Image.open, which has a limit of its own
        with plugin(io.BytesIO(encoded)) as image:
            special = image.info.keys() & {"icc_profile", "transparency"}
            if image.format == "PNG":
                told = format.look(encoded, "")
                special |= {"profile"} if told.profile or told.has_profile else set()
            plain = image.mode in ("RGB", "L") and not special
            upright = image.getexif().get(0x0112, 1) == 1
            small = min(image.size) <= short_side and image.width * image.height <= max_pixels
            if not (plain and upright and small):
                return None
            return np.asarray(image.convert("RGB"))
    except Exception:  # whatever it is, the way of larger pictures says it, in a sentence
        return None


def _thumbnail(picture: Picture, box: int) -> pyvips.Image:
    """At most `box` pixels wide and high.

    Not by `thumbnail_buffer`: libvips 8.18 forgets `fail_on` when it shrinks on loading, so that
    a photo that was cut off would pass, half of it gray.
    """
    across = box * picture.width / max(picture.width, picture.height)
    image = picture.image(shrink=picture.shrink_for(across))
    has_profile = image.get_typeof(ICC) and not has_unusable_profile(image)
    # Without a profile the pixels are sRGB already, and the transform is most of the work.
    profile = {"export_profile": "srgb"} if has_profile and not is_srgb(image) else {}
    return image.thumbnail_image(box, height=box, size="down", **profile)
