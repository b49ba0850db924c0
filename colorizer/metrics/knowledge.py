"""What a distribution knows, whatever its liveliness: calibrated_nll."""

import math
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from colorizer.color.binning import Binning
from colorizer.color.gamut import bins
from colorizer.color.tensors import LabBatch
from colorizer.errors import UsageError
from colorizer.metrics.base import ColorMetric, Number, checked_pair, named
from colorizer.registry import METRICS

__all__ = ["CalibratedNLL"]

_PLACES = 64  # of each picture that are looked at
_PULL = 2e-5  # of the bias to 0: a bin that no picture of the half has would run off


@METRICS.register("calibrated_nll")
class CalibratedNLL(ColorMetric):
    """The cross entropy of the bins, in nats, once liveliness is taken out of it.

    Rebalancing in the loss, temperature, moderation and gain move PSNR, CIEDE2000 and colorfulness,
    and the plain validation loss too, without the network knowing more. So a bias for each bin and
    one temperature are fitted to half of the pictures (every second one), and the cross entropy of
    the other half is taken with them; and the other way round; this is the mean. The temperature
    by which the fit divides the logits is told too (`calibrated_nll_temperature`): above 1, the
    network is too sure of itself, as one that has learnt its photos by heart.

    Each picture counts by 64 places, spread over it at random, the same for all networks.
    Only networks with the head `distribution` have it; in an evaluation the others' is left out.

    Shape: `update` takes predictions with `raw` (N, Q, h, w).
    Raises: UsageError for predictions of another head, and for fewer than 2 pictures.
    Source: for the calibration, Guo et al., "On Calibration of Modern Neural Networks" (2017),
    there called vector scaling, with one temperature.
    """

    numbers = (
        Number("calibrated_nll", "Calibrated NLL", "nats", paired=True),
        Number(
            "calibrated_nll_temperature",
            "Temperature of the calibration",
            higher_is_better=None,
            per_image=False,
            main=False,
        ),
    )
    order = 40
    reads_scores = True
    points: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("points", [], dist_reduce_fx=_in_turn)

    def features(self, raw: Tensor, target: LabBatch) -> Tensor:
        """What is kept of pictures: logits, nearest bins, their shares of each place.

        Shape: raw (N, Q, h, w), target of any size -> (N, places, Q + 2 * neighbors).
        """
        ab = F.adaptive_avg_pool2d(target.ab.float(), (raw.shape[2], raw.shape[3])).cpu()
        index, share = _binning()(ab)
        rows = torch.cat([raw.float().cpu(), index.float(), share], dim=1).flatten(2)
        return rows[..., _spread(rows.shape[-1])].transpose(1, 2)  # (N, C, h * w) -> (N, P, C)

    def update(self, prediction: LabBatch | Tensor, target: LabBatch | Tensor) -> None:
        """Add a batch of pictures; raises UsageError for predictions of another head, or
        where the sizes differ."""
        prediction, target = checked_pair(prediction, target)
        raw = getattr(prediction, "raw", None)
        count = len(bins())
        if raw is None or raw.shape[1] != count:
            raise UsageError(
                "calibrated_nll needs predictions of a model with head 'distribution': it reads "
                f"{count} scores, one for each bin"
            )
        self.points.append(self.features(raw, target))

    def compute(self) -> Tensor | dict[str, Tensor]:
        """Nats and temperature by name, float32."""
        points = self.points
        rows = torch.cat(points) if isinstance(points, Sequence) else points
        return named(self.numbers, self.finish(self.of_pictures(rows).mean(0)).float())

    def finish(self, mean: Tensor) -> Tensor:
        """As it is; see `ImageMean.finish`."""
        return mean

    def of_pictures(self, rows: Tensor) -> Tensor:
        """Both numbers for each picture of what `features` kept: (N, places, C) -> (N, 2).

        Raises: UsageError for fewer than 2 pictures.
        """
        if len(rows) < 2:
            raise UsageError(
                "calibrated_nll needs 2 pictures or more: it is fitted to half of them"
            )
        count = len(bins())
        if not torch.isfinite(rows).all():
            return torch.full((len(rows), 2), math.nan)
        found = torch.empty(len(rows), 2)
        for half, other in ((0, 1), (1, 0)):
            bias, scale = _fit(rows[other::2].flatten(0, 1).cpu(), count)
            each = _nll(rows[half::2].flatten(0, 1).cpu(), bias, scale)
            found[half::2, 0] = each.reshape(-1, rows.shape[1]).mean(1)
            found[half::2, 1] = 1 / scale
        return found


def _in_turn(parts: Sequence[Tensor]) -> Tensor:
    """The pictures of several processes in the order of one: each had every so many-th."""
    order = sorted((i, rank) for rank, part in enumerate(parts) for i in range(len(part)))
    return torch.stack([parts[rank][i] for i, rank in order])


@cache
def _binning() -> Binning:
    return Binning()


def _spread(count: int) -> Tensor:
    """Which of a map's places are looked at: one at random in each of as many equal parts."""
    seeded = torch.Generator().manual_seed(count)
    places = (torch.arange(_PLACES) + torch.rand(_PLACES, generator=seeded)) * count / _PLACES
    return places.long().clamp(max=count - 1)


def _nll(points: Tensor, bias: Tensor, scale: Tensor) -> Tensor:
    """Cross entropy, in nats: points (P, Q + 2 * neighbors) -> (P,)."""
    logits, rest = points.tensor_split((len(bias),), dim=1)
    index, share = rest.chunk(2, dim=1)
    log_p = F.log_softmax(logits * scale + bias, dim=-1)
    return -(share * log_p.gather(1, index.long())).sum(1)


@torch.inference_mode(False)
def _fit(points: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The bias of each bin (Q,) and the factor of the logits () that fit points best: convex."""
    points = points.clone()  # one from inference mode has no part in gradients
    bias, scale = torch.zeros(count, requires_grad=True), torch.ones((), requires_grad=True)
    optimizer = torch.optim.LBFGS([bias, scale], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _nll(points, bias, scale).mean() + _PULL * bias.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return bias.detach(), scale.detach()
