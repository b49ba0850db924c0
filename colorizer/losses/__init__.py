"""Losses by name, and their weighted sum."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from colorizer.color.tensors import LabBatch, Prediction, Target, as_batch
from colorizer.errors import UsageError
from colorizer.losses import (  # noqa: F401  (each registers its losses)
    adversarial,
    colorfulness,
    contrastive,
    distillation,
    distribution,
    perceptual,
    pixel,
)
from colorizer.registry import LOSSES

__all__ = ["Adversary", "WeightedSum", "create_loss", "list_losses"]


def list_losses(pattern: str | None = None) -> list[str]:
    """The names that `create_loss` knows, sorted; see `Registry.names`.

    Examples:
        >>> list_losses("dist")
        ['distillation', 'distribution']
    """
    return LOSSES.names(pattern)


def create_loss(spec: Mapping[str, float | Mapping[str, Any]]) -> "WeightedSum":
    """Build losses by name and add them up.

    Args:
        spec: name -> weight, or name -> the constructor's options and `weight` (default 1):
            `{"huber": 1.0, "contrastive": {"weight": 0.1, "mode": "layers"}}`. A loss of
            weight 0 is left out, and not even built.

    Raises:
        UsageError: an empty spec, a weight that is no number of 0 or more, an option that the loss
            does not take.
        UnknownNameError: a name.

    Examples:
        >>> loss = create_loss({"mse": 1.0, "distribution": {"weight": 0.5, "thin": 2}})
        >>> loss.weights
        {'mse': 1.0, 'distribution': 0.5}
    """
    members, weights = {}, {}
    for name, value in spec.items():
        options = dict(value) if isinstance(value, Mapping) else {"weight": value}
        weight = options.pop("weight", 1.0)
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not (number and math.isfinite(weight) and weight >= 0):
            raise UsageError(f"loss {name!r}: weight is {weight!r}, it must be a number from 0 on")
        LOSSES[name]  # an unknown name is an error even at weight 0
        if weight > 0:
            members[name] = LOSSES.create(name, **options)
            weights[name] = float(weight)
    return WeightedSum(members, weights)


class Adversary(Protocol):
    """A loss that trains a discriminator beside the model: by having these.

    Attributes:
        discriminator: gets an optimizer of its own, over all its parameters.
        active: whether it is to be trained in this step.
    """

    discriminator: nn.Module
    active: bool

    def discriminator_loss(self, prediction: Prediction, target: Target) -> Tensor:
        """What the discriminator learns by: a scalar; no gradient reaches the prediction."""


class WeightedSum(nn.Module):
    """Losses added up by weight.

    Args:
        members: name -> loss, each called with (prediction, target); at least one.
        weights: name -> weight.
    """

    def __init__(self, members: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not members:
            raise UsageError(
                f"no loss is set; give at least one a weight above 0, for example "
                f"{{'huber': 1.0}}; known: {', '.join(list_losses())}"
            )
        self.members = nn.ModuleDict(members)
        self.weights = dict(weights)

    def terms(self, prediction: LabBatch | Tensor, target: LabBatch | Tensor) -> dict[str, Tensor]:
        """Each loss times its weight, by name: float32 scalars that sum to the total.

        Args:
            prediction: as `model.predict(L)` gives; or sRGB, see `as_batch`, for losses that do not
                read the head's output.
            target: a `Target`, or sRGB.
        """
        pair: Any = as_batch(prediction), as_batch(target)
        return {name: self.weights[name] * member(*pair) for name, member in self.members.items()}

    def forward(self, prediction: LabBatch | Tensor, target: LabBatch | Tensor) -> Tensor:
        """The total of `terms`: a float32 scalar."""
        return torch.stack(list(self.terms(prediction, target).values())).sum()

    @property
    def needs_prior(self) -> bool:
        """Whether some member weights colors by how common they are in the training photos."""
        return any(hasattr(member, "set_prior") for member in self.members.values())

    def set_prior(self, prior: Tensor) -> None:
        """Hand the training photos' smoothed histogram, (Q,), to the members that use it."""
        for member in self.members.values():
            if callable(set_prior := getattr(member, "set_prior", None)):
                set_prior(prior)

    def set_teachers(self, load: Callable[[str], nn.Module]) -> None:
        """Hand the members that learn from another model the one that they name.

        Args:
            load: a member's `teacher` -> the network.
        """
        for member in self.members.values():
            if callable(set_teacher := getattr(member, "set_teacher", None)):
                set_teacher(load(member.teacher))  # ty: ignore[invalid-argument-type]

    @property
    def adversaries(self) -> "list[Adversary]":
        """The members with a discriminator of their own, which the training steps in its turn."""
        members = self.members.values()
        return [cast(Adversary, m) for m in members if hasattr(m, "discriminator_loss")]

    def set_progress(self, share: float) -> None:
        """Tell the members that go by it how much of the training is done, 0..1."""
        for member in self.members.values():
            if hasattr(member, "progress"):
                member.progress = share  # ty: ignore[invalid-assignment]
