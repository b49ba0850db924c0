"""DDColor: a decoder of pixels, and one of colors that queries ask the picture for."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.errors import UsageError
from colorizer.models.colornet import ColorModel, extended
from colorizer.models.decoders import ConvBlock, Upsample
from colorizer.models.encoders import Encoder
from colorizer.models.heads import HeadName, create_head
from colorizer.models.positions import waves
from colorizer.registry import MODELS

__all__ = ["DDColor"]

_HEADS = 8  # of each attention


class Attention(nn.Module):
    """Multi-head attention of queries to places, with a residual and a norm behind it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ask, self.answer = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out, self.norm = nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, x: Tensor, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Shape: x, queries (N, Q, C); keys, values (N, P, C) -> (N, Q, C)."""
        width = x.shape[-1]
        weight, bias = self.answer.weight, self.answer.bias
        k = F.linear(keys, weight[:width], bias[:width])
        v = F.linear(values, weight[width:], bias[width:])
        q, k, v = (_apart(each) for each in (self.ask(queries), k, v))
        shares = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        found = (shares @ v).transpose(1, 2).flatten(2)  # (N, heads, Q, c) -> (N, Q, C)
        return self.norm(x + self.out(found))


class QueryLayer(nn.Module):
    """Colors ask one scale of the picture, then each other, then think."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.across, self.among = Attention(width), Attention(width)
        self.think = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, place: Tensor, memory: Tensor, where: Tensor) -> Tensor:
        """Shape: x, place (N, Q, C); memory (N, P, C), where (1, P, C) -> (N, Q, C)."""
        x = self.across(x, x + place, memory + where, memory)
        x = self.among(x, x + place, x + place, x)
        return self.norm(x + self.think(x))


@MODELS.register("ddcolor")
class DDColor(ColorModel):
    """Kang et al. 2023: color queries that ask three scales of a pixel decoder, over ConvNeXt.

    By `colorizer train --config ddcolor` it is trained by losses like the paper's. Written anew:
    weights that its authors have released are of other names and do not fit.

    Args:
        encoder: a timm model name, whose feature maps end at stride 32.
        head: reads one map of each query; "ab" is the paper's.
        pretrained: start from timm's weights, of its hub.
        pretrained_file: start from a local .safetensors or .pth state dict instead.
        queries: colors that are asked for.
        layers: of the color decoder; they take turns at the strides 16, 8 and 4.
        width: channels of both decoders, which 8 divides.

    Raises: UsageError for an encoder or a width that does not suit.
    Source: Kang et al., "DDColor: Towards Photo-Realistic Image Colorization via Dual Decoders"
        (2023).
    """

    def __init__(
        self,
        encoder: str = "convnext_tiny",
        head: HeadName = "ab",
        pretrained: bool = False,
        pretrained_file: str | None = None,
        queries: int = 100,
        layers: int = 9,
        width: int = 256,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(encoder, pretrained=pretrained, pretrained_file=pretrained_file)
        by_stride = dict(zip(self.encoder.reductions, self.encoder.channels, strict=True))
        if not {4, 8, 16, 32} <= by_stride.keys() or width % _HEADS or layers < 1 or queries < 1:
            raise UsageError(
                f"model 'ddcolor': encoder {encoder} with strides {self.encoder.reductions}, width "
                f"{width}, layers {layers}, queries {queries}; accepted are strides 4 to 32,"
                f" a width that {_HEADS} divides, and one layer and query at least"
            )
        self.up, self.merge = nn.ModuleList(), nn.ModuleList()
        channels = by_stride[32]
        for stride in (16, 8, 4):
            self.up.append(Upsample(channels, width))
            self.merge.append(ConvBlock(width + by_stride[stride], width))
            channels = width
        self.scales = nn.Parameter(torch.randn(3, width) * 0.02)  # tells them apart
        self.colors = nn.Parameter(torch.randn(queries, width) * 0.02)
        self.places = nn.Parameter(torch.randn(queries, width) * 0.02)
        self.layers = nn.ModuleList(QueryLayer(width) for _ in range(layers))
        self.shape = nn.Sequential(
            *(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()),
            nn.Linear(width, width),
        )
        self.head = create_head(head, queries + 1, stride=4)

    def features(self, L: Tensor) -> Tensor:
        """Shape: L (N, 1, H, W), 0..100 -> (N, queries + 1, ceil(H / 4), ceil(W / 4))."""
        height, width = ((side + 3) // 4 for side in L.shape[-2:])
        whole = extended(L, self.encoder.multiple)
        maps = dict(zip(self.encoder.reductions, self.encoder(whole), strict=True))
        x, scales = maps[32], []
        for stride, up, merge in zip((16, 8, 4), self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), maps[stride]], dim=1))
            scales.append(x)
        memories = [
            scale.flatten(2).transpose(1, 2) + self.scales[i] for i, scale in enumerate(scales)
        ]
        where = [waves(scale) for scale in scales]
        colors = self.colors.expand(L.shape[0], -1, -1)
        places = self.places.expand(L.shape[0], -1, -1)
        for i, layer in enumerate(self.layers):
            colors = layer(colors, places, memories[i % 3], where[i % 3])
        found = torch.einsum("nqc,nchw->nqhw", self.shape(colors), x) / math.sqrt(x.shape[1])
        small = F.avg_pool2d(whole / 50 - 1, 4)  # the paper refines beside the picture itself
        return torch.cat([found, small], dim=1)[:, :, :height, :width]


def _apart(x: Tensor) -> Tensor:
    """The heads of an attention: (N, P, C) -> (N, heads, P, C / heads)."""
    return x.unflatten(-1, (_HEADS, -1)).transpose(1, 2)
