"""Content, style and smoothness, seen through VGG16."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from colorizer.backbones.vgg import LAYERS, VGG16Features, vgg16_features
from colorizer.color.tensors import Prediction, Target
from colorizer.errors import UsageError
from colorizer.registry import LOSSES

__all__ = ["PerceptualLoss", "gram", "total_variation"]


def gram(features: Tensor) -> Tensor:
    """Products of all pairs of channels, averaged over the pixels and divided by the channels.

    Shape: features (N, C, H, W) -> (N, C, C), float32.
    """
    with torch.autocast(features.device.type, enabled=False):
        x = features.float().flatten(2)
        return x @ x.mT / (x.shape[1] * x.shape[2])


def total_variation(rgb: Tensor) -> Tensor:
    """Mean absolute difference of neighbors across plus that of neighbors down.

    Shape: rgb (N, C, H, W) of 2 or more pixels each way -> scalar.
    """
    return rgb.diff(dim=-1).abs().mean() + rgb.diff(dim=-2).abs().mean()


@LOSSES.register("perceptual")
class PerceptualLoss(nn.Module):
    """Distance of the VGG16 features of the two colored pictures.

    Content is the mean squared difference of the features; style that of their Gram matrices,
    summed over the matrix; each is averaged over relu1_2, relu2_2, relu3_3 and relu4_3. Total
    variation looks at the prediction alone: most of it is the real lightness, so the weight is 0
    unless asked for.

    Args:
        content: weight of the content, from 0 on; 0 skips its work, here and below.
        style: weight of the style, from 0 on.
        tv: weight of the total variation, from 0 on.
        vgg16: "imagenet" (from timm's hub), the path of a .safetensors file with torchvision's
            names, or "random" (untrained, for tests).

    Source: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks" (2016);
        Johnson et al., "Perceptual Losses for Real-Time Style Transfer" (2016).
    """

    def __init__(
        self, content: float = 1.0, style: float = 1.0, tv: float = 0.0, vgg16: str = "imagenet"
    ) -> None:
        super().__init__()
        if min(content, style, tv) < 0 or max(content, style, tv) == 0:
            raise UsageError(
                f"loss 'perceptual': content {content}, style {style}, tv {tv}; each must be 0 "
                f"or more and one above 0"
            )
        self.content, self.style, self.tv = content, style, tv
        self.features = vgg16_features(vgg16) if content or style else None

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        loss = prediction.rgb.new_zeros(())
        if self.features is not None:
            loss = loss + self._distance(self.features, prediction.rgb, target.rgb)
        if self.tv:
            loss = loss + self.tv * total_variation(prediction.rgb)
        return loss

    def _distance(self, features: VGG16Features, rgb: Tensor, target_rgb: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = features(target_rgb)
            styles = {layer: gram(wanted[layer]) for layer in LAYERS} if self.style else {}
        if not self.content:
            wanted.clear()  # a gigabyte at batch 32, 256x256
        found = features(rgb)
        loss = rgb.new_zeros(())
        for layer in LAYERS:
            if self.content:
                loss = loss + self.content * _mean_square(found[layer], wanted.pop(layer))
            if self.style:
                style = checkpoint(_style, found[layer], styles[layer], use_reentrant=False)
                loss = loss + self.style * style
        return loss / len(LAYERS)


def _mean_square(x: Tensor, y: Tensor) -> Tensor:
    # Summed in float32 without a float32 copy of the features, which may be half precision.
    norm = torch.linalg.vector_norm(x - y, dtype=torch.float32)
    return norm.square() / x.numel()


def _style(features: Tensor, wanted: Tensor) -> Tensor:
    return (gram(features) - wanted).square().sum((1, 2)).mean()
