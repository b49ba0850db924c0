"""Formats that libvips' wheel lacks, whole, through Pillow and its plugins.

BMP and JPEG 2000 need nothing else; HEIC and JPEG XL the extra `formats`.
"""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.pictures.boxes import boxes, read_jp2

if TYPE_CHECKING:
    import pyvips
    from PIL.Image import Image

__all__ = ["FOREIGN", "open_foreign"]

FOREIGN = ("bmp", "jp2", "heic", "jxl", "pillow-tiff")
"""Names of the readers."""

_EXTRA = {"heic": "pillow-heif", "jxl": "pillow-jxl-plugin"}
_NAMES = {"heic": "HEIC", "jxl": "JPEG XL"}
_GRAY_SPACES, _CMYK = (0, 15, 17), 12  # enumerated color spaces of JPEG 2000: bilevel, gray


def open_foreign(
    source: Path | bytes, reader: str, name: str, check: Any, page: int = 0, header: bool = False
) -> tuple["pyvips.Image", tuple[str, ...]]:
    """The image, in memory, and notes.

    Args:
        reader: one of `FOREIGN`.
        check: is called with width and height before pixels are decoded, and may raise.
        page: of a TIFF.
        header: what the image says of itself is enough; the pixels of a BMP are black then.

    Raises:
        ColorizerError: the plugin is missing, or channels that mean neither gray nor color.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        if reader == "bmp":
            return _open_bmp(file, check, header), ()
        if reader == "jp2":
            return _open_jp2(source, name, check)
        if reader == "heic":
            return _open_heic(file, name, check), ()
        if reader == "jxl":
            return _open_jxl(source, name, check)
        return _open_tiff(file, check, page), ()


def from_array(array: np.ndarray) -> "pyvips.Image":
    """(H, W) or (H, W, C), uint8 or uint16, as gray, RGB, each with or without alpha."""
    import pyvips

    image = pyvips.Image.new_from_array(np.ascontiguousarray(array))
    gray, color = ("b-w", "srgb") if array.dtype == np.uint8 else ("grey16", "rgb16")
    return image.copy(interpretation=color if image.bands > 2 else gray)


def _open_bmp(file: Any, check: Any, header: bool) -> "pyvips.Image":
    import pyvips
    from PIL.BmpImagePlugin import BmpImageFile  # Image.open has a limit of its own

    with BmpImageFile(file) as bmp:
        check(*bmp.size)
        mode = {"1": "L", "P": "RGB"}.get(bmp.mode, bmp.mode)
        if header:
            bands = len(mode)
            kind = "srgb" if bands > 1 else "b-w"
            image = pyvips.Image.black(*bmp.size, bands=bands).copy(interpretation=kind)
        else:
            image = from_array(np.asarray(bmp.convert(mode)))
        across, down = bmp.info.get("dpi", (0, 0))
    return _with(image, resolution=(across / 25.4, down / 25.4))


def _open_jp2(
    source: Path | bytes, name: str, check: Any
) -> tuple["pyvips.Image", tuple[str, ...]]:
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    notes = []
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        told = read_jp2(file)
        file.seek(0)
        with Jpeg2KImageFile(file) as jp2:
            check(*jp2.size)
            count, depth = len(told.depths), max(told.depths, default=8)
            if (
                told.space == 14
                or (count == 4 and told.space == _CMYK)
                or count not in (1, 2, 3, 4)
            ):
                raise ColorizerError(
                    f"{name} is JPEG 2000 with {count} channels in a color space that Pillow does"
                    " not convert; accepted are gray and RGB: convert it first"
                )
            pixels = _pixels(jp2)
    if pixels.dtype == np.uint16:  # the bits lie to the left
        pixels = _stretched(pixels, (65535 << 16 - depth) & 65535)
    elif depth < 8:
        pixels = _stretched(pixels, (255 << 8 - depth) & 255)
    elif depth > 8:
        notes.append(f"{name}: of its {depth} bits per channel, 8 are read; Pillow has no more")
    colors = 1 if told.space in _GRAY_SPACES or count < 3 else 3
    if not told.has_palette and count > colors:
        alpha = count - 1 if told.alpha is None and count in (2, 4) else told.alpha
        if told.is_premultiplied or alpha not in (None, colors):
            pixels = pixels[..., :colors]
            left = "premultiplied transparency" if told.is_premultiplied else "further channel"
            notes.append(f"{name}: its {left} is left out")
    image = _with(from_array(pixels), told.profile, told.exif, told.xmp, told.resolution)
    return image, tuple(notes)


def _open_heic(file: Any, name: str, check: Any) -> "pyvips.Image":
    plugin = _plugin("pillow_heif", "heic", name)
    heif = plugin.open_heif(file, convert_hdr_to_8bit=False)
    primary = heif[heif.primary_index]
    check(*primary.size)
    pixels = np.asarray(primary)
    info = primary.info
    if pixels.dtype == np.uint16:
        pixels = _stretched(pixels, (65535 << 16 - info.get("bit_depth", 16)) & 65535)
    return _with(  # turned already, whatever its EXIF data say
        from_array(pixels), info.get("icc_profile"), info.get("exif"), info.get("xmp"), turned=True
    )


def _open_jxl(
    source: Path | bytes, name: str, check: Any
) -> tuple["pyvips.Image", tuple[str, ...]]:
    _plugin("pillow_jxl", "jxl", name)
    from pillow_jxl.JpegXLImagePlugin import JXLImageFile

    data = source if isinstance(source, bytes) else source.read_bytes()
    file, xmp, lost = io.BytesIO(data), b"", False
    if data[4:8] == b"JXL ":
        for kind, start, end in boxes(file):
            lost |= kind == b"brob" and data[start : start + 4] in (b"xml ", b"Exif")
            xmp = data[start:end] if kind == b"xml " else xmp
    with JXLImageFile(io.BytesIO(data)) as jxl:
        check(*jxl.size)
        image = from_array(_pixels(jxl))
        profile, exif = jxl.info.get("icc_profile"), jxl.info.get("exif")
        # what was a JPEG comes as that JPEG, not turned
        image = _with(image, profile, exif, xmp or jxl.info.get("xmp"), turned=not jxl.jpeg)
    return image, (f"{name}: its packed metadata are left out",) if lost else ()


def _open_tiff(file: Any, check: Any, page: int) -> "pyvips.Image":
    from PIL.TiffImagePlugin import TiffImageFile

    with TiffImageFile(file) as tiff:
        tiff.seek(page)
        check(*tiff.size)
        pixels = _pixels(tiff)
        bits = tiff.tag_v2.get(258, (8,))[0]
        if pixels.dtype == np.uint16 and bits < 16:
            pixels = _stretched(pixels, 2**bits - 1)
        profile = tiff.info.get("icc_profile")
    return _with(from_array(pixels), profile)  # turned already


def _pixels(image: "Image") -> np.ndarray:
    """Gray or RGB, 8 or 16 bits, with alpha where there is one."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode in ("F", "I", "LAB"):
        raise ColorizerError(
            f"its pixels are of the kind {image.mode}; accepted are gray and RGB with 8 or 16 bits:"
            " convert it first"
        )
    mode = {"1": "L", "P": "RGB", "PA": "RGBA", "YCbCr": "RGB", "La": "LA", "RGBa": "RGBA"}
    mode |= {"RGBX": "RGB", "CMYK": "RGB", "HSV": "RGB"}
    return np.asarray(image.convert(mode.get(image.mode, image.mode)))


def _stretched(pixels: np.ndarray, white: int) -> np.ndarray:
    """With the value `white` at the highest of the type."""
    highest = np.iinfo(pixels.dtype).max
    if white == highest:
        return pixels
    return np.rint(pixels * (highest / white)).clip(0, highest).astype(pixels.dtype)


def _with(
    image: "pyvips.Image",
    profile: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    resolution: tuple[float, float] | None = None,
    turned: bool = False,
) -> "pyvips.Image":
    """With metadata where libvips has them; the resolution, and "turned", as fields of ours."""
    import pyvips

    result = image.copy()
    blobs = (("icc-profile-data", profile), ("exif-data", exif), ("xmp-data", xmp))
    for field, data in blobs:
        if data:
            result.set_type(pyvips.GValue.blob_type, field, bytes(data))
    if resolution and min(resolution) > 0:
        result = result.copy(xres=resolution[0], yres=resolution[1])
        result.set_type(pyvips.GValue.gint_type, "colorizer-resolution", 1)
    if not turned and exif:
        from colorizer.pictures.exif import orientation

        result.set_type(pyvips.GValue.gint_type, "orientation", orientation(bytes(exif)))
    return result


def _plugin(module: str, reader: str, name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ColorizerError(
            f"{name} is {_NAMES[reader]}, which takes {_EXTRA[reader]} to read: pip install"
            " 'colorizer[formats]'; or convert it first"
        ) from error
