"""Encoders: any timm network that gives feature maps, on the gray picture that L stands for."""

import math
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from colorizer.color.tensors import lightness_to_gray
from colorizer.errors import ColorizerError, UnknownNameError, UsageError
from colorizer.models.convolutions import adapt, folded
from colorizer.support.hub import cached_file, hub_answers
from colorizer.support.impostors import what_it_is
from colorizer.support.nearest import nearest

__all__ = ["Encoder", "read_tensors"]


class Encoder(nn.Module):
    """The feature maps of a timm network, finest first.

    L becomes the sRGB gray of that lightness, in three channels, normalised as the network was
    trained: its features are those of the three-channel network on the gray picture.

    Args:
        name: a timm model name, such as "resnet18".
        pretrained: start from timm's weights (its hub, or its cache when offline).
        pretrained_file: start from this state dict (.safetensors or .pth, in timm's or
            torchvision's names) instead; implies `pretrained`.
        freeze: share of a training, 0..1, for which weights and batch statistics stay as they
            are, in training mode too; True is 1, all of it.
        frozen_stages: so many stages, of the finest feature maps, stay as they are all the time:
            edges and textures are those of any picture, and cost most of a step's time.
        last_stride: leave out the stages beyond this stride.

    Attributes:
        channels: of each feature map.
        reductions: the stride of each feature map, increasing.
        multiple: height and width of the input must be multiples of this.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        *,
        pretrained: bool = False,
        pretrained_file: str | None = None,
        freeze: float = False,
        frozen_stages: int = 0,
        last_stride: int = 32,
    ) -> None:
        super().__init__()
        if not 0 <= freeze <= 1:
            raise UsageError(f"model.freeze is {freeze:g}; accepted are shares from 0 to 1")
        body = _build(name)
        strides = body.feature_info.reduction()
        if min(strides) > last_stride:
            raise UsageError(f"encoder {name!r} has no stage of stride {last_stride} or less")
        # Of several maps of one stride (a plain vision transformer's), keep the last.
        last = {stride: i for i, stride in enumerate(strides) if stride <= last_stride}
        download = pretrained and pretrained_file is None
        cached = _cached_file(name) if download and not hub_answers() else None
        if len(last) < len(strides) or download:
            indices = tuple(body.feature_info.out_indices[i] for i in last.values())
            body = _build(name, pretrained=download and cached is None, out_indices=indices)
        if pretrained_file is not None or cached is not None:
            _load(body, name, Path(pretrained_file or cached or ""))
        adapt(body)
        if not 0 <= frozen_stages <= len(last):
            raise UsageError(
                f"model.frozen_stages is {frozen_stages}; {name!r} has {len(last)} stages"
            )
        self.body = body
        self.channels: list[int] = body.feature_info.channels()
        self.reductions: list[int] = body.feature_info.reduction()
        self.multiple = math.lcm(*self.reductions)
        self.channels_last = str(getattr(body, "output_fmt", "NCHW")).endswith("NHWC")
        self.freeze = float(freeze)
        self._folded: list[nn.Module] = []  # in a list: it is no part of the state
        self._fixed = _up_to_stage(body, frozen_stages)
        self.frozen = False
        cfg = body.default_cfg
        self.register_buffer("mean", torch.tensor(cfg["mean"]).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(cfg["std"]).view(1, -1, 1, 1), persistent=False)
        self._set_frozen(self.freeze > 0)

    def train(self, mode: bool = True) -> "Encoder":
        """Training mode, or not; what is frozen stays as in evaluation."""
        super().train(mode and not self.frozen)
        for module in self._fixed:
            module.train(False)
        return self

    def freeze_at(self, progress: float) -> bool:
        """Be as at this point of a training, 0..1: frozen, and then fast, or not.

        Features come from a copy of what is frozen, with the batch norms folded into the
        convolutions; `unfold` drops it.

        Returns:
            Whether weights now change that did not before.
        """
        changed = self._set_frozen(progress < self.freeze)
        if changed:
            self.unfold()
        still = self.body.modules() if self.frozen else self._fixed
        if not self._folded and (layers := set(still)):
            self._folded = [folded(self.body, layers)]
        return changed

    def unfold(self) -> None:
        """Drop the folded copy: the weights are about to be changed, copied or exported."""
        self._folded = []

    def _set_frozen(self, frozen: bool) -> bool:
        """Freeze or thaw what is not fixed; says whether that changed anything."""
        changed = frozen != self.frozen
        self.frozen = frozen
        self.requires_grad_(not frozen)
        for module in self._fixed:
            module.requires_grad_(False)
        if changed:
            self.train(self.training or not frozen)
        return changed

    def forward(self, L: Tensor) -> list[Tensor]:
        """Shape: L (N, 1, H, W), 0..100, multiples of `multiple` -> [(N, C_i, H/r_i, W/r_i)]."""
        x = (lightness_to_gray(L) - self.mean) / self.std  # (N, 3, H, W)
        features = (self._folded[0] if self._folded else self.body)(x)
        if self.channels_last:
            return [f.permute(0, 3, 1, 2) for f in features]  # (N, H, W, C) -> (N, C, H, W)
        return features


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth, .pt, .ckpt one, which is never executed.

    A checkpoint's `state_dict` entry is taken where there is one.

    Raises:
        ColorizerError: no such file, or no state dict in it.
    """
    path = Path(path)
    if not path.is_file():
        raise ColorizerError(f"no weights file at {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        if path.suffix in (".pth", ".pt", ".ckpt", ".bin"):
            found = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise ColorizerError(f"{path.name}: weights come as .safetensors, .pth, .pt or .ckpt")
    except ColorizerError:
        raise
    except Exception as error:  # torch and safetensors each raise many kinds for a bad file
        if known := what_it_is(path):
            raise ColorizerError(f"{path} holds no weights: {known}") from error
        reason = " ".join(str(error).split())[:200]
        raise ColorizerError(f"{path} holds no plain tensors that can be read: {reason}") from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ColorizerError(f"{path} holds no state dict (names to tensors)")
    return found


def _up_to_stage(body: Any, stages: int) -> list[nn.Module]:
    """The layers of the first so many stages; timm lists layers in the order in which they work."""
    if not stages:
        return []
    name = _plain(body.feature_info.module_name(stages - 1))
    last = next(module for key, module in body.named_modules() if _plain(key) == name)
    above = {module for module in body.modules() if last in set(module.modules())} - {last}
    layers = [module for module in body.modules() if module not in above]
    return layers[: layers.index(last) + len(list(last.modules()))]


def _build(name: str, pretrained: bool = False, out_indices: tuple[int, ...] | None = None):
    """The timm network `name` as a list of feature maps, for any input size where it can."""
    if not timm.is_model(name):
        near = nearest(name, timm.list_models(), 3)
        hint = f"did you mean {', '.join(near)}?" if near else "see timm.list_models()"
        raise UnknownNameError(f"timm knows no encoder {name!r}; {hint}")
    options: dict = {} if out_indices is None else {"out_indices": out_indices}
    any_size: list[dict] = [{}]
    cfg = timm.get_pretrained_cfg(name)
    if cfg is not None and cfg.fixed_input_size:
        any_size = [{"dynamic_img_size": True}, {"strict_img_size": False}]
    for extra in any_size:
        try:
            return timm.create_model(
                name, pretrained=pretrained, features_only=True, **options, **extra
            )
        except TypeError as error:
            unknown = error
        except (RuntimeError, AttributeError) as error:
            if not pretrained:
                raise UsageError(
                    f"encoder {name!r} gives no feature maps: {' '.join(str(error).split())}"
                ) from error
            raise _no_weights(name, str(error)) from error
        except Exception as error:  # the hub's errors share no base class
            if not pretrained:
                raise
            raise _no_weights(name, str(error)) from error
    raise UsageError(f"encoder {name!r} takes one fixed input size only") from unknown


def _no_weights(name: str, reason: str) -> ColorizerError:
    return ColorizerError(
        f"no pretrained weights for {name!r} ({' '.join(reason.split())[:120]}): set "
        "model.pretrained_file to a local .safetensors or .pth file, or model.pretrained to false"
    )


def _cached_file(name: str) -> Path:
    """The hub's weights of `name` in its cache on this machine."""
    cfg = timm.get_pretrained_cfg(name)
    hub_id = cfg.hf_hub_id if cfg else None
    found = cached_file(hub_id, "model.safetensors", "pytorch_model.bin") if hub_id else None
    if found is None:
        raise _no_weights(name, "the hub is out of reach and its cache has none")
    return found


def _load(body: nn.Module, name: str, path: Path) -> None:
    """Fill `body` from a file in timm's or torchvision's names; every weight must be found."""
    given = {_plain(key): (key, value) for key, value in read_tensors(path).items()}
    wanted = {_plain(key): key for key in body.state_dict()}
    with torch.device("meta"):
        whole = {_plain(key) for key in timm.create_model(name).state_dict()}
    classifier = ("classifier_", "head_", "fc_", "norm_")  # beyond any feature map
    missing = [k for p, k in wanted.items() if p not in given and "num_batches" not in k]
    foreign = [k for p, (k, _) in given.items() if p not in whole and not p.startswith(classifier)]
    state = {wanted[p]: value for p, (_, value) in given.items() if p in wanted}
    shapes = {k: v.shape for k, v in body.state_dict().items()}
    wrong = [k for k, v in state.items() if v.shape != shapes[k]]
    if missing or foreign or wrong:
        parts = (("missing", missing), ("unknown", foreign), ("of another shape", wrong))
        listed = "; ".join(f"{what}: {_some(keys)}" for what, keys in parts if keys)
        raise ColorizerError(f"{path} (model.pretrained_file) does not fit {name!r}: {listed}")
    body.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in state.items()}, strict=False
    )  # num_batches_tracked alone may be missing


def _plain(key: str) -> str:
    """A weight's name as timm's whole network, its feature network and torchvision share it."""
    return key.removeprefix("model.").replace(".", "_")


def _some(keys: list[str], most: int = 8) -> str:
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more
