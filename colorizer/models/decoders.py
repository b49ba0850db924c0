"""The decoder: from an encoder's features up to the head's stride, with or without cross
connections."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.errors import UsageError

__all__ = ["Bottleneck", "ConvBlock", "Decoder", "GlobalContext", "Upsample", "icnr_"]


def icnr_(weight: Tensor, factor: int = 2) -> Tensor:
    """Initialise, in place, a convolution before a pixel shuffle so that the two together equal a
    convolution before a nearest-neighbor enlargement (Aitken et al. 2017): no checkerboard.

    Shape: weight (C * factor**2, in, k, k).
    """
    kernel = weight.new_empty(len(weight) // factor**2, *weight.shape[1:])
    nn.init.kaiming_normal_(kernel, mode="fan_in", nonlinearity="relu")
    with torch.no_grad():
        return weight.copy_(kernel.repeat_interleave(factor**2, dim=0))


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, ReLU; keeps height and width."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        conv = nn.Conv2d(c_in, c_out, kernel, padding=padding, dilation=dilation, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        super().__init__(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


class Bottleneck(nn.Module):
    """Residual 1x1, dilated 3x3, 1x1 at half the channels: sees far for few parameters."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            ConvBlock(channels, half, kernel=1),
            ConvBlock(half, half, dilation=dilation),
            nn.Conv2d(half, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class GlobalContext(nn.Module):
    """Adds to every place what the whole picture is like: its mean features through two layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 2, 1)
        self.expand = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)  # (N, C, 1, 1): no batch norm on a single pixel
        return x + self.expand(F.relu(self.squeeze(mean)))


class Upsample(nn.Module):
    """Doubles height and width: 1x1 convolution, pixel shuffle, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, 4 * c_out, 1, bias=False)
        icnr_(self.conv.weight)
        self.norm = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_shuffle(self.conv(x), 2)  # (N, c_in, h, w) -> (N, c_out, 2h, 2w)
        return F.relu(self.norm(x))


class Decoder(nn.Module):
    """Context at the encoder's last stride, then doublings up to the head's stride.

    With cross connections, each step also reads the encoder's features of its own stride, through
    a 1x1 convolution; features finer than the head's stride are averaged down to it. Feature maps
    must be exact halves of each other: the network pads its input for that.

    Args:
        channels: the encoder's, finest first.
        reductions: the encoder's strides, finest first.
        stride: the head's stride, where the decoder stops.
        width: channels at the head's stride; the last encoder stage is brought to at most 8 times
            as many, and each doubling of the size halves them.
        cross_connections: read every encoder stage, not the last only.
        dilations: one bottleneck each, at the encoder's last stride.

    Raises:
        UsageError: a last stride that doublings cannot bring to the head's stride.
    """

    def __init__(
        self,
        channels: Sequence[int],
        reductions: Sequence[int],
        *,
        stride: int = 4,
        width: int = 64,
        cross_connections: bool = False,
        dilations: Sequence[int] = (1, 2),
    ) -> None:
        super().__init__()
        steps = round(math.log2(reductions[-1] / stride))
        if steps < 0 or stride * 2**steps != reductions[-1]:
            raise UsageError(
                f"an encoder that ends at stride {reductions[-1]} does not suit a head at stride "
                f"{stride}: choose one that ends at {stride}, {2 * stride}, {4 * stride} ..."
            )
        self.stride = stride
        self.reductions = list(reductions)
        self.cross_connections = cross_connections
        c = max(width, min(channels[-1], 8 * width))
        neck: list[nn.Module] = [] if c == channels[-1] else [ConvBlock(channels[-1], c, kernel=1)]
        neck += [GlobalContext(c), *(Bottleneck(c, d) for d in dilations)]
        self.neck = nn.Sequential(*neck)
        self.up = nn.ModuleList()
        self.cross = nn.ModuleList()  # 1x1 convolutions, of the finest stage first
        self.merge = nn.ModuleList()
        widths = [max(width, c >> step) for step in range(1, steps + 1)]
        strides = [reductions[-1] >> step for step in range(1, steps + 1)]
        joined = dict.fromkeys(strides, 0)  # channels that arrive by cross connections
        if cross_connections:
            for c_skip, reduction in zip(channels[:-1], reductions[:-1], strict=True):
                place = max(reduction, stride)
                if place not in joined:
                    raise UsageError(
                        f"an encoder stage of stride {reduction} does not meet the decoder's "
                        f"strides {strides}: use cross_connections=False"
                    )
                c_joined = min(c_skip, widths[strides.index(place)])
                self.cross.append(ConvBlock(c_skip, c_joined, kernel=1))
                joined[place] += c_joined
        for c_out, place in zip(widths, strides, strict=True):
            self.up.append(Upsample(c, c_out))
            self.merge.append(ConvBlock(c_out + joined[place], c_out))
            c = c_out
        self.out_channels = c

    def forward(self, features: list[Tensor]) -> Tensor:
        """Shape: features [(N, C_i, H / r_i, W / r_i)] -> (N, out_channels, H / s, W / s)."""
        joined: dict[int, list[Tensor]] = {}
        if self.cross_connections:
            for i, cross in enumerate(self.cross):
                skip = features[i]
                if self.reductions[i] < self.stride:
                    skip = F.avg_pool2d(skip, self.stride // self.reductions[i])
                joined.setdefault(max(self.reductions[i], self.stride), []).append(cross(skip))
        x = self.neck(features[-1])
        place = self.reductions[-1]
        for up, merge in zip(self.up, self.merge, strict=True):
            place //= 2
            x = merge(torch.cat([up(x), *joined.get(place, [])], dim=1))
        return x
