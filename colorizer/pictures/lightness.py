"""From coded pixels to CIE Lab lightness, under the profile that the picture carries.

Lightness is that of the picture in sRGB under D65, as scikit-image defines it. Gray pictures go
through one exact table, RGB pictures through linear light to luminance.
"""

from typing import TYPE_CHECKING

import numpy as np

from colorizer.color.lab import RGB_TO_XYZ, lightness_of
from colorizer.pictures.metadata.icc import SRGB, MatrixProfile, color_space, read_profile

if TYPE_CHECKING:
    import pyvips

__all__ = [
    "ICC",
    "alpha_of",
    "color_spread",
    "has_unusable_profile",
    "is_srgb",
    "lightness",
    "linear_light",
    "split_alpha",
]

ICC = "icc-profile-data"


def lightness(image: "pyvips.Image") -> "pyvips.Image":
    """L of every pixel: one float band, 0..100; lazy.

    Args:
        image: gray, RGB or CMYK, uchar or ushort, with or without alpha. Gray and RGB without a
            usable profile are taken as sRGB.
    """
    import pyvips

    colors, profile = _interpret(split_alpha(image)[0])
    tables = profile.tables(_highest(colors))
    if colors.bands == 1:
        L = lightness_of(tables[len(tables) // 2])  # of three the green, the most of luminance
        return colors.maplut(pyvips.Image.new_from_array(L[None].astype(np.float32)))
    linear = colors.maplut(pyvips.Image.new_from_array(tables.T[None].astype(np.float32)))
    Y = linear.recomb((RGB_TO_XYZ[1:2] @ profile.to_srgb).tolist()).clamp()
    return (Y > 0.008856).ifthenelse(Y ** (1 / 3) * 116 - 16, Y * (116 * 7.787))


def linear_light(image: "pyvips.Image") -> "pyvips.Image":
    """Linear sRGB of every pixel of a picture in color: three float bands, 0..1; lazy.

    Args:
        image: RGB or CMYK, as for `lightness`.
    """
    import pyvips

    colors, profile = _interpret(split_alpha(image)[0])
    tables = profile.tables(_highest(colors)).T[None].astype(np.float32)
    linear = colors.maplut(pyvips.Image.new_from_array(tables))
    return linear.recomb(profile.to_srgb.tolist()).clamp()


def alpha_of(image: "pyvips.Image", bits: int) -> "pyvips.Image | None":
    """The transparency of an image, of 8 or 16 bits, in so many, no more than it has."""
    alpha = split_alpha(image)[1]
    if alpha is None or bits == 16 or alpha.format == "uchar":
        return alpha
    return (alpha / 257).rint().cast("uchar")


def split_alpha(image: "pyvips.Image") -> tuple["pyvips.Image", "pyvips.Image | None"]:
    """The color channels and the transparency, which most pictures lack."""
    if not image.hasalpha():
        return image, None
    last = image.bands - 1
    return image.extract_band(0, n=last), image[last]


def color_spread(image: "pyvips.Image") -> "pyvips.Image":
    """How far the channels of a pixel lie apart, 0..1; 0 throughout for a gray picture."""
    colors = split_alpha(image)[0]
    if colors.bands == 1:
        return colors * 0
    if colors.bands == 4:
        colors = _interpret(colors)[0]
    r, g, b = colors.bandsplit()
    return (r.maxpair(g).maxpair(b) - r.minpair(g).minpair(b)) / _highest(colors)


def is_srgb(image: "pyvips.Image") -> bool:
    """Whether the pixels are sRGB as they are: by what the profile does, not by its name."""
    colors = split_alpha(image)[0]
    return colors.bands == 3 and _own_profile(colors, "RGB").is_srgb()


def has_unusable_profile(image: "pyvips.Image") -> bool:
    """Whether there is a profile that is damaged or for other pixels, so that it is ignored."""
    profile = _profile_bytes(image)
    bands = split_alpha(image)[0].bands
    fitting = {1: ("GRAY", "RGB"), 3: ("RGB",), 4: ("CMYK",)}[bands]
    if bands == 1 and color_space(profile) in fitting:
        return read_profile(profile) is None
    return bool(profile) and color_space(profile) not in fitting


def _interpret(colors: "pyvips.Image") -> tuple["pyvips.Image", MatrixProfile]:
    """The pixels, and what they mean; where only LittleCMS knows, converted to 16-bit sRGB."""
    if colors.bands == 1:
        return colors, _own_profile(colors, "GRAY", "RGB")
    if colors.bands == 4:
        embedded = color_space(_profile_bytes(colors)) == "CMYK"
        cmyk = colors.copy(interpretation="cmyk")
        # the input profile, libvips' own, counts where none is embedded
        return cmyk.icc_transform("srgb", depth=16, embedded=embedded, input_profile="cmyk"), SRGB
    profile = _profile_bytes(colors)
    if color_space(profile) == "RGB" and read_profile(profile) is None:
        return colors.icc_transform("srgb", depth=16, embedded=True), SRGB
    return colors, _own_profile(colors, "RGB")


def _own_profile(colors: "pyvips.Image", *spaces: str) -> MatrixProfile:
    """The embedded profile if it is for pixels of this kind, else sRGB."""
    profile = _profile_bytes(colors)
    found = read_profile(profile) if color_space(profile) in spaces else None
    return found or SRGB


def _profile_bytes(image: "pyvips.Image") -> bytes:
    return bytes(image.get(ICC)) if image.get_typeof(ICC) else b""


def _highest(image: "pyvips.Image") -> int:
    return 255 if image.format == "uchar" else 65535
