"""Lab and sRGB on tensors, in float32, and the two sides that losses and metrics compare."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorizer.color.lab import RGB_TO_XYZ, WHITE
from colorizer.errors import UsageError

__all__ = [
    "LabBatch",
    "Prediction",
    "Target",
    "as_batch",
    "lab_to_rgb",
    "lightness_to_gray",
    "luminance_to_lightness",
    "rgb_to_lab",
    "srgb_to_linear",
]

# Plain numbers, so that no step copies them to the device; and elementwise, because a convolution
# or a matrix product may be TF32 on a GPU, which moves sRGB by up to 3.6 of 255 levels.
_TO_XYZ = (RGB_TO_XYZ / WHITE[:, None]).tolist()  # of white's: each row sums to 1
_FROM_XYZ = (np.linalg.inv(RGB_TO_XYZ) * WHITE).tolist()


def rgb_to_lab(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """sRGB to CIE Lab (D65, 2 degrees), as scikit-image defines it.

    Shape: rgb (N, 3, H, W) in 0..1, any float type -> L (N, 1, H, W) in 0..100 and
    ab (N, 2, H, W) in Lab units, both float32 (bf16 Lab is wrong by up to 2.9 units).
    """
    with torch.autocast(rgb.device.type, enabled=False):
        xyz = _mix(srgb_to_linear(rgb), _TO_XYZ)
        # The clamp keeps the gradient of the root finite at black.
        root = xyz.clamp(min=0.008856) ** (1 / 3)
        x, y, z = torch.where(xyz > 0.008856, root, 7.787 * xyz + 16 / 116).split(1, dim=1)
        return 116 * y - 16, torch.cat([500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(L: Tensor, ab: Tensor) -> Tensor:
    """CIE Lab to sRGB, clipped to 0..1 per channel; the inverse of `rgb_to_lab` in gamut.

    Shape: L (N, 1, H, W) in 0..100, ab (N, 2, H, W) in Lab units -> rgb (N, 3, H, W), float32.
    """
    with torch.autocast(L.device.type, enabled=False):
        y = (L.float() + 16) / 116
        a, b = ab.float().split(1, dim=1)
        f = torch.cat([y + a / 500, y, (y - b / 200).clamp(min=0)], dim=1)
        xyz = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)
        return _gamma(_mix(xyz, _FROM_XYZ)).clamp(0, 1)


def _mix(x: Tensor, rows: list[list[float]]) -> Tensor:
    """The three channels of x (N, 3, H, W) mixed by each row."""
    first, second, third = x.split(1, dim=1)
    mixed = [torch.add(torch.add(a * first, second, alpha=b), third, alpha=c) for a, b, c in rows]
    return torch.cat(mixed, dim=1)


def _gamma(linear: Tensor) -> Tensor:
    """sRGB values, 0..1, of linear light."""
    # The clamp keeps the gradient of the power finite at black.
    power = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, power, 12.92 * linear)


def lightness_to_gray(L: Tensor) -> Tensor:
    """The sRGB gray (one channel, 0..1) whose lightness is L (0..100); float32, any shape."""
    with torch.autocast(L.device.type, enabled=False):
        f = (L.float() + 16) / 116
        y = torch.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
        return _gamma(y)


def srgb_to_linear(srgb: Tensor) -> Tensor:
    """Linear light of sRGB values, both 0..1; float32, any shape."""
    srgb = srgb.float()
    return torch.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)


def luminance_to_lightness(luminance: Tensor) -> Tensor:
    """The lightness, 0..100, of a luminance in 0..1 of white's; float32, any shape."""
    y = luminance.float()
    # The clamp keeps the gradient of the root finite at black.
    root = y.clamp(min=(6 / 29) ** 3) ** (1 / 3)
    return 116 * torch.where(y > (6 / 29) ** 3, root, y / (3 * (6 / 29) ** 2) + 4 / 29) - 16


class LabBatch:
    """A batch of pictures as lightness and chroma, with sRGB on demand.

    Args:
        L: (N, 1, H, W), 0..100.
        ab: (N, 2, H, W), Lab units, at the size of L.
    """

    ab: Tensor

    def __init__(self, L: Tensor, ab: Tensor) -> None:
        self.L = L
        self.ab = ab

    @cached_property
    def rgb(self) -> Tensor:
        """The picture as (N, 3, H, W) sRGB, 0..1; computed once."""
        return lab_to_rgb(self.L, self.ab)

    @cached_property
    def gray(self) -> Tensor:
        """(N, 3, H, W): the same lightness without chroma, sRGB in 0..1."""
        return lightness_to_gray(self.L).expand(-1, 3, -1, -1)

    def __getattr__(self, name: str) -> Tensor:
        if name == "raw":
            raise _NoRawError(
                "this reads the head's output, and got pictures alone: it needs a Prediction, as "
                "model.predict(L) gives"
            )
        raise AttributeError(name)


class _NoRawError(UsageError, AttributeError):
    """For users a sentence, and for `getattr` a missing attribute."""


class Target(LabBatch):
    """Lab of the color original: what predictions are compared with."""


class Prediction(LabBatch):
    """What a model made of L: the head's output, decoded and enlarged only on demand.

    Args:
        L: (N, 1, H, W), 0..100: the model's input.
        raw: (N, C, h, w): the head's output, before decoding.
        decode: the model's `decode`: raw -> ab (N, 2, h, w) in Lab units.
    """

    def __init__(self, L: Tensor, raw: Tensor, decode: Callable[[Tensor], Tensor]) -> None:
        self.L = L
        self.raw = raw
        self._decode = decode

    @cached_property
    def ab(self) -> Tensor:  # type: ignore[override]
        """(N, 2, H, W), Lab units: bilinearly enlarged to the size of L, in float32."""
        ab = self._decode(self.raw).float()
        return F.interpolate(ab, size=self.L.shape[-2:], mode="bilinear", align_corners=False)


def as_batch(pictures: LabBatch | Tensor) -> LabBatch:
    """A batch as it is, or of a tensor of pictures: (N, 3, H, W), sRGB in 0..1.

    Raises: UsageError for anything else.
    """
    if isinstance(pictures, LabBatch):
        return pictures
    if isinstance(pictures, Tensor):
        if pictures.is_floating_point() and pictures.dim() == 4 and pictures.shape[1] == 3:
            batch = Target(*rgb_to_lab(pictures))
            batch.rgb = pictures.float()  # exactly, not by way of Lab
            return batch
        came = f"a {str(pictures.dtype).removeprefix('torch.')} tensor of {tuple(pictures.shape)}"
    else:
        came = type(pictures).__name__
    raise UsageError(
        f"losses and metrics got {came}; they take a Prediction, as model.predict(L) gives, a "
        "Target(L, ab), or sRGB as float (N, 3, H, W) in 0..1"
    )
