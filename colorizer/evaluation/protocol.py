"""How photos are brought to the size that is measured, and which photos can be measured."""

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorizer.color.has_color import CHROMA, follows_lightness, highest_chroma
from colorizer.color.tensors import Target, lightness_to_gray, rgb_to_lab
from colorizer.data.photos import Photo, decode_photo
from colorizer.errors import ColorizerError, UsageError

__all__ = [
    "FILM_METRICS",
    "OWN_SIZE",
    "PROTOCOLS",
    "SMALLEST",
    "as_picture",
    "at_protocol",
    "check_protocol",
    "gray_of",
    "is_film",
    "read_original",
]

PROTOCOLS = MappingProxyType(
    {
        "native": "each photo at its own size",
        "squash256": "each photo resized to 256x256, whatever its aspect (Pillow, bicubic)",
        "center256": "the short side resized to 256 (Pillow, bicubic), the central 256x256 cut out",
    }
)
"""The pinned ways to bring photos to a size, by name."""

FILM_METRICS = ("warp_error", "color_consistency")
"""What a film has and a photo has not; naming one makes a folder of pictures a film."""

_FILMS = {
    *(".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".mxf", ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
}

SMALLEST = 32
"""Photos with a shorter side, in pixels, are left out: some metrics see nothing in them."""

_SIDE = 256
OWN_SIZE = 100_000
"""Pixels: no photo is larger, and none is enlarged."""


def is_film(data: str, metrics: Sequence[str] | None) -> bool:
    """Whether data is to be taken as a film: by its extension, or by what is to be measured."""
    film = Path(data).suffix.lower() in _FILMS
    return film or any(name in FILM_METRICS for name in metrics or ())


def check_protocol(name: str) -> None:
    """Raise UsageError for an unknown protocol."""
    if name not in PROTOCOLS:
        raise UsageError(f"unknown protocol {name!r}; known: {', '.join(PROTOCOLS)}")


def read_original(photo: Photo, protocol: str, keep_gray: bool = False) -> np.ndarray:
    """A photo as it is measured: (H, W, 3) uint8, sRGB.

    Args:
        keep_gray: measure gray and toned photos too.

    Raises: ColorizerError for a photo that cannot be read, or in which there is nothing to measure.
    """
    rgb = decode_photo(photo, OWN_SIZE)
    height, width = rgb.shape[:2]
    if min(height, width) < SMALLEST:
        raise ColorizerError(f"it has {width}x{height} pixels, fewer than {SMALLEST} one way")
    rgb = at_protocol(rgb, protocol)
    if not keep_gray and (reason := _lack_of_color(as_picture(rgb))):
        raise ColorizerError(reason)
    return rgb


def at_protocol(rgb: np.ndarray, protocol: str) -> np.ndarray:
    """A picture at the size that is measured: (H, W, 3) uint8 -> likewise."""
    height, width = rgb.shape[:2]
    if protocol == "squash256":
        rgb = _resize(rgb, _SIDE, _SIDE)
    elif protocol == "center256":
        scale = _SIDE / min(height, width)
        height, width = (max(_SIDE, round(side * scale)) for side in (height, width))
        top, left = (height - _SIDE) // 2, (width - _SIDE) // 2
        rgb = _resize(rgb, width, height)[top : top + _SIDE, left : left + _SIDE]
    return np.ascontiguousarray(rgb)


def _resize(rgb: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def as_picture(rgb: np.ndarray, device: str = "cpu") -> Target:
    """(H, W, 3) uint8, sRGB, as a batch of one."""
    batch = torch.from_numpy(rgb.copy()).to(device).permute(2, 0, 1)[None] / 255
    picture = Target(*rgb_to_lab(batch))
    picture.rgb = batch  # exactly, not by way of Lab
    return picture


def gray_of(L: Tensor) -> np.ndarray:
    """What a model is given: the same lightness in 8 bits, (1, 1, H, W) in 0..100 -> (H, W)."""
    return (lightness_to_gray(L)[0, 0] * 255).round().to(torch.uint8).cpu().numpy()


def _lack_of_color(picture: Target) -> str | None:
    """Why the colors of a photo cannot be guessed from its content, if so: it has none of its own.

    A toned photo (sepia) has one hue, and chroma that follows from lightness.
    """
    ab = picture.ab[0].flatten(1).double().numpy().T  # (H*W, 2)
    if highest_chroma(ab) < CHROMA:
        return "it is gray already"
    if follows_lightness(picture.L.flatten().double().numpy(), ab):
        return "it is toned in one hue, such as sepia"
    return None
