"""Learning from what another model makes of the same picture."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.color.gamut import bins
from colorizer.color.tensors import Prediction, Target
from colorizer.errors import UsageError
from colorizer.losses.distribution import check_bins, thinned
from colorizer.registry import LOSSES

__all__ = ["DistillationLoss"]


@LOSSES.register("distillation")
class DistillationLoss(nn.Module):
    """Relative entropy from a teacher's distribution over the in-gamut ab bins to the head's.

    A photo shows one of the colors that a thing could have; a teacher says how likely each of them
    is. It looks at the clean picture, also where the model sees a degraded one. It is told by
    `set_teacher`, which the training does.

    Args:
        teacher: a shipped model's name or a model folder, with the head `distribution`.
        size: pixels of the short side at which the teacher looks at the picture, 0 for as it is:
            a small model may learn on small crops, its teacher sees more on larger ones.
        mirror: average the teacher's distribution with that of the mirrored picture.
        thin: in training, look at one place of `thin` by `thin`, as the loss `distribution` does.

    Shape: prediction.raw (N, Q, h, w), scores before the softmax.
    Raises: UsageError where the head is another than `distribution`, or there is no teacher.
    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015).
    """

    def __init__(
        self,
        teacher: str = "colornet_lite_cross",
        size: int = 0,
        mirror: bool = False,
        thin: int = 1,
    ) -> None:
        super().__init__()
        if size < 0 or thin < 1:
            raise UsageError(
                f"loss 'distillation': size {size}, thin {thin}; accepted are a size from 0 and "
                "a thin from 1 on"
            )
        self.teacher = teacher
        self.size, self.mirror, self.thin = size, mirror, thin
        self._network: list[nn.Module] = []  # in a list: it is no part of the state

    def set_teacher(self, network: nn.Module) -> None:
        """Learn from this network: L (N, 1, H, W), 0..100 -> raw (N, Q, h, w)."""
        network = network.to(memory_format=torch.channels_last)
        self._network = [network.eval().requires_grad_(False)]

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        raw = prediction.raw
        check_bins("distillation", raw, len(bins()))
        wanted = self._distribution(target.L, (raw.shape[2], raw.shape[3]))
        with torch.autocast(raw.device.type, enabled=False):
            if self.training:
                wanted, raw = thinned(self.thin, wanted, raw)
            # As in the loss `distribution`: over the last dimension.
            log_p = F.log_softmax(raw.movedim(1, -1), dim=-1, dtype=torch.float32)
            divergence = F.kl_div(log_p, wanted.movedim(1, -1), reduction="sum")
            return divergence / log_p[..., 0].numel()

    @torch.no_grad()
    def _distribution(self, L: Tensor, size: tuple[int, int]) -> Tensor:
        """The teacher's, averaged over the area of each place: (N, Q, *size), float32."""
        if not self._network:
            raise UsageError("loss 'distillation' has no teacher yet: call its set_teacher first")
        network = self._network[0].to(L.device)
        if self.size:
            scale = self.size / min(L.shape[-2:])
            shape = [round(scale * side) for side in L.shape[-2:]]
            L = F.interpolate(L, shape, mode="bilinear", align_corners=False, antialias=True)
        found = _softmax(network, L)
        if self.mirror:
            found = (found + _softmax(network, L.flip(-1)).flip(-1)) / 2
        return F.adaptive_avg_pool2d(found, size)


def _softmax(network: Callable[[Tensor], Tensor], L: Tensor) -> Tensor:
    """Shape: L (N, 1, H, W) -> (N, Q, h, w), float32, each place's summing to 1."""
    raw = network(L.contiguous(memory_format=torch.channels_last))
    return raw.movedim(1, -1).softmax(-1, dtype=torch.float32).movedim(-1, 1)
