"""Distances between what networks see: lpips; fid and kid; the same on VGG16."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics.image.kid import poly_kernel

from colorizer.backbones import alexnet as alexnets
from colorizer.backbones import inception as inceptions
from colorizer.backbones import vgg
from colorizer.backbones.frozen import Backbone
from colorizer.color.tensors import LabBatch
from colorizer.errors import UsageError
from colorizer.metrics.base import ColorMetric, ImageMean, Number, checked_pair, named
from colorizer.registry import METRICS

__all__ = ["FID", "LPIPS", "FrechetVGG16", "SetDistance", "frechet_distance", "kernel_distance"]

_SMALLEST = 32  # pixels; below, nothing is left of AlexNet's deepest layer
_BLOCK = 2000  # images between which all kernels are computed at once


@METRICS.register("lpips")
class LPIPS(ImageMean):
    """Mean over images of the learned perceptual distance, version 0.1, on AlexNet.

    Args:
        alexnet: "imagenet" (torchvision's weights, downloaded once), the path of a .safetensors
            file with torchvision's names (features.0.weight, ...), or "random", for tests.

    Raises: UsageError where the weights cannot be had, and for pictures below 32 pixels.
    Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric" (2018); linear heads as in the package `lpips`, from torchmetrics.
    """

    numbers = (Number("lpips", "LPIPS", paired=True),)
    order, weights = 20, "alexnet"

    def __init__(self, alexnet: str = "imagenet") -> None:
        super().__init__()
        self.backbone = alexnets.alexnet_lpips(alexnet)

    def per_image(self, prediction: LabBatch, target: LabBatch) -> Tensor:
        height, width = target.L.shape[-2:]
        if min(height, width) < _SMALLEST:
            raise UsageError(
                f"lpips: pictures are {height}x{width}, it needs {_SMALLEST} or more each way"
            )
        return self.backbone(prediction.rgb, target.rgb).reshape(-1, 1)


class SetDistance(ColorMetric):
    """Base of distances between the features of all predictions and of all originals.

    The first of `numbers` is the Frechet distance, the second the kernel distance. The features
    of every picture are kept, and gathered from all processes.
    """

    numbers: ClassVar[tuple[Number, Number]]
    ours: list[Tensor]
    real: list[Tensor]

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.add_state("ours", [], dist_reduce_fx="cat")
        self.add_state("real", [], dist_reduce_fx="cat")

    @abstractmethod
    def features(self, picture: LabBatch) -> Tensor:
        """What is compared: (N, D), float32."""

    def update(self, prediction: LabBatch | Tensor, target: LabBatch | Tensor) -> None:
        """Add a batch of pictures; raises UsageError where the sizes differ."""
        prediction, target = checked_pair(prediction, target)
        self.ours.append(self.features(prediction))
        self.real.append(self.features(target))

    def compute(self) -> Tensor | dict[str, Tensor]:
        """Both distances by name, float32."""
        ours, real = (
            torch.cat(side) if isinstance(side, list) else side for side in (self.ours, self.real)
        )
        return named(self.numbers, self.between(ours, real).float())

    @staticmethod
    def between(ours: Tensor, real: Tensor) -> Tensor:
        """Both distances between two sets of features: (N, D) twice -> (2,), float64."""
        return torch.stack([frechet_distance(ours, real), kernel_distance(ours, real)])


@METRICS.register("fid")
class FID(SetDistance):
    """Frechet inception distance, and kernel inception distance (`kid`), of 8-bit sRGB.

    Inception as torch-fidelity ported it from the original, 2,048 features, pictures resized to
    299x299 as there (TensorFlow 1's bilinear). `fid` is biased upward below some thousands of
    images, `kid` is not; it is computed between all images, in blocks of at most 2,000, without
    the pairs of a picture with itself (see `kernel_distance`).

    Args:
        inception: "download" (torch-fidelity's weights, once), the path of that file, or "random",
            for tests.

    Raises: UsageError where the weights, or torch-fidelity, cannot be had.
    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017); Binkowski et
    al., "Demystifying MMD GANs" (2018).
    """

    numbers = (
        Number("fid", "FID", per_image=False),
        Number("kid", "KID", per_image=False),
    )
    order, weights = 22, "inception"

    def __init__(self, inception: str = "download") -> None:
        super().__init__(inceptions.inception(inception))

    def features(self, picture: LabBatch) -> Tensor:
        return self.backbone((picture.rgb.float() * 255).round().to(torch.uint8))


@METRICS.register("frechet_vgg16")
class FrechetVGG16(SetDistance):
    """The Frechet and the kernel distance of FID and KID, on VGG16: not to be called FID.

    512 features, the mean of relu5_3 over the picture, which is resized to 128x128 (bilinear,
    antialiased). Comparable only with itself.

    Args:
        vgg16: "imagenet" (torchvision's weights, from timm's hub, once), the path of a .safetensors
            file with torchvision's names, or "random", for tests.

    Raises: UsageError where the weights cannot be had.
    Source: see `FID`; Simonyan and Zisserman, "Very Deep Convolutional Networks" (2015).
    """

    numbers = (
        Number("frechet_vgg16", "Fréchet distance, VGG16", per_image=False),
        Number("kernel_vgg16", "Kernel distance, VGG16", per_image=False),
    )
    order, weights = 23, "vgg16"

    def __init__(self, vgg16: str = "imagenet") -> None:
        super().__init__(vgg.vgg16_means(vgg16))

    def features(self, picture: LabBatch) -> Tensor:
        return self.backbone(picture.rgb)


def frechet_distance(x: Tensor, y: Tensor) -> Tensor:
    """Between two Gaussians with the means and covariances of x and y: (N, D), (M, D) -> scalar.

    `|mean x - mean y|² + tr(Cx + Cy - 2 (Cx Cy)^(1/2))`, where the trace of the root is the sum
    of the singular values of the centered `x yᵀ`: no root of a matrix, exact for N below D.
    In float64.

    Raises: UsageError for fewer than 2 pictures.
    Source: Dowson and Landau, "The Frechet Distance between Multivariate Normal Distributions"
    (1982).
    """
    _check_enough(x, y)
    x, y = _exact(x), _exact(y)
    apart = (x.mean(0) - y.mean(0)).square().sum()
    roots = [(side - side.mean(0)) / (len(side) - 1) ** 0.5 for side in (x, y)]
    spread = sum(root.square().sum() for root in roots)
    roots = [_thin(root) for root in roots]
    return (apart + spread - 2 * torch.linalg.svdvals(roots[0] @ roots[1].T).sum()).clamp(min=0)


def _thin(root: Tensor) -> Tensor:
    """At most D rows with the same `rootᵀ root`."""
    return torch.linalg.qr(root, mode="r").R if len(root) > root.shape[1] else root


def kernel_distance(x: Tensor, y: Tensor) -> Tensor:
    """Squared maximum mean discrepancy, kernel (x·y / D + 1)³: (N, D) twice -> scalar, float64.

    Row i of x and of y come from the same picture, so that pair is left out, as a row's distance
    to itself is: unbiased, 0 for equal sets, and slightly below 0 at times. Above 2,000 rows the
    mean over blocks of equal size.

    Raises: UsageError for fewer than 2 pictures.
    Source: Gretton et al., "A Kernel Two-Sample Test" (2012), lemma 6; kernel as in KID.
    """
    _check_enough(x, y)
    blocks = -(-len(x) // _BLOCK)
    found = []
    for a, b in zip(_exact(x).chunk(blocks), _exact(y).chunk(blocks), strict=True):
        h = poly_kernel(a, a) + poly_kernel(b, b) - 2 * poly_kernel(a, b)
        found.append((h.sum() - h.trace()) / (len(h) * (len(h) - 1)))
    return torch.stack(found).mean()


def _exact(x: Tensor) -> Tensor:
    """In float64, on the processor where the device has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def _check_enough(x: Tensor, y: Tensor) -> None:
    if min(len(x), len(y)) < 2:
        raise UsageError("a distance between sets of pictures needs 2 pictures or more")
