"""Towards the color original, away from the gray picture, as VGG16 sees them."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.backbones.vgg import LAYERS, vgg16_features
from colorizer.color.tensors import Prediction, Target
from colorizer.errors import UsageError
from colorizer.registry import LOSSES

__all__ = ["ContrastiveLoss"]

_EPSILON = 1e-3  # of features of order 1: keeps the ratio finite for a picture that is gray


@LOSSES.register("contrastive")
class ContrastiveLoss(nn.Module):
    """Pulls the prediction's features to the color original's, pushes them off the gray's.

    "vector" compares one feature vector per picture, relu4_3 averaged over the pixels and
    normalized, by a triplet margin that is a share of the distance from original to gray.
    "layers" compares features pixel by pixel in several layers and sums the ratios of the pull
    to the push, the push softened by a share of the distance from original to gray: a prediction
    that still is gray would divide by zero otherwise. Both are 0 at the original.

    Args:
        mode: "vector" or "layers".
        margin: "vector": share of the way from gray to original that must lie between pull and
            push; above 0 and up to 1.
        layer_weights: "layers": layer -> weight, of relu1_2, relu2_2, relu3_3, relu4_3
            (default 1/16, 1/8, 1/4, 1).
        softening: "layers": share of the way from gray to original added to the push; 0 or more.
        vgg16: "imagenet" (from timm's hub), the path of a .safetensors file with torchvision's
            names, or "random" (untrained, for tests).

    Source: Schroff et al., "FaceNet" (2015), the triplet; Wu et al., "Contrastive Learning for
        Compact Single Image Dehazing" (AECR-Net, 2021), the ratio.
    """

    def __init__(
        self,
        mode: Literal["vector", "layers"] = "layers",
        margin: float = 0.5,
        layer_weights: dict[str, float] | None = None,
        softening: float = 0.5,
        vgg16: str = "imagenet",
    ) -> None:
        super().__init__()
        weights = layer_weights or dict(zip(LAYERS, (1 / 16, 1 / 8, 1 / 4, 1), strict=True))
        unknown = sorted(set(weights) - set(LAYERS))
        if unknown or min(weights.values()) < 0 or max(weights.values()) == 0:
            raise UsageError(
                f"loss 'contrastive': layer_weights is {weights}; accepted are {', '.join(LAYERS)} "
                f"with weights from 0 on, one above 0"
            )
        if not (0 < margin <= 1 and softening >= 0):
            raise UsageError(
                f"loss 'contrastive': margin {margin}, softening {softening}; accepted are a "
                f"margin above 0 and up to 1 and a softening from 0 on"
            )
        self.mode, self.margin, self.softening = mode, margin, softening
        self.weights = {layer: weights[layer] for layer in LAYERS if weights.get(layer)}
        self.features = vgg16_features(vgg16)

    def forward(self, prediction: Prediction, target: Target) -> Tensor:
        if self.mode == "vector":
            return self._vector(prediction, target)
        return self._layers(prediction, target)

    def _vector(self, prediction: Prediction, target: Target) -> Tensor:
        with torch.no_grad():
            color, gray = self._pooled(target.rgb), self._pooled(target.gray)
            span = torch.linalg.vector_norm(color - gray, dim=1)
        found = self._pooled(prediction.rgb)
        pull = torch.linalg.vector_norm(found - color, dim=1)
        push = torch.linalg.vector_norm(found - gray, dim=1)
        return F.relu(pull - push + self.margin * span).mean()

    def _pooled(self, rgb: Tensor) -> Tensor:
        """(N, 512), float32, of length 1."""
        features = self.features(rgb, LAYERS[-1:])[LAYERS[-1]]
        return F.normalize(features.mean((2, 3), dtype=torch.float32), dim=1)

    def _layers(self, prediction: Prediction, target: Target) -> Tensor:
        layers = tuple(self.weights)
        with torch.no_grad():
            color, gray = self.features(target.rgb, layers), self.features(target.gray, layers)
        found = self.features(prediction.rgb, layers)
        loss = prediction.rgb.new_zeros(())
        for layer, weight in self.weights.items():
            x, positive, negative = found[layer], color.pop(layer), gray.pop(layer)
            span = _distance(positive, negative)
            pull, push = _distance(x, positive), _distance(x, negative)
            loss = loss + weight * pull / (push + self.softening * span + _EPSILON)
        return loss


def _distance(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).abs().mean(dtype=torch.float32)
