"""A model as one ONNX file that stands alone, for other runtimes than ours."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
import torch

from colorizer.errors import ColorizerError, UsageError
from colorizer.export import IR_VERSION, Graph, rounded, traced
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
    tolerance: float = 0.05,
) -> Path:
    """Write one .onnx file with all weights in it, float32; inputs and outputs as in `export`.

    Args:
        model: from `create_model` or `load_model`.
        path: where to, ending in .onnx.
        opset: one of `OPSETS`.
        static: height and width in pixels, multiples of 32, for runtimes that cannot do without,
            such as OpenCV's; the batch is 1 then. None leaves all three open.
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
    network = Graph(rounded(model, "float32")).eval()
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
    proto = _in_opset(proto, opset)
    _check(proto, network, L, tolerance)
    try:
        with whole(path) as work:
            work.write_bytes(proto.SerializeToString())
    except OSError as error:
        raise ColorizerError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


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
