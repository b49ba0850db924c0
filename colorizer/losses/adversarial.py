"""A patch discriminator over rgb, trained beside the model."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from colorizer.color.tensors import LabBatch, Prediction, Target
from colorizer.errors import UsageError
from colorizer.registry import LOSSES

__all__ = ["AdversarialLoss", "PatchDiscriminator"]


class PatchDiscriminator(nn.Module):
    """A score for each patch of a picture; every convolution is spectrally normalized.

    Args:
        channels: width of the first layer; each further one doubles it, up to 8 times.
        depth: strided layers; at 3 a score sees 70 x 70 pixels.

    Shape: rgb (N, 3, H, W), sRGB in 0..1, 3 * 2**depth or more each way -> (N, 1, h, w).
    Raises: UsageError for a smaller picture.
    Source: Isola et al., "Image-to-Image Translation" (2017); Miyato et al., "Spectral
        Normalization" (2018).
    """

    def __init__(self, channels: int = 64, depth: int = 3) -> None:
        super().__init__()
        widths = [3, *(channels * min(2**i, 8) for i in range(depth + 1))]
        layers: list[nn.Module] = []
        for i in range(depth + 1):
            stride = 2 if i < depth else 1
            layers += [
                spectral_norm(nn.Conv2d(widths[i], widths[i + 1], 4, stride, padding=1)),
                nn.LeakyReLU(0.2),
            ]
        layers.append(spectral_norm(nn.Conv2d(widths[-1], 1, 4, padding=1)))
        self.layers = nn.Sequential(*layers)
        self.smallest = 3 * 2**depth

    def forward(self, rgb: Tensor) -> Tensor:
        if min(rgb.shape[-2:]) < self.smallest:
            height, width = rgb.shape[-2:]
            raise UsageError(
                f"loss 'adversarial': pictures are {height}x{width}, the discriminator needs "
                f"{self.smallest} or more each way; crop larger or lower its depth"
            )
        return self.layers(2 * rgb - 1)


@LOSSES.register("adversarial")
class AdversarialLoss(nn.Module):
    """Hinge loss against a discriminator that learns to tell prediction from original.

    `forward` is the model's term, which leaves the discriminator's parameters alone;
    `discriminator_loss` is the discriminator's, for an optimizer of its own over
    `discriminator.parameters()`. Before `start` the model's term is exactly 0.

    Args:
        start: share of the training after which it is active, 0..1, not 1; the training sets
            `progress` (0..1) before each step.
        channels: width of the discriminator's first layer.
        depth: strided layers of the discriminator.

    Source: Lim and Ye, "Geometric GAN" (2017).
    """

    def __init__(self, start: float = 0.0, channels: int = 64, depth: int = 3) -> None:
        super().__init__()
        if not (0 <= start < 1 and channels >= 1 and depth >= 1):
            raise UsageError(
                f"loss 'adversarial': start {start}, channels {channels}, depth {depth}; "
                f"accepted are a start in 0..1 (not 1), channels and depth from 1 on"
            )
        self.start = start
        self.progress = 0.0
        self.discriminator = PatchDiscriminator(channels, depth)

    @property
    def active(self) -> bool:
        """Whether the training has come to the start."""
        return self.progress >= self.start

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        if not self.active:
            return prediction.raw.flatten()[:0].sum(dtype=torch.float32)  # 0, with a graph
        frozen = {
            name: parameter.detach() for name, parameter in self.discriminator.named_parameters()
        }
        scores = torch.func.functional_call(self.discriminator, frozen, (prediction.rgb,))
        return -scores.mean(dtype=torch.float32)

    def discriminator_loss(self, prediction: LabBatch, target: Target) -> Tensor:
        """The discriminator's hinge loss; no gradient reaches the prediction."""
        fake, real = prediction.rgb.detach(), target.rgb.detach()
        scores = self.discriminator(torch.cat([fake, real])).float()
        fake_scores, real_scores = scores.chunk(2)
        return F.relu(1 + fake_scores).mean() + F.relu(1 - real_scores).mean()
