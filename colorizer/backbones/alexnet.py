"""AlexNet with the linear heads of LPIPS."""

from functools import cache

import torch

from colorizer.backbones.fetched import fill, from_torchvision
from colorizer.backbones.frozen import Backbone

__all__ = ["alexnet_lpips"]


@cache
def alexnet_lpips(source: str) -> Backbone:
    """LPIPS 0.1 on AlexNet: two (N, 3, H, W) in 0..1 -> (N, 1, 1, 1); see metrics.perceptual."""
    from torchmetrics.functional.image.lpips import _LPIPS

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _LPIPS(net="alex", pnet_rand=True)  # with the linear heads
    names = {  # torchmetrics cuts the layers into slices, and keeps their numbers
        f"features.{name.split('.', 1)[1]}": tensor
        for name, tensor in network.net.named_parameters()
    }
    checksum = fill(names, "alexnet", source, from_torchvision)
    return Backbone(
        f"AlexNet (ImageNet), LPIPS 0.1 heads, {checksum}",
        network.requires_grad_(False),
        lambda network, x, y: network(x.float(), y.float(), normalize=True),
    )
