"""A model as one ONNX file that stands alone, for other runtimes than ours."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.shape_inference
import onnx.version_converter
import onnxruntime
import torch
from torch import Tensor

from colorizer.errors import ColorizerError, UsageError
from colorizer.export import IR_VERSION, Graph, contract, rounded, traced
from colorizer.models import ColorModel
from colorizer.support.files import whole

__all__ = ["OPSETS", "export_graph"]

OPSETS = (17, 18)
"""Versions of ONNX's operators that a graph can be written in."""


def export_graph(
    model: ColorModel,
    path: str | Path,
    *,
    opset: int = 18,
    static: tuple[int, int] | None = None,
    simple: bool = False,
    tolerance: float = 0.05,
) -> Path:
    """Write one .onnx file with all weights in it, float32; inputs and outputs as in `export`.

    Args:
        model: from `create_model` or `load_model`.
        path: where to, ending in .onnx.
        opset: one of `OPSETS`.
        static: height and width in pixels, multiples of 32, for runtimes that cannot do without,
            such as OpenCV's; the batch is 1 then. None leaves all three open.
        simple: L alone goes in and ab alone comes out; what else could be chosen for each picture
            is fixed at the model's own.
        tolerance: largest difference in ab, in Lab units, between torch and ONNX Runtime.

    Returns:
        The file.

    Raises:
        UsageError: an opset, a size or a name that is not accepted.
        ColorizerError: the model cannot be exported so, or the file not be written.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise UsageError(f"{path}: a graph for other runtimes is one file, named OUT.onnx")
    if opset not in OPSETS:
        raise UsageError(f"opset is {opset}; accepted are {' and '.join(map(str, OPSETS))}")
    if static is not None and any(side < 32 or side % 32 for side in static):
        raise UsageError(
            f"static is {static[0]}x{static[1]}; accepted are multiples of 32 (pixels)"
        )
    network = (Simple if simple else Graph)(rounded(model, "float32")).eval()
    shape = (1, 1, *static) if static else (2, 1, 64, 96)
    L = torch.linspace(0, 100, int(np.prod(shape))).view(shape)
    names = {axis: torch.export.Dim(name) for axis, name in ((0, "N"), (2, "H"), (3, "W"))}
    dynamic = {"L": names, "controls": dict.fromkeys(network.inputs)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        proto = traced(
            network,
            (L,),
            kwargs={"controls": network.inputs},
            dynamo=True,
            optimize=True,
            verbose=False,
            input_names=["L", *network.inputs],
            output_names=network.outputs,
            dynamic_shapes=None if static else dynamic,
        )
    if static:
        _expand(proto)
    proto = _in_opset(proto, opset)
    onnx.helper.set_model_props(proto, contract(network, static))
    _check(proto, network, L, tolerance)
    try:
        with whole(path) as work:
            work.write_bytes(proto.SerializeToString())
    except OSError as error:
        raise ColorizerError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


class Simple(Graph):
    """A graph of one input and one output."""

    def __init__(self, model: ColorModel) -> None:
        super().__init__(model)
        self.inputs, self.outputs = {}, ["ab"]

    def named(self, L: Tensor, controls: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"ab": self.model.decode(self.model(L))}


def _expand(proto: onnx.ModelProto) -> None:
    """Write out the broadcast of what a convolution gave, which OpenCV 5 does not sum otherwise."""
    graph = onnx.shape_inference.infer_shapes(proto).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    convolved = {node.output[0] for node in graph.node if node.op_type == "Conv"}
    nodes = []
    for node in proto.graph.node:
        whole = shapes.get(node.output[0])
        for i, name in enumerate(node.input if node.op_type == "Add" else ()):
            if name not in convolved or not whole or shapes.get(name) in (None, whole):
                continue
            shape = onnx.numpy_helper.from_array(np.array(whole, np.int64), f"{name}.shape")
            proto.graph.initializer.append(shape)
            nodes.append(onnx.helper.make_node("Expand", [name, shape.name], [f"{name}.whole"]))
            node.input[i] = f"{name}.whole"
        nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _in_opset(proto: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The same graph in an older version of the operators."""
    if proto.opset_import[0].version != opset:
        try:
            proto = onnx.version_converter.convert_version(proto, opset)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise ColorizerError(
                f"ONNX cannot say this model in opset {opset} ({reason}); leave --opset out"
            ) from error
    for node in proto.graph.node:
        for attribute in list(node.attribute):
            # The converter leaves it, though opset 17 does not know it; 0 is what it always does.
            if opset < 18 and attribute.name == "noop_with_empty_axes" and not attribute.i:
                node.attribute.remove(attribute)
    proto.ir_version = min(proto.ir_version, IR_VERSION)
    onnx.checker.check_model(proto)
    return proto


def _check(proto: onnx.ModelProto, network: Graph, L: torch.Tensor, tolerance: float) -> None:
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = {"L": L.numpy(), **{k: v.numpy() for k, v in network.inputs.items()}}
    theirs = np.asarray(session.run(["ab"], feed)[0])
    with torch.no_grad():
        ours = network.named(L, network.inputs)["ab"].numpy()
    apart = np.abs(ours - theirs).max() if ours.shape == theirs.shape else np.inf
    if not apart <= tolerance:
        raise ColorizerError(
            f"the exported graph differs from the model: ab by {apart:.3g} (at most {tolerance:g})"
        )
