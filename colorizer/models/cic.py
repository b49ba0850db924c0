"""The network of "Colorful Image Colorization", in its layers and in the order of its colors."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from colorizer.color.gamut import bins
from colorizer.errors import ColorizerError
from colorizer.models.colornet import ColorModel
from colorizer.models.heads import HeadName, create_head
from colorizer.registry import MODELS

__all__ = ["CIC"]

_BLOCKS = (  # of the paper's conv1 to conv7: channels / 64, layers, stride of the last, dilation
    *((1, 2, 2, 1), (2, 2, 2, 1), (4, 3, 2, 1), (8, 3, 1, 1)),
    *((8, 3, 1, 2), (8, 3, 1, 2), (8, 3, 1, 1)),
)
_AS_PAPER = {"name": "distribution", "bins": "zhang", "temperature": 0.38, "moderation": 0.0}


@MODELS.register("cic")
class CIC(ColorModel):
    """Zhang et al. 2016: VGG-like convolutions, dilated ones in the middle, and 313 colors.

    By `colorizer train --config cic` it is trained as in the paper. The weights that its authors
    have released (`colorization_release_v2`, eccv16) have these layers and are taken as a state
    dict; they are for you to get, and under their license.

    Args:
        head: the paper's distribution over 313 bins, or another one.
        width: channels of the first block; the paper's is 64.

    Source: Zhang, Isola and Efros, "Colorful Image Colorization" (2016).
    """

    def __init__(self, head: HeadName = _AS_PAPER, width: int = 64) -> None:
        super().__init__()
        channels = 1
        for number, (factor, layers, stride, dilation) in enumerate(_BLOCKS, 1):
            block: list[nn.Module] = []
            for layer in range(layers):
                last = stride if layer == layers - 1 else 1
                conv = nn.Conv2d(
                    channels, factor * width, 3, last, padding=dilation, dilation=dilation
                )
                block += [conv, nn.ReLU(inplace=True)]
                channels = factor * width
            self.add_module(f"model{number}", nn.Sequential(*block, nn.BatchNorm2d(channels)))
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(channels, 4 * width, 4, 2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.head = create_head(head, 4 * width, stride=4)

    def features(self, L: Tensor) -> Tensor:
        """Shape: L (N, 1, H, W), 0..100 -> (N, 4 * width, ceil(H / 4), ceil(W / 4))."""
        height, width = ((side + 3) // 4 for side in L.shape[-2:])
        x = (L - 50) / 100
        for number in range(1, 9):
            x = self.get_submodule(f"model{number}")(x)
        return x[:, :, :height, :width]  # an eighth, rounded up, and doubled may be one too large

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The released weights in our names: their last layer is the head, its colors are known.

        Raises: ColorizerError for weights of other colors, or in another order.
        """
        if "model_out.weight" not in state:
            return state
        state = dict(state)
        colors = state.pop("model_out.weight").flatten(1).T  # (313, 2), of 110 Lab units each
        known = torch.from_numpy(bins("zhang").copy())
        if colors.shape != known.shape or not any(
            torch.allclose(scale * colors.float().cpu(), known, atol=0.1) for scale in (1, 110)
        ):
            raise ColorizerError(
                "these weights of cic are for other colors than the paper's 313 bins"
            )
        for part in ("weight", "bias"):
            state[f"head.project.{part}"] = state.pop(f"model8.6.{part}")
        return {"head.training_prior": torch.full((len(known),), 1 / len(known))} | state
