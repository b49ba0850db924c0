"""Heads: from the features of a network to chroma, by regression or by a distribution over bins."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from colorizer.color import gamut
from colorizer.errors import UsageError
from colorizer.registry import HEADS

__all__ = ["AbHead", "DistributionHead", "Head", "HeadName", "create_head", "list_heads"]

HeadName = str | dict[str, Any]
"""A name in the registry `HEADS`, or `{"name": ..., and keywords of its constructor}`."""


class Head(nn.Module):
    """A 1x1 convolution to the raw output, and what that output means.

    A subclass answers `decode`; one that offers more says so itself, by `controls`, `outputs`,
    `options` and `set_prior`: export, inference and training ask for these, never for its class.

    Args:
        in_channels: channels of the features that it reads.
        out_channels: channels of the raw output.
        stride: input pixels per raw pixel, each way.

    Attributes:
        name: in the registry.
        decode: raw (N, out_channels, h, w), and `controls` by name -> ab (N, 2, h, w), Lab units.
    """

    name: str
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

    def controls(self) -> dict[str, Tensor]:
        """What may be chosen for each picture: keyword of `decode` -> the value that it has else.

        They are inputs of the exported graph.
        """
        return {}

    def outputs(self, raw: Tensor, **controls: Tensor) -> dict[str, Tensor]:
        """All that raw tells, by name, `ab` first: the outputs of the exported graph.

        Shape: raw (N, out_channels, h, w) -> (N, C, h, w) each, float32.
        """
        return {"ab": self.decode(raw, **controls)}

    def options(self) -> dict[str, float]:
        """Numbers that may be set after the training, and are kept in a model folder's config."""
        return {}

    def set_option(self, name: str, value: float) -> None:
        """Set one of `options`; raises UsageError for another name."""
        if name not in self.options():
            known = ", ".join(self.options()) or "none"
            raise UsageError(f"{name} {value}: the head {self.name!r} takes {known}")
        setattr(self, name, value)

    def set_prior(self, prior: Tensor) -> None:
        """Hear how common the colors of the training photos are: (Q,), sums to 1."""


@HEADS.register("ab")
class AbHead(Head):
    """Regresses chroma; a raw output of 1 means `scale` Lab units."""

    name = "ab"
    scale = 110.0

    def __init__(self, in_channels: int, stride: int = 4) -> None:
        super().__init__(in_channels, 2, stride)

    def decode(self, raw: Tensor) -> Tensor:
        """Shape: raw (N, 2, h, w) -> ab (N, 2, h, w), Lab units, float32."""
        return raw.float() * self.scale


@HEADS.register("distribution")
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
        bins: the colors: "gamut", all that sRGB has, or "zhang", the paper's 313; hints, palettes
            and `calibrated_nll` are for the first alone.
        gain: above 0, what the mean is multiplied by: a mean is paler than the colors that it is
            of, and the more so, the less sure they are.

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
        gain: float = 1.0,
        bins: Literal["gamut", "zhang"] = "gamut",
    ) -> None:
        centers = torch.tensor(gamut.bins(bins))
        super().__init__(in_channels, len(centers), stride)
        self.temperature, self.moderation, self.gain = temperature, moderation, gain
        self.kind: Literal["gamut", "zhang"] = bins
        self.register_buffer("bins", centers, persistent=False)
        self.register_buffer("training_prior", torch.full((len(centers),), 1 / len(centers)))

    def controls(self) -> dict[str, Tensor]:
        """`temperature` () and `prior` (Q,), as in `decode`; a prior of ones changes nothing.

        There is no prior over the paper's bins: what steers by it knows the others.
        """
        temperature = {"temperature": torch.tensor(self.temperature)}
        return temperature | ({"prior": torch.ones(len(self.bins))} if self.kind == "gamut" else {})

    def outputs(self, raw: Tensor, **controls: Tensor) -> dict[str, Tensor]:
        """`ab`, `uncertainty` (N, 1, h, w) in 0..1, and `logits` (N, Q, h, w), raw itself."""
        return {
            "ab": self.decode(raw, **controls),
            "uncertainty": self.uncertainty(raw, controls.get("prior")),
            "logits": raw,
        }

    def options(self) -> dict[str, float]:
        """`temperature` and `gain` above 0, `moderation` from 0 on."""
        names = ("temperature", "moderation", "gain")
        return {name: getattr(self, name) for name in names}

    def set_option(self, name: str, value: float) -> None:
        """As `Head.set_option`; raises UsageError for a value out of range too."""
        if value < 0 or (name != "moderation" and value == 0):
            raise UsageError(
                f"{name} {value}: temperature and gain are above 0, a moderation is from 0 on"
            )
        super().set_option(name, value)

    @torch.no_grad()
    def set_prior(self, prior: Tensor) -> None:
        """Keep it as `training_prior`."""
        own = gamut.prior_over(self.kind, prior.detach().cpu().numpy())
        self.training_prior.copy_(torch.from_numpy(own))

    def decode(
        self, raw: Tensor, temperature: float | Tensor | None = None, prior: Tensor | None = None
    ) -> Tensor:
        """The annealed mean: the mean of the bins under the sharpened distribution, times `gain`.

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
            return (p @ (self.gain * self.bins)).permute(0, 3, 1, 2)  # (N, h, w, 2) -> (N, 2, h, w)

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
    """The head called `name`, or with options: `{"name": "distribution", "temperature": 0.5}`.

    Raises:
        UnknownNameError: with the nearest known name. UsageError: an option that it does not take.
    """
    options = {"name": name} if isinstance(name, str) else dict(name)
    if not isinstance(called := options.pop("name", None), str):
        raise UsageError(f"head {name}: it lacks its name, such as {{name: distribution}}")
    head = HEADS.create(called, in_channels=in_channels, stride=stride, **options)
    head.name = called
    return head


def list_heads(pattern: str | None = None) -> list[str]:
    """The names that a model's `head` may be, sorted; see `Registry.names`.

    Examples:
        >>> list_heads()
        ['ab', 'distribution']
    """
    return HEADS.names(pattern)
