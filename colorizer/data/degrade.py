"""What age does to a photograph, on the device and in batches: the lightness that a network sees.

The effects follow each other as they do in life: the film's response to color, the lens, the grain
of the negative, the fading of the print, the file of its scan. Each is a function on its own, with
one strength for each picture.
"""

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from colorizer.color.tensors import (
    lightness_to_gray,
    luminance_to_lightness,
    rgb_to_lab,
    srgb_to_linear,
)
from colorizer.errors import UsageError

__all__ = ["Degradation", "blur", "fade", "film_luminance", "grain", "jpeg"]

_EYE = (0.2126, 0.7152, 0.0722)  # luminance of linear sRGB
_FILM = (0.0, 0.55, 0.45)  # orthochromatic: blind to red, keen on blue; white stays white
_SHARE = 0.6  # of the degraded pictures have any one effect
_SIDE = 128  # pixels, of the short side at which blur and grain have the sizes below
_GRAIN = (0.4, 0.8)  # sigma in pixels that grain is smoothed by
_MUTED = 0.35  # of the range that a wholly faded print lost at each end, at most
_QUANTA = (  # ITU-T T.81 (JPEG), table K.1: luminance
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


class Degradation:
    """What old photographs of the pictures would look like; every strength is drawn anew.

    A picture is degraded or not; a degraded one has each effect or not, at a strength drawn evenly
    from 0 to the largest. 0 turns an effect off.

    Args:
        probability: share of the pictures that are degraded, 0..1.
        orthochromatic: film blind to red, 0..1: skies turn white, lips and bricks dark.
        blur: sigma in pixels, 0..8, of a picture whose short side is 128; larger with the picture.
        grain: standard deviation in mid-tones, 0..0.5, of gray in 0..1; its size grows likewise.
        fade: of the print, 0..1: raised blacks, lowered whites, shifted mid-tones.
        jpeg: what the file lost, 0..1: its quality is 100 * (1 - jpeg) at the lowest.

    Raises: UsageError for a value out of range.
    """

    def __init__(
        self,
        probability: float = 0.5,
        fade: float = 1.0,
        grain: float = 0.04,
        blur: float = 1.0,
        jpeg: float = 0.6,
        orthochromatic: float = 1.0,
    ) -> None:
        self.probability, self.fade, self.grain = probability, fade, grain
        self.blur, self.jpeg, self.orthochromatic = blur, jpeg, orthochromatic
        for name, value in vars(self).items():
            most = {"grain": 0.5, "blur": 8}.get(name, 1)
            if not 0 <= value <= most:
                raise UsageError(f"degradation: {name} is {value!r}; accepted are 0 to {most}")

    @torch.no_grad()
    def __call__(self, rgb: Tensor, generator: torch.Generator) -> Tensor:
        """The lightness of old photographs of these pictures; their chroma is left to the caller.

        All chance comes from `generator`, on the pictures' device; each picture has its own. Runs
        in float32 and never waits for the device.

        Shape: rgb (N, 3, H, W), sRGB in 0..1, any float type -> L (N, 1, H, W), 0..100, float32.
        """
        with torch.autocast(rgb.device.type, enabled=False):
            L = rgb_to_lab(rgb)[0]
            if self.probability == 0:
                return L
            # As many numbers for each picture whatever is turned on: one effect moves no other.
            chance = torch.rand(len(rgb), 15, generator=generator, device=rgb.device)
            present = (chance[:, :1] < self.probability) & (chance[:, 1:6] < _SHARE)
            drawn = torch.where(present, chance[:, 6:11], 0).unbind(1)
            largest = (self.orthochromatic, self.blur, self.grain, self.fade, self.jpeg)
            strengths = torch.stack(
                [most * share for most, share in zip(largest, drawn, strict=True)]
            )
            old = strengths.amax(0) > 0  # (N,)
            if rgb.device.type == "cpu":  # where looking costs nothing, the others are left out
                rgb, strengths, chance = rgb[old], strengths[:, old], chance[old]
            gray = self._aged(rgb.float(), strengths.unbind(0), chance[:, 11:], generator)
            aged = luminance_to_lightness(srgb_to_linear(gray)).clamp(0, 100)
            if rgb.device.type == "cpu":
                L[old] = aged
                return L
            return torch.where(_each(old), aged, L)

    def _aged(
        self,
        rgb: Tensor,
        strengths: Sequence[Tensor],
        chance: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """rgb (N, 3, H, W), strengths (N,) and more chance (N, 4), 0..1 -> gray (N, 1, H, W)."""
        film, soft, grainy, faded, lost = strengths
        scale = min(rgb.shape[-2:]) / _SIDE
        luminance = film_luminance(rgb, film)
        if self.blur:
            luminance = blur(luminance, scale * soft, scale * self.blur)
        gray = lightness_to_gray(luminance_to_lightness(luminance)).clamp(0, 1)
        if self.grain:
            low, high = _GRAIN
            size = scale * (low + (high - low) * chance[:, 0])
            gray = grain(gray, grainy, size, scale * high, generator)
        if self.fade:
            black, white = _MUTED * faded * chance[:, 1], 1 - _MUTED * faded * chance[:, 2]
            gray = fade(gray, black, white, 2 ** (faded * (2 * chance[:, 3] - 1)))
        if self.jpeg:
            quality = (100 * (1 - lost)).round().clamp(1, 100)
            gray = torch.where(_each(lost > 0), jpeg(gray, quality), gray)
        return gray


def film_luminance(rgb: Tensor, strength: Tensor) -> Tensor:
    """The linear light that a film sees, between the eye's luminance and an orthochromatic film's.

    The film's mix of linear red, green and blue (0, 0.55, 0.45) is our choice, after the published
    sensitivity of such films: up to about 580 nm, highest in the blue.

    Shape: rgb (N, 3, H, W), sRGB in 0..1, and strength (N,), 0..1 -> (N, 1, H, W), 0..1.
    """
    linear = srgb_to_linear(rgb)
    weights = [_each(eye + (film - eye) * strength) for eye, film in zip(_EYE, _FILM, strict=True)]
    red, green, blue = (w * linear[:, i : i + 1] for i, w in enumerate(weights))
    return red + green + blue


def blur(x: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Gaussian blur; the border is repeated, the kernel ends at 3 times the largest sigma.

    Args:
        sigma: in pixels; 0 changes nothing.
        largest: what no sigma exceeds, which bounds the work.

    Shape: x (N, 1, H, W) and sigma (N,) -> (N, 1, H, W).
    """
    reach = _reach(largest)
    return _smooth(F.pad(x, (reach,) * 4, mode="replicate"), _kernel(sigma, reach))


def grain(
    gray: Tensor, amount: Tensor, size: Tensor, largest: float, generator: torch.Generator
) -> Tensor:
    """Film grain: smoothed noise, strongest in mid-tones, none in black and white.

    Grains that cover a share u of the film make a deviation of sqrt(u (1 - u)): Newson et al.,
    "A Stochastic Film Grain Model for Resolution-Independent Rendering" (2017).

    Args:
        amount: standard deviation at mid-gray.
        size: sigma in pixels of the smoothing.
        largest: what no size exceeds.

    Shape: gray (N, 1, H, W), 0..1; amount and size (N,) -> (N, 1, H, W), 0..1.
    """
    n, _, height, width = gray.shape
    reach = _reach(largest)
    shape = (n, 1, height + 2 * reach, width + 2 * reach)
    noise = torch.randn(shape, generator=generator, device=gray.device)
    kernel = _kernel(size, reach)
    noise = _smooth(noise, kernel / kernel.square().sum(1, keepdim=True).sqrt())  # variance 1
    return (gray + 2 * _each(amount) * (gray * (1 - gray)).sqrt() * noise).clamp(0, 1)


def fade(gray: Tensor, black: Tensor, white: Tensor, gamma: Tensor) -> Tensor:
    """A faded print: black and white as they are now, and gray ** gamma between them.

    Shape: gray (N, 1, H, W), 0..1; black, white (0..1) and gamma (above 0), each (N,) -> gray.
    """
    return _each(black) + _each(white - black) * gray ** _each(gamma)


def jpeg(gray: Tensor, quality: Tensor) -> Tensor:
    """What is left of 8-bit gray pictures after JPEG, with libjpeg's scale of quality.

    Shape: gray (N, 1, H, W), 0..1, any size, and quality (N,), 1..100 -> (N, 1, H, W), 0..1.
    """
    n, _, height, width = gray.shape
    pixels = F.pad(gray, (0, -width % 8, 0, -height % 8), mode="replicate")
    rows, columns = pixels.shape[-2] // 8, pixels.shape[-1] // 8
    pixels = (255 * pixels).round() - 128
    blocks = pixels.view(n, rows, 8, columns, 8).transpose(2, 3)  # (N, rows, columns, 8, 8)
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    table, cosines = _jpeg_constants(gray.device)
    table = ((table * percent.view(-1, 1, 1) + 50) / 100).floor().clamp(1, 255)
    table = table[:, None, None]  # (N, 1, 1, 8, 8)
    blocks = (cosines @ blocks @ cosines.mT / table).round() * table
    pixels = (cosines.mT @ blocks @ cosines).transpose(2, 3).reshape(pixels.shape)
    return ((pixels + 128).round().clamp(0, 255) / 255)[..., :height, :width]


@cache
def _jpeg_constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """The quantization at quality 50, and the discrete cosine transform; each (8, 8)."""
    number = torch.arange(8.0)
    cosines = torch.cos((2 * number + 1) * number[:, None] * torch.pi / 16) / 2
    cosines[0] /= 2**0.5
    return torch.tensor(_QUANTA).float().view(8, 8).to(device), cosines.to(device)


def _each(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _reach(sigma: float) -> int:
    return max(1, int(3 * sigma + 0.5))


def _kernel(sigma: Tensor, reach: int) -> Tensor:
    """sigma (N,) -> (N, 2 * reach + 1), sums to 1."""
    place = torch.arange(-reach, reach + 1, device=sigma.device)
    kernel = torch.exp(-0.5 * (place / sigma.clamp(min=1e-3)[:, None]) ** 2)
    return kernel / kernel.sum(1, keepdim=True)


def _smooth(x: Tensor, kernel: Tensor) -> Tensor:
    """x (N, 1, H, W), kernel (N, K) -> (N, 1, H - K + 1, W - K + 1), along both axes."""
    # A sum of shifted pictures: grouped convolutions would be TF32 on a GPU.
    for axis in (-1, -2):
        size = x.shape[axis] - kernel.shape[1] + 1
        first, *others = (
            _each(kernel[:, i]) * x.narrow(axis, i, size) for i in range(kernel.shape[1])
        )
        x = sum(others, first)
    return x
