"""The convolutions of a timm network, changed: padding that exports, fast training, folding."""

import copy
from collections.abc import Collection
from operator import attrgetter
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import AvgPool2dSame, Conv2dSame
from timm.layers.pool2d_same import MaxPool2dSame
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

__all__ = ["EncoderConv2d", "adapt", "folded"]


class EncoderConv2d(nn.Conv2d):
    """A convolution with the weights of another, and with two habits of its own.

    "SAME" padding, which TensorFlow's networks take from the size of the input, is constant: as the
    sides of an input are multiples of all strides, it always comes to the same. Traced with dynamic
    sizes, the general rule grows an expression per layer that no exporter gets through.

    A depthwise convolution that is trained on a CPU works in float32, but for 3x3 at stride 1:
    oneDNN's bfloat16 backward of the others is several times slower (benchmarks/flagship.py).

    Args:
        conv: whose parameters and geometry these are.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        with torch.device("meta"):
            super().__init__(
                conv.in_channels,
                conv.out_channels,
                conv.kernel_size,  # ty: ignore[invalid-argument-type]
                conv.stride,  # ty: ignore[invalid-argument-type]
                conv.padding,  # ty: ignore[invalid-argument-type]
                conv.dilation,  # ty: ignore[invalid-argument-type]
                conv.groups,
                conv.bias is not None,
            )
        self.weight, self.bias = conv.weight, conv.bias
        self.margins = _margins(conv, conv.dilation) if isinstance(conv, Conv2dSame) else None
        plain = self.kernel_size == (3, 3) and self.stride == (1, 1)
        self.full_precision = self.groups == self.in_channels > 1 and not plain

    def forward(self, input: Tensor) -> Tensor:
        if self.margins:
            input = F.pad(input, self.margins)
        cpu = input.device.type == "cpu"
        if self.full_precision and cpu and torch.is_grad_enabled() and self.weight.requires_grad:
            with torch.autocast("cpu", enabled=False):
                return super().forward(input.float()).to(input.dtype)
        return super().forward(input)


class _MaxPool2d(nn.MaxPool2d):
    """Pooling with constant "SAME" padding."""

    margins: list[int]

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.pad(input, self.margins, value=-torch.inf))


class _AvgPool2d(nn.AvgPool2d):
    """Pooling with constant "SAME" padding."""

    margins: list[int]

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(F.pad(input, self.margins))


def adapt(network: nn.Module) -> None:
    """Replace, in place, what would not export or train slowly; names and weights stay.

    The network then takes inputs whose sides are multiples of all its strides only.
    """
    for name, module in list(network.named_modules()):
        if isinstance(module, Conv2dSame) or (
            type(module) is nn.Conv2d and module.groups == module.in_channels > 1
        ):
            network.set_submodule(name, EncoderConv2d(module))
        elif isinstance(module, MaxPool2dSame):
            pool = _MaxPool2d(module.kernel_size, module.stride, 0, module.dilation)
            pool.margins = _margins(module, module.dilation)
            network.set_submodule(name, pool)
        elif isinstance(module, AvgPool2dSame):
            mean = _AvgPool2d(
                module.kernel_size, module.stride, 0, count_include_pad=module.count_include_pad
            )
            mean.margins = _margins(module, 1)
            network.set_submodule(name, mean)


def folded(network: nn.Module, frozen: Collection[nn.Module]) -> nn.Module:
    """The network with the batch norms of its frozen layers folded into their convolutions.

    It shares every other layer with the network, and follows its weights; one that torch.fx cannot
    trace is returned as it is.

    Args:
        frozen: layers that are in evaluation mode and do not change.
    """
    try:
        graph = _Tracer().trace(network)
    except Exception:  # control flow that depends on the input fails in its own ways
        return network
    parts: dict[str, Any] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            parts[node.target] = network.get_submodule(node.target)
        elif node.op == "get_attr":
            parts[node.target] = attrgetter(node.target)(network)
    for norm in list(graph.nodes):
        before = norm.args[0] if norm.op == "call_module" and norm.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        bn, conv = parts[norm.target], parts[before.target]
        if not (isinstance(bn, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d) and bn in frozen):
            continue
        if bn.running_mean is None or bn.running_var is None:
            continue
        conv = copy.deepcopy(conv)
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
        )
        parts[before.target] = conv.requires_grad_(False)
        parts[norm.target] = (
            nn.Sequential(bn.get_submodule("drop"), bn.get_submodule("act"))
            if hasattr(bn, "act")
            else nn.Identity()
        )
    return fx.GraphModule(parts, graph)


class _Tracer(fx.Tracer):
    """Looks into everything but single layers."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.BatchNorm2d) or not any(m.children())


def _margins(layer: Any, dilation: int | tuple[int, ...]) -> list[int]:
    """Left, right, top, bottom of "SAME" for sides that are multiples of the stride."""
    margins: list[int] = []
    for axis in (1, 0):
        kernel, stride, spread = (
            value[axis] if isinstance(value, tuple | list) else value
            for value in (layer.kernel_size, layer.stride, dilation)
        )
        total = max(0, spread * (kernel - 1) + 1 - stride)
        margins += [total // 2, total - total // 2]
    return margins
