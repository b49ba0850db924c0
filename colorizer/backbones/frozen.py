"""A frozen network as a function, for metrics."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Backbone"]


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network: no nn.Module, so that metrics keep it out of their state dicts.

    Attributes:
        about: network, layer and checksum of the weights, for reports.
        network: the module; it follows the pictures to their device.
        forward: module, pictures -> result; float32, without gradient.
    """

    about: str
    network: nn.Module
    forward: Callable[..., Tensor]

    def __deepcopy__(self, memo: dict) -> "Backbone":
        return self  # it never changes

    def __call__(self, *pictures: Tensor) -> Tensor:
        device = pictures[0].device
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            return self.forward(self.network.to(device), *pictures)
