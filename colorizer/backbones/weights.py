"""The trained networks that perceptual metrics look through, and where their weights come from."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.errors import UsageError

__all__ = ["Backbone", "alexnet_lpips", "inception", "vgg16"]

_VGG_SIDE = 128  # pixels, of the square that VGG16 sees
_RELU5_3 = 30  # layers of torchvision's VGG16 up to there


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
    checksum = _fill(names, "alexnet", source)
    return Backbone(
        f"AlexNet (ImageNet), LPIPS 0.1 heads, {checksum}",
        network.requires_grad_(False),
        lambda network, x, y: network(x.float(), y.float(), normalize=True),
    )


@cache
def vgg16(source: str) -> Backbone:
    """VGG16's relu5_3, averaged over a 128x128 picture: (N, 3, H, W) in 0..1 -> (N, 512)."""
    from torchvision.models import vgg

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = vgg.make_layers(vgg.cfgs["D"])[:_RELU5_3].eval().requires_grad_(False)
    names = {f"features.{name}": tensor for name, tensor in network.named_parameters()}
    checksum = _fill(names, "vgg16", source)
    about = f"VGG16 (ImageNet) relu5_3, mean over {_VGG_SIDE}x{_VGG_SIDE}, {checksum}"
    return Backbone(about, network, _vgg16_mean)


def _vgg16_mean(network: nn.Module, rgb: Tensor) -> Tensor:
    square = (_VGG_SIDE, _VGG_SIDE)
    x = F.interpolate(rgb.float(), square, mode="bilinear", align_corners=False, antialias=True)
    mean = x.new_tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = x.new_tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return network((x - mean) / std).mean((2, 3))


@cache
def inception(source: str) -> Backbone:
    """FID's Inception, resizing as it did: (N, 3, H, W) uint8 -> (N, 2048)."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise UsageError(
            "fid: it needs torch-fidelity: pip install torch-fidelity; or choose frechet_vgg16"
        ) from error

    class Inception(FeatureExtractorInceptionV3):
        def load_state_dict(self, state: dict[str, Tensor], **options: Any) -> Any:
            return super().load_state_dict(state, **options) if state else None

    nothing = io.BytesIO()  # else the constructor downloads, or reads a pickle that could run code
    torch.save({}, nothing)
    nothing.seek(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Inception("inception-v3-compat", ["2048"], nothing)
    checksum = "untrained"
    if source != "random":
        tensors, checksum = _inception_weights(source)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise UsageError(
                f"inception {source!r}: not the weights of FID's Inception as torch-fidelity "
                f"has them ({' '.join(str(error).split())[:100]}...)"
            ) from error
    return Backbone(
        f"Inception of FID (torch-fidelity), 2048 features, {checksum}",
        network,
        lambda network, rgb: network(rgb)[0].reshape(len(rgb), -1),
    )


def _inception_weights(source: str) -> tuple[dict[str, Tensor], str]:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    try:
        if source == "download":
            tensors = torch.hub.load_state_dict_from_url(
                URL_INCEPTION_V3, progress=False, weights_only=True
            )
            return tensors, URL_INCEPTION_V3.rsplit("/", 1)[1]
        return torch.load(source, weights_only=True), f"sha256 {_sha256(Path(source))[:12]}"
    except Exception as error:  # no network, no file, no space, no state dict
        raise UsageError(
            f"inception {source!r}: cannot get the weights ({type(error).__name__}); set inception "
            f"to the path of {URL_INCEPTION_V3}, or choose frechet_vgg16"
        ) from error


def _fill(names: dict[str, Tensor], setting: str, source: str) -> str:
    """Copy weights into the parameters called `names`; returns a checksum for reports."""
    if source == "random":
        return "untrained"
    if source == "imagenet":
        tensors, checksum = _download(setting), "torchvision IMAGENET1K_V1"
    else:
        tensors, checksum = _read(setting, Path(source)), f"sha256 {_sha256(Path(source))[:12]}"
    for name, parameter in names.items():
        came = tuple(tensors[name].shape) if name in tensors else "missing"
        if came != tuple(parameter.shape):
            raise UsageError(
                f"{setting} {source!r}: {name} is {came}, not {tuple(parameter.shape)}; "
                f"a file with torchvision's {setting} weights is needed"
            )
        with torch.no_grad():
            parameter.copy_(tensors[name])
    return checksum


def _read(setting: str, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise UsageError(
            f"{setting} {str(path)!r}: no such file; accepted are 'imagenet' (torchvision's "
            f"weights, downloaded once) and the path of a .safetensors file with those weights"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{setting} {str(path)!r}: not a .safetensors file ({error})") from error


def _download(setting: str) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    weights = get_model_weights(setting)["IMAGENET1K_V1"]
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # no network, no permission, no space
        raise UsageError(
            f"{setting} 'imagenet': cannot get the weights from {weights.url} "
            f"({type(error).__name__}); connect once, or set {setting} to the path of a "
            f".safetensors file with torchvision's {setting} weights"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
