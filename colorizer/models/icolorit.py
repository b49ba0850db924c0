"""A transformer that hears hints, after iColoriT."""

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from colorizer.errors import UsageError
from colorizer.models.colornet import ColorModel, extended
from colorizer.models.heads import HeadName, create_head
from colorizer.models.positions import waves
from colorizer.registry import MODELS

__all__ = ["IColoriT"]

_PATCH = 16  # pixels, each way
_MOST = 128  # hints of a picture in training, 0 at least
_HINT = 2  # pixels of a hint, each way
_UNIT = 110.0  # Lab units


@MODELS.register("icolorit")
class IColoriT(ColorModel):
    """Yun et al. 2023: patches of lightness and hints ask each other, all over the picture.

    A vision transformer over patches of 16 pixels, whose answers are shuffled to stride 4 and
    steadied by a convolution there. By `colorizer train --config icolorit` it is trained with
    random hints, and without any it colors by itself. Of the paper: patches, hints of 2 x 2 pixels,
    0 to 128 of them, the Huber loss; positions are sines, for pictures of any size.

    Hints are told in Python, `model.predict(L, hints=hints)`: (N, 3, H, W), a and b in Lab units
    where something is said and 0 elsewhere, and 1 or 0 for where that is. The exported graph takes
    lightness alone; the tool's `--hints` spread over its features as over any other network's.

    Args:
        head: "ab" is the paper's.
        width: of a patch's token, which 4 divides; above 64, which 64 divides. 192 is ViT-Ti's.
        depth: blocks.

    Raises: UsageError for a width or a depth that does not suit.
    Source: Yun et al., "iColoriT: Towards Propagating Local Hint to the Right Region in Interactive
        Colorization by Leveraging Vision Transformer" (2023).
    """

    def __init__(self, head: HeadName = "ab", width: int = 192, depth: int = 12) -> None:
        super().__init__()
        if width < 4 or width % (64 if width > 64 else 4) or depth < 1:
            raise UsageError(
                f"model 'icolorit': width {width}, depth {depth}; accepted are a width that 4"
                " divides, and 64 if it is above, and one block at least"
            )
        self.patches = nn.Conv2d(4, width, _PATCH, _PATCH)  # L, ab of hints, where they are
        heads = max(1, width // 64)
        self.blocks = nn.Sequential(*(Block(width, heads, qkv_bias=True) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.apart = nn.Conv2d(width, _PATCH * (channels := max(8, width // 4)), 1)
        self.steady = nn.Conv2d(channels, channels, 3, padding=1)
        self.head = create_head(head, channels, stride=4)

    def features(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """Shape: L (N, 1, H, W), 0..100; hints (N, 3, H, W) -> (N, C, ceil(H / 4), ceil(W / 4))."""
        height, width = ((side + 3) // 4 for side in L.shape[-2:])
        whole = extended(L, _PATCH)
        if hints is None:
            said = torch.zeros_like(whole).expand(-1, 3, -1, -1)
        else:
            missing = whole.shape[-1] - L.shape[-1], whole.shape[-2] - L.shape[-2]
            said = F.pad(hints, (0, missing[0], 0, missing[1]))  # of what was added nothing is said
            said = torch.cat([said[:, :2] / _UNIT, said[:, 2:]], dim=1)
        x = self.patches(torch.cat([whole / 50 - 1, said], dim=1))
        tokens = x.flatten(2).transpose(1, 2) + waves(x)  # (N, C, h, w) -> (N, h * w, C)
        tokens = self.norm(self.blocks(tokens))
        x = self.apart(tokens.transpose(1, 2).unflatten(2, x.shape[-2:]))
        x = self.steady(F.pixel_shuffle(x, 4))
        return F.gelu(x)[:, :, :height, :width]

    def tell(self, ab: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Hints as in the paper: up to so many random places, in the colors that are there."""
        mean = F.avg_pool2d(ab, _HINT, ceil_mode=True)
        n, _, h, w = mean.shape
        chance = torch.rand(n, 1, h, w + 1, generator=generator, device=ab.device)
        share = chance[:, :, :1, :1] * _MOST / (h * w)  # of each picture's places
        told = (chance[..., 1:] < share).float()
        hints = torch.cat([mean * told, told], dim=1)
        hints = hints.repeat_interleave(_HINT, 2).repeat_interleave(_HINT, 3)
        return {"hints": hints[:, :, : ab.shape[2], : ab.shape[3]]}
