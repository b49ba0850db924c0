"""Where the weights of frozen networks come from: a file, a hub, or nowhere, for tests."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from colorizer.errors import UsageError
from colorizer.support.files import sha256
from colorizer.support.hub import cached_file, hub_answers
from colorizer.support.impostors import what_it_is

__all__ = ["fill", "from_hub", "from_torchvision"]

_HUB = "timm/{}.tv_in1k"  # torchvision's weights under torchvision's names


def fill(
    parameters: Mapping[str, Tensor],
    setting: str,
    source: str,
    download: Callable[[str], dict[str, Tensor]],
) -> str:
    """Copy weights into parameters.

    Args:
        parameters: by torchvision's names (features.0.weight, ...), on the processor.
        setting: the network, which is what the option is called: "vgg16", "alexnet".
        source: "imagenet"; the path of a .safetensors file with torchvision's names, in any float
            type; or "random", which leaves the parameters as they are.
        download: gets ImageNet's weights of a setting.

    Returns:
        What they are, for reports.

    Raises: UsageError where the weights cannot be had, or are of another network.
    """
    if source == "random":
        return "untrained"
    if source == "imagenet":
        tensors, about = download(setting), "torchvision IMAGENET1K_V1"
    else:
        tensors = _read(setting, Path(source))
        about = f"sha256 {sha256(Path(source))[:12]}"
    for name, parameter in parameters.items():
        came = tuple(tensors[name].shape) if name in tensors else "missing"
        if came != tuple(parameter.shape):
            raise UsageError(
                f"{setting} {source!r}: {name} is {came}, not {tuple(parameter.shape)}; "
                f"a file with torchvision's {setting} weights is needed"
            )
        with torch.no_grad():
            parameter.copy_(tensors[name])
    return about


def from_hub(setting: str) -> dict[str, Tensor]:
    """ImageNet's weights from timm's hub, downloaded once; offline, from its cache."""
    from huggingface_hub import hf_hub_download

    repository = _HUB.format(setting)
    if not hub_answers():
        found = cached_file(repository, "model.safetensors")
        if found is None:
            raise _no_weights(setting, repository, "it is out of reach and its cache has none")
        return _read(setting, found)
    try:
        return _read(setting, Path(hf_hub_download(repository, "model.safetensors")))
    except Exception as error:  # no permission, no space, a bad line: the hub has many names
        raise _no_weights(setting, repository, type(error).__name__) from error


def _no_weights(setting: str, repository: str, reason: str) -> UsageError:
    return UsageError(
        f"{setting} 'imagenet': cannot get the weights from the hub ({reason}); "
        f"either connect once to huggingface.co, which keeps {repository} in its cache, or set "
        f"{setting} to the path of a .safetensors file with torchvision's {setting} weights"
    )


def from_torchvision(setting: str) -> dict[str, Tensor]:
    """ImageNet's weights from torchvision's servers, downloaded once."""
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


def _read(setting: str, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise UsageError(
            f"{setting} {str(path)!r}: no such file; accepted are 'imagenet' (torchvision's "
            f"weights, downloaded once), the path of a .safetensors file with those weights, or "
            f"'random' (untrained, for tests)"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        reason = what_it_is(path) or f"not a .safetensors file ({error})"
        raise UsageError(f"{setting} {str(path)!r}: {reason}") from error
