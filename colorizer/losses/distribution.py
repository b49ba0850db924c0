"""Cross entropy over the in-gamut ab bins, rare colors weighted up."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.color import gamut
from colorizer.color.binning import Binning
from colorizer.color.tensors import Prediction, Target
from colorizer.errors import UsageError
from colorizer.registry import LOSSES

__all__ = ["DistributionLoss", "check_bins", "thinned"]


def check_bins(loss: str, raw: Tensor, count: int) -> None:
    """Raise UsageError where raw (N, C, h, w) is not that of a head with `count` bins."""
    if raw.shape[1] != count:
        raise UsageError(
            f"loss {loss!r} needs a model with head 'distribution': it compares {count} channels, "
            f"one per bin, and the head gave {raw.shape[1]}"
        )


def thinned(thin: int, *maps: Tensor) -> tuple[Tensor, ...]:
    """One place of `thin` by `thin` of each (N, C, h, w), at the same random offset."""
    if thin == 1:
        return maps
    down, across = torch.randint(thin, (2,)).tolist()  # on the host: no wait
    return tuple(x[..., down::thin, across::thin] for x in maps)


@LOSSES.register("distribution")
class DistributionLoss(nn.Module):
    """Cross entropy between the head's bins and the target's softly binned chroma.

    The target's chroma is averaged over the area of each pixel of the head's output and spread
    over its nearest bins by a Gaussian. A pixel's weight is its nearest bin's, 1 for all until
    `set_prior` tells how common each bin is in the training photos; the weights then have
    expectation 1 under that prior.

    Args:
        neighbors: nearest bins that share a pixel.
        sigma: width of the Gaussian, in Lab units.
        mix: share of the uniform distribution in the prior that is inverted (lambda in the
            paper), above 0 and up to 1; 1 weights all bins alike.
        bins: the head's: "gamut", or "zhang", the paper's 313.
        thin: in training, look at one place of `thin` by `thin`, at a random offset each step:
            neighbors tell nearly the same, and at 2 the loss costs a quarter.

    Shape: prediction.raw (N, Q, h, w), scores before the softmax.
    Raises: UsageError where the head is another than `distribution`.
    Source: Zhang, Isola and Efros, "Colorful Image Colorization" (2016).
    """

    weights: Tensor

    def __init__(
        self,
        neighbors: int = 5,
        sigma: float = 5.0,
        mix: float = 0.5,
        thin: int = 1,
        bins: Literal["gamut", "zhang"] = "gamut",
    ) -> None:
        super().__init__()
        count = len(gamut.bins(bins))
        if not (1 <= neighbors <= count and sigma > 0 and 0 < mix <= 1 and thin >= 1):
            raise UsageError(
                f"loss 'distribution': neighbors {neighbors}, sigma {sigma}, mix {mix}, thin "
                f"{thin}; accepted are neighbors in 1..{count}, sigma above 0, mix above 0 and up "
                "to 1, thin from 1 on"
            )
        self.mix, self.thin, self.kind = mix, thin, bins
        self.binning = Binning(neighbors, sigma, bins)
        self.register_buffer("weights", torch.ones(count))

    def set_prior(self, prior: Tensor) -> None:
        """Weight the bins against `prior`: (Q,), the training photos' smoothed histogram."""
        own = gamut.prior_over(self.kind, prior.detach().cpu().numpy())
        weights = gamut.class_weights(own, self.mix)
        self.weights.copy_(torch.from_numpy(weights))

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        raw = prediction.raw
        check_bins("distribution", raw, len(self.weights))
        with torch.autocast(raw.device.type, enabled=False):
            ab = F.adaptive_avg_pool2d(target.ab.float(), (raw.shape[2], raw.shape[3]))
            if self.training:
                ab, raw = thinned(self.thin, ab, raw)
            index, share = (x.movedim(1, -1) for x in self.binning(ab))  # N h w neighbors
            # Over the last dimension, which is how a channels-last network leaves it: 2.5 times
            # faster on a processor than over the second.
            log_p = F.log_softmax(raw.movedim(1, -1), dim=-1, dtype=torch.float32)
            entropy = -(share * log_p.gather(-1, index)).sum(-1)  # N h w
            return (self.weights[index[..., 0]] * entropy).mean()
