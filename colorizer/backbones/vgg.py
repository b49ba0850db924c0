"""A frozen VGG16: for losses a function from pictures to features, for a metric to their means."""

import copy
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.models import vgg

from colorizer.backbones.fetched import fill, from_hub
from colorizer.backbones.frozen import Backbone
from colorizer.errors import UsageError

__all__ = ["LAYERS", "VGG16Features", "vgg16_features", "vgg16_means"]

_BLOCKS = {  # layer -> where its block lies in torchvision's network
    "relu1_2": slice(0, 4),
    "relu2_2": slice(4, 9),
    "relu3_3": slice(9, 16),
    "relu4_3": slice(16, 23),
}
LAYERS = tuple(_BLOCKS)
"""The layers that losses can ask for, from the shallowest: at stride 1, 2, 4 and 8."""

_RELU5_3 = 30  # layers up to there
_RECOMPUTED = ("relu1_2", "relu2_2")  # most of the memory, a third of the arithmetic
_SIDE = 128  # pixels, of the square that the metric looks at


@cache
def _network(source: str) -> tuple[nn.Sequential, str]:
    """The process's one VGG16 of this source, up to relu5_3, and what its weights are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = vgg.make_layers(vgg.cfgs["D"])[:_RELU5_3].eval().requires_grad_(False)
        for layer in network:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.get_parameter("bias"))
    names = {f"features.{name}": tensor for name, tensor in network.named_parameters()}
    return network, fill(names, "vgg16", source, from_hub)


@cache
def vgg16_features(source: str = "imagenet") -> "VGG16Features":
    """The process's one of this source: losses share it.

    Args:
        source: "imagenet", weights from timm's hub (downloaded once, 0.5 GB); or the path of a
            .safetensors file with torchvision's names (features.0.weight, ...) in any float
            type; or "random", untrained with a fixed seed, for tests.

    Raises: UsageError where the weights cannot be had.
    """
    return VGG16Features(_network(source)[0])


@cache
def vgg16_means(source: str) -> Backbone:
    """VGG16's relu5_3, averaged over a 128x128 picture: (N, 3, H, W) in 0..1 -> (N, 512).

    Args:
        source: as in `vgg16_features`.
    """
    network, weights = _network(source)
    about = f"VGG16 (ImageNet) relu5_3, mean over {_SIDE}x{_SIDE}, {weights}"
    return Backbone(about, _Means(copy.deepcopy(network)), lambda network, rgb: network(rgb))


class _Normalized(nn.Module):
    """The network, and the statistics of ImageNet on its device."""

    mean: Tensor
    std: Tensor

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        for name, value in (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225))):
            self.register_buffer(name, torch.tensor(value).view(3, 1, 1))

    def normalize(self, rgb: Tensor) -> Tensor:
        """Shape: rgb (N, 3, H, W), sRGB in 0..1 -> the same, float32."""
        return (rgb - self.mean) / self.std


class _Means(_Normalized):
    def forward(self, rgb: Tensor) -> Tensor:
        square = (_SIDE, _SIDE)
        x = F.interpolate(rgb.float(), square, mode="bilinear", align_corners=False, antialias=True)
        return self.layers(self.normalize(x)).mean((2, 3))


class VGG16Features:
    """VGG16 up to relu4_3 with fixed weights: nothing to train, to save, or to switch to eval.

    It is no nn.Module, so that a loss that holds it keeps it out of its parameters and state
    dict; copies of the network are made for each device and type it is used on, and kept.

    Args:
        network: torchvision's, frozen, up to relu4_3 or further.
    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks" (2015).
    """

    def __init__(self, network: nn.Sequential) -> None:
        self.network = network[: _BLOCKS[LAYERS[-1]].stop]
        self._copies: dict[tuple[torch.device, torch.dtype], _Normalized] = {}

    def __deepcopy__(self, memo: dict) -> "VGG16Features":
        return self  # it never changes

    def __call__(self, rgb: Tensor, layers: Sequence[str] = LAYERS) -> dict[str, Tensor]:
        """The features of `layers`, as deep as the deepest asked for.

        Runs in autocast's type where that is on, else in float32, channels last. The first two
        blocks are computed again for the backward pass instead of being kept.

        Shape: rgb (N, 3, H, W), sRGB in 0..1, 8 or more each way -> layer: (N, C, h, w).
        Raises: UsageError for a smaller picture.
        """
        if min(rgb.shape[-2:]) < 8:
            height, width = rgb.shape[-2:]
            raise UsageError(f"vgg16: pictures are {height}x{width}, it needs 8 or more each way")
        kind = rgb.device.type
        autocast = torch.is_autocast_enabled(kind)
        dtype = torch.get_autocast_dtype(kind) if autocast else torch.float32
        network = self._on(rgb.device, dtype)
        features = {}
        with torch.autocast(kind, enabled=False):
            x = network.normalize(rgb).to(dtype, memory_format=torch.channels_last)
            for layer in LAYERS[: 1 + max(LAYERS.index(layer) for layer in layers)]:
                block = network.layers[_BLOCKS[layer]]
                if layer in _RECOMPUTED and torch.is_grad_enabled() and x.requires_grad:
                    x = checkpoint(block, x, use_reentrant=False)
                else:
                    x = block(x)
                if layer in layers:
                    features[layer] = x
        return features

    def _on(self, device: torch.device, dtype: torch.dtype) -> _Normalized:
        if (device, dtype) not in self._copies:
            with torch.inference_mode(False):  # validation may come first, training follows
                network = _Normalized(copy.deepcopy(self.network)).to(device)
                network.layers.to(dtype).to(memory_format=torch.channels_last)
                self._copies[device, dtype] = network
        return self._copies[device, dtype]
