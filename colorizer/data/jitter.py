"""What changes the colors of training crops, on the device: an example, and one that helps."""

import torch
from torch import Tensor

from colorizer.errors import UsageError
from colorizer.registry import AUGMENTATIONS

__all__ = ["Jitter"]


@AUGMENTATIONS.register("jitter")
class Jitter:
    """Each picture brighter or darker, harder or softer, livelier or paler, by chance.

    Each factor is drawn evenly from 1 - x to 1 + x, anew for each picture.

    Args:
        saturation: x of the distance from gray; 0 changes nothing.
        brightness: x of all values.
        contrast: x of the distance from the picture's mean.

    Raises: UsageError for a value outside 0..1.
    """

    def __init__(
        self, saturation: float = 0.2, brightness: float = 0.0, contrast: float = 0.0
    ) -> None:
        for name, value in locals().items():
            if name != "self" and not 0 <= value <= 1:
                raise UsageError(f"augmentation 'jitter': {name} is {value}; accepted are 0 to 1")
        self.saturation, self.brightness, self.contrast = saturation, brightness, contrast

    @torch.no_grad()
    def __call__(self, rgb: Tensor, generator: torch.Generator) -> Tensor:
        """Shape: rgb (N, 3, H, W), sRGB in 0..1 -> likewise."""
        draws = torch.rand((3, len(rgb), 1, 1, 1), generator=generator, device=rgb.device) * 2 - 1
        reach = (self.brightness, self.contrast, self.saturation)
        bright, hard, lively = (1 + x * draw for x, draw in zip(reach, draws, strict=True))
        rgb = rgb * bright
        mean = rgb.mean((1, 2, 3), keepdim=True)
        rgb = mean + hard * (rgb - mean)
        gray = rgb.mean(1, keepdim=True)
        return (gray + lively * (rgb - gray)).clamp(0, 1)
