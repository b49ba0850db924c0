"""The Inception of FID, as torch-fidelity ported it."""

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorizer.backbones.frozen import Backbone
from colorizer.errors import UsageError
from colorizer.support.files import sha256
from colorizer.support.impostors import what_it_is

__all__ = ["inception"]


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
        def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
            return super().load_state_dict(state_dict, *args, **options) if state_dict else None

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
        return torch.load(source, weights_only=True), f"sha256 {sha256(Path(source))[:12]}"
    except Exception as error:  # no network, no file, no space, no state dict
        reason = what_it_is(Path(source)) or type(error).__name__
        raise UsageError(
            f"inception {source!r}: cannot get the weights ({reason}); set inception "
            f"to the path of {URL_INCEPTION_V3}, or choose frechet_vgg16"
        ) from error
