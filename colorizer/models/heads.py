"""Heads: from the features of a network to chroma, by regression or by a distribution over bins."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from colorizer.color import gamut

__all__ = ["AbHead", "DistributionHead", "Head", "HeadName", "create_head"]

HeadName = Literal["ab", "distribution"]


class Head(nn.Module):
    """A 1x1 convolution to the raw output, and what that output means.

    Args:
        in_channels: channels of the features that it reads.
        out_channels: channels of the raw output.
        stride: input pixels per raw pixel, each way.
    """

    name: HeadName
    decode: Callable[..., Tensor]

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.project = nn.Conv2d(in_channels, out_channels, 1)
        nn.init.normal_(self.project.weight, std=0.01)  # start at gray, or at no opinion
        nn.init.zeros_(self.get_parameter("project.bias"))

    def forward(self, features: Tensor) -> Tensor:
        """Shape: features (N, in_channels, h, w) -> raw (N, out_channels, h, w)."""
        return self.project(features)


class AbHead(Head):
    """Regresses chroma; a raw output of 1 means `scale` Lab units."""

    name = "ab"
    scale = 110.0

    def __init__(self, in_channels: int, stride: int = 4) -> None:
        super().__init__(in_channels, 2, stride)

    def decode(self, raw: Tensor) -> Tensor:
        """Shape: raw (N, 2, h, w) -> ab (N, 2, h, w), Lab units, float32."""
        return raw.float() * self.scale


class DistributionHead(Head):
    """Predicts a distribution over the in-gamut ab bins (Zhang et al. 2016), as logits.

    Args:
        in_channels: channels of the features that it reads.
        stride: input pixels per raw pixel, each way.
        temperature: of the annealed mean, when `decode` is given none.
        moderation: how much the decoded distribution leans back to common colors, which a
            rebalanced loss makes too rare: the power of the training prior, mixed half and half
            with the uniform one, that multiplies the probabilities. 0 decodes as in the paper, 1
            takes the default rebalancing of the loss `distribution` back (logit adjustment,
            Menon et al. 2021).

    Attributes:
        bins: (Q, 2), Lab units.
        training_prior: (Q,), sums to 1: the training data's histogram, uniform until training
            fills it; kept with the weights.
    """

    name = "distribution"
    bins: Tensor
    training_prior: Tensor

    def __init__(
        self,
        in_channels: int,
        stride: int = 4,
        temperature: float = 0.38,
        moderation: float = 0.5,
    ) -> None:
        bins = torch.tensor(gamut.bins())
        super().__init__(in_channels, len(bins), stride)
        self.temperature, self.moderation = temperature, moderation
        self.register_buffer("bins", bins, persistent=False)
        self.register_buffer("training_prior", torch.full((len(bins),), 1 / len(bins)))

    def decode(
        self, raw: Tensor, temperature: float | Tensor | None = None, prior: Tensor | None = None
    ) -> Tensor:
        """The annealed mean: the mean of the bins under the sharpened distribution.

        Args:
            raw: (N, Q, h, w), logits.
            temperature: above 0; 1 gives the mean, towards 0 the most likely bin; values
                below 0.001 act as 0.001.
            prior: (Q,), 0 or more, multiplied into the probabilities: a palette; ones by default.

        Returns:
            ab: (N, 2, h, w), Lab units, float32.
        """
        if temperature is None:
            temperature = self.temperature
        if isinstance(temperature, Tensor):
            temperature = temperature.float().clamp(min=1e-3)
        else:
            temperature = max(temperature, 1e-3)
        with torch.autocast(raw.device.type, enabled=False):
            p = (self._logits(raw, prior) / temperature).softmax(-1)
            return (p @ self.bins).permute(0, 3, 1, 2)  # (N, h, w, 2) -> (N, 2, h, w)

    def uncertainty(self, raw: Tensor, prior: Tensor | None = None) -> Tensor:
        """Entropy of the distribution, not annealed, as a share of the largest possible one.

        Shape: raw (N, Q, h, w), prior (Q,) as in `decode` -> (N, 1, h, w), 0..1, float32.
        """
        with torch.autocast(raw.device.type, enabled=False):
            log_p = self._logits(raw, prior).log_softmax(-1)
            entropy = -(log_p.exp() * log_p).sum(-1)
        return entropy[:, None] / math.log(len(self.bins))

    def _logits(self, raw: Tensor, prior: Tensor | None) -> Tensor:
        """Bins last, where softmax is several times faster: (N, Q, h, w) -> (N, h, w, Q)."""
        lean = self.moderation * (0.5 * self.training_prior + 0.5 / len(self.bins)).log()  # (Q,)
        if prior is not None:
            # A bin that the prior excludes gets a tiny share, so that an all-zero one is no NaN.
            lean = lean + prior.float().clamp(min=1e-12).log()
        return raw.float().permute(0, 2, 3, 1) + lean


def create_head(name: HeadName, in_channels: int, stride: int) -> Head:
    """The head called `name`: "ab" or "distribution"."""
    return AbHead(in_channels, stride) if name == "ab" else DistributionHead(in_channels, stride)
