"""A frozen VGG16 as a function from pictures to features, for the losses that look through it."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from colorizer.errors import UsageError
from colorizer.support.hub import cached_file, hub_answers

__all__ = ["LAYERS", "VGG16Features", "vgg16_features"]

_BLOCKS = {  # layer -> the convolutions of its block, as torchvision numbers and shapes them
    "relu1_2": {0: (64, 3), 2: (64, 64)},
    "relu2_2": {5: (128, 64), 7: (128, 128)},
    "relu3_3": {10: (256, 128), 12: (256, 256), 14: (256, 256)},
    "relu4_3": {17: (512, 256), 19: (512, 512), 21: (512, 512)},
}
LAYERS = tuple(_BLOCKS)
"""The layers that can be asked for, from the shallowest: at stride 1, 2, 4 and 8."""

_RECOMPUTED = ("relu1_2", "relu2_2")  # most of the memory, a third of the arithmetic
_HUB = "timm/vgg16.tv_in1k"


@cache
def vgg16_features(source: str = "imagenet") -> "VGG16Features":
    """The process's one VGG16 of this source: losses share it.

    Args:
        source: "imagenet", weights from timm's hub (downloaded once, 0.5 GB); or the path of a
            .safetensors file with torchvision's names (features.0.weight, ...) in any float
            type; or "random", untrained with a fixed seed, for tests.

    Raises: UsageError where the weights cannot be had.
    """
    if source == "random":
        return VGG16Features(_random())
    return VGG16Features(_read(_download() if source == "imagenet" else Path(source)))


def _download() -> Path:
    from huggingface_hub import hf_hub_download

    if not hub_answers():
        found = cached_file(_HUB, "model.safetensors")
        if found is None:
            raise _no_weights("it is out of reach and its cache has none")
        return found
    try:
        return Path(hf_hub_download(_HUB, "model.safetensors"))
    except Exception as error:  # no permission, no space, a bad line: the hub has many names
        raise _no_weights(type(error).__name__) from error


def _no_weights(reason: str) -> UsageError:
    return UsageError(
        f"vgg16 'imagenet': cannot get the weights from the hub ({reason}); "
        f"either connect once to huggingface.co, which keeps {_HUB} in its cache, or set "
        f"vgg16 to the path of a .safetensors file with torchvision's VGG16 weights"
    )


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UsageError(
            f"vgg16 {str(path)!r}: no such file; accepted are 'imagenet' (timm's hub), the path "
            f"of a .safetensors file with torchvision's VGG16 weights, or 'random' (untrained)"
        )
    try:
        with safe_open(path, "pt") as file:
            stored = set(file.keys())
            return {key: file.get_tensor(key) for key in _shapes() if key in stored}
    except (SafetensorError, OSError) as error:
        raise UsageError(f"vgg16 {str(path)!r}: not a .safetensors file ({error})") from error


def _random() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for key, shape in _shapes().items():
        scale = (2 / math.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.0  # He et al. 2015
        tensors[key] = scale * torch.randn(shape, generator=generator)
    return tensors


def _shapes() -> dict[str, torch.Size]:
    shapes = {}
    for convolutions in _BLOCKS.values():
        for number, (outputs, inputs) in convolutions.items():
            shapes[f"features.{number}.weight"] = torch.Size((outputs, inputs, 3, 3))
            shapes[f"features.{number}.bias"] = torch.Size((outputs,))
    return shapes


class VGG16Features:
    """VGG16 up to relu4_3 with fixed weights: nothing to train, to save, or to switch to eval.

    It is no nn.Module, so that a loss that holds it keeps it out of its parameters and state
    dict; copies of its weights are made for each device and type it is used on, and kept.

    Args:
        tensors: `features.N.weight` and `features.N.bias`, as torchvision names them.
    Raises: UsageError for a missing or misshapen tensor.
    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks" (2015).
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        for key, shape in _shapes().items():
            came = tuple(tensors[key].shape) if key in tensors else "nothing"
            if came != tuple(shape):
                raise UsageError(f"vgg16: {key} is {came}, VGG16 has {tuple(shape)}")
        self._tensors = {key: tensors[key].detach().float() for key in _shapes()}
        self._copies: dict[tuple[torch.device, torch.dtype], dict[str, Tensor]] = {}

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
        weights = self._on(rgb.device, dtype)
        features = {}
        with torch.autocast(kind, enabled=False):
            mean = rgb.new_tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
            std = rgb.new_tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
            x = ((rgb - mean) / std).to(dtype, memory_format=torch.channels_last)
            for layer in LAYERS[: 1 + max(LAYERS.index(layer) for layer in layers)]:
                if layer in _RECOMPUTED and torch.is_grad_enabled() and x.requires_grad:
                    x = checkpoint(_block, x, layer, weights, use_reentrant=False)
                else:
                    x = _block(x, layer, weights)
                if layer in layers:
                    features[layer] = x
        return features

    def _on(self, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        if (device, dtype) not in self._copies:
            with torch.inference_mode(False):  # validation may come first, training follows
                self._copies[device, dtype] = {
                    key: tensor.to(device, dtype, memory_format=torch.channels_last)
                    if tensor.ndim == 4
                    else tensor.to(device, dtype)
                    for key, tensor in self._tensors.items()
                }
        return self._copies[device, dtype]


def _block(x: Tensor, layer: str, weights: dict[str, Tensor]) -> Tensor:
    if layer != LAYERS[0]:
        x = F.max_pool2d(x, 2)
    for number in _BLOCKS[layer]:
        weight, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
        x = F.relu(F.conv2d(x, weight, bias, padding=1), inplace=True)
    return x
