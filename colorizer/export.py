"""A torch model as a model folder: weights stored once, an ONNX graph beside them."""

import copy
import json
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from colorizer.errors import ColorizerError
from colorizer.model_folder import BAKED, GRAPH, WEIGHTS, layout, writing
from colorizer.models import ColorModel

__all__ = ["COUNTER", "IR_VERSION", "Graph", "export", "rounded", "traced"]

COUNTER = "num_batches_tracked"
"""Batch norm's counter: no weight, and not kept."""

IR_VERSION = 8
"""The file format of ONNX that goes with opset 18: ONNX Runtime reads it from 1.14 on."""


def export(
    model: ColorModel,
    folder: str | Path,
    *,
    settings: Mapping[str, Any],
    weights_dtype: Literal["float16", "float32"] = "float16",
    size: int = 256,
    tolerance: float = 0.05,
    extra_files: Mapping[str, str] | None = None,
    learnt: Path | None = None,
) -> Path:
    """Write a model folder: weights.safetensors, model.onnx, config.yaml and `extra_files`.

    The graph's weights are external data inside weights.safetensors, so each is stored once. The
    graph takes `L` (N, 1, H, W) to `ab` (N, 2, h, w) and `features` (N, C, h, w), what the head
    reads; with the distribution head also to `uncertainty` (N, 1, h, w) and `logits` (N, Q, h, w),
    and `temperature` () and `prior` (Q,) are inputs: config.yaml has the model's own temperature,
    and a prior of ones changes nothing.
    The folder appears when all is written and torch and ONNX Runtime agree; of a folder that
    exists, the files are replaced and others left alone. The model is not changed.

    Args:
        model: from `create_model`, which noted its options.
        folder: where to.
        settings: what trained it, as plain values; noted in config.yaml.
        weights_dtype: of the stored parameters; batch statistics stay float32.
        size: the working size of inference, in pixels; noted in config.yaml.
        tolerance: largest difference in ab, in Lab units, between torch and ONNX Runtime.
        extra_files: name -> text, such as metrics.json and card.md.
        learnt: a folder of the same weights, whose learnt likeness is kept.

    Returns:
        The folder.

    Raises:
        ColorizerError: weights that are not finite or do not fit the type, no parity, or the
            folder cannot be written.
    """
    folder = Path(folder)
    model = rounded(model, weights_dtype)
    try:
        with writing(folder, _config(model, size, settings), extra_files, learnt) as work:
            _save_weights(model, work / WEIGHTS, weights_dtype)
            try:
                _save_graph(model, work)
                _check_parity(model, work / GRAPH, tolerance)
            except ColorizerError:
                if not _forget(model):
                    raise
                _save_graph(model, work)  # another model, which looks the same from outside
                _check_parity(model, work / GRAPH, tolerance)
    except OSError as error:
        raise ColorizerError(f"cannot write the model folder {folder}: {error}") from error
    return folder


def check_exportable(model: ColorModel) -> None:
    """Trace a model, as `export` will: before hours of training, not after them.

    `export` then takes the graph of this time, so that it is traced once.

    Raises: ColorizerError: torch cannot export it.
    """
    _traced_graph(Graph(rounded(model, "float32")).eval())


def save_without_graph(
    model: ColorModel,
    folder: str | Path,
    *,
    settings: Mapping[str, Any],
    size: int,
    extra_files: Mapping[str, str],
) -> Path:
    """Write weights, config.yaml and files as `export`, where the graph cannot be had.

    Raises: ColorizerError: as `export`.
    """
    folder = Path(folder)
    model = rounded(model, "float32")
    try:
        with writing(folder, _config(model, size, settings), extra_files) as work:
            _save_weights(model, work / WEIGHTS, "float32")
        (folder / GRAPH).unlink(missing_ok=True)  # of other weights
    except OSError as error:
        raise ColorizerError(f"cannot write {folder}: {error}") from error
    return folder


def _config(model: ColorModel, size: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    parts = {type(part).__module__ for part in (model, model.head)}
    others = sorted(name for name in parts if name.partition(".")[0] != "colorizer")
    return {
        "model": model.described(),
        **({"plugins": others} if others else {}),
        "inference": {"size": size} | model.head.options(),
        "training": dict(settings),
    }


class Graph(nn.Module):
    """What the ONNX graph computes: what the head offers, and the features that it reads.

    Attributes:
        inputs: those beside L, and their neutral values. They have no defaults in the graph:
            browsers and OpenVINO refuse inputs that do.
        outputs: by name; hints, palettes and films need the last ones.
    """

    def __init__(self, model: ColorModel) -> None:
        super().__init__()
        self.model = model
        self.inputs = model.head.controls()
        with torch.no_grad():
            self.outputs = list(self.named(torch.full((1, 1, 32, 32), 50.0), self.inputs))

    def named(self, L: Tensor, controls: Mapping[str, Tensor]) -> dict[str, Tensor]:
        features = self.model.features(L)
        head = self.model.head
        return {**head.outputs(head(features), **controls), "features": features}

    def forward(self, L: Tensor, controls: dict[str, Tensor]) -> tuple[Tensor, ...]:
        return tuple(self.named(L, controls).values())


def contract(network: "Graph", size: tuple[int, int] | None = None) -> dict[str, str]:
    """What a graph takes and gives, for its own metadata: name -> JSON, see docs/models.md."""
    stride = network.model.head.stride
    inputs: dict[str, Any] = {
        "L": {
            "shape": ["N", 1, "H", "W"] if size is None else [1, 1, *size],
            "range": [0, 100],
            "about": "CIE Lab lightness (D65), float32; sides that 32 divides are colored as they "
            "are, others are padded by reflection",
        }
    }
    for name, value in network.inputs.items():
        inputs[name] = {"shape": list(value.shape), **CONTROLS.get(name, {})}
        # What changes nothing: of a vector of equal values, that value.
        inputs[name]["default"] = (
            value.flatten().tolist() if value.unique().numel() > 1 else float(value.flatten()[0])
        )
    outputs = {name: {"stride": stride, **OUTPUTS.get(name, {})} for name in network.outputs}
    return {
        "colorizer.inputs": json.dumps(inputs),
        "colorizer.outputs": json.dumps(outputs),
    }


CONTROLS: dict[str, dict[str, Any]] = {
    "temperature": {
        "range": "above 0",
        "about": "of the annealed mean: 1 is the mean, towards 0 the most likely color",
    },
    "prior": {
        "range": "0 and more",
        "about": "a factor on the probability of each color bin; ones change nothing",
    },
}
OUTPUTS: dict[str, dict[str, Any]] = {
    "ab": {"about": "CIE Lab chroma a, b (N, 2, h, w), Lab units, one for stride x stride pixels"},
    "uncertainty": {"range": [0, 1], "about": "entropy of the distribution, as a share"},
    "logits": {"about": "scores of the color bins, before moderation, prior and temperature"},
    "features": {"about": "the decoder's last map, which hints and suggestions read"},
}


def rounded(model: ColorModel, dtype: str) -> ColorModel:
    """A copy on the processor, in evaluation mode, whose parameters are what will be stored."""
    model = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    model.unfold()
    for name, p in model.named_parameters():
        if not torch.isfinite(p).all():
            raise ColorizerError(f"the weights are not finite ({name}): the training diverged")
        p.copy_(p.to(getattr(torch, dtype)))
        if not torch.isfinite(p).all():
            raise ColorizerError(f"{name} does not fit {dtype}: export with float32")
    return model


def _save_weights(model: ColorModel, path: Path, dtype: str) -> None:
    parameters = dict(model.named_parameters())
    state = {
        k: (v.to(getattr(torch, dtype)) if k in parameters else v).contiguous()
        for k, v in model.state_dict().items()
        if not k.endswith(COUNTER)
    }
    save_file(state, path, metadata={"format": "pt"})


def _save_graph(model: ColorModel, work: Path) -> None:
    """Trace the model to model.onnx, its weights pointing into weights.safetensors."""
    network = Graph(model).eval()
    inputs = network.inputs
    proto = _traced_graph(network)
    graph = proto.graph
    _point_into(graph, work / WEIGHTS)
    for output in graph.output:
        for axis, dim in zip("hw", output.type.tensor_type.shape.dim[2:], strict=True):
            dim.dim_param = axis
    del graph.value_info[:], graph.metadata_props[:], proto.metadata_props[:]
    for node in graph.node:  # stack traces of the tracing
        del node.metadata_props[:]
        node.doc_string = ""
    baked = {name: value for name, value in model.head.options().items() if name not in inputs}
    onnx.helper.set_model_props(proto, {BAKED: json.dumps(baked), **contract(network)})
    proto.ir_version = min(proto.ir_version, IR_VERSION)
    (work / GRAPH).write_bytes(proto.SerializeToString())


_TRACED: OrderedDict[str, bytes] = OrderedDict()
_MOST_TRACED = 8


def _looks(model: ColorModel) -> str:
    """What tells models apart whose graphs differ in more than the values of weights."""
    held = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    return repr((model, held, model.head.options()))


def _forget(model: ColorModel) -> bool:
    """Have a model traced anew; whether it was traced before."""
    return _TRACED.pop(_looks(model), None) is not None


def _traced_graph(network: Graph) -> onnx.ModelProto:
    """The graph of a model folder, batch, height and width left open; its weights have no values.

    Tracing takes seconds, and gives the same for all weights: so it is done once in a process.
    """
    key = _looks(network.model)
    if key not in _TRACED:
        proto = _trace(network)
        held = {f"model.{name}" for name in network.model.state_dict()}
        for tensor in proto.graph.initializer:
            if tensor.name in held:
                tensor.ClearField("raw_data")
        _TRACED[key] = proto.SerializeToString()
        if len(_TRACED) > _MOST_TRACED:
            _TRACED.popitem(last=False)
    return onnx.ModelProto.FromString(_TRACED[key])


def _trace(network: Graph) -> onnx.ModelProto:
    inputs = network.inputs
    batch, height, width = (torch.export.Dim(name) for name in "NHW")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        return traced(
            network,
            (torch.full((2, 1, 61, 83), 50.0),),
            kwargs={"controls": inputs},
            dynamo=True,
            optimize=False,  # keeps each initializer equal to its tensor in the state dict
            verbose=False,
            input_names=["L", *inputs],
            output_names=network.outputs,
            dynamic_shapes={
                "L": {0: batch, 2: height, 3: width},
                "controls": dict.fromkeys(inputs),
            },
        )


def traced(*args: Any, **options: Any) -> onnx.ModelProto:
    """What `torch.onnx.export` makes of its arguments; raises ColorizerError if it cannot."""
    try:
        program = torch.onnx.export(*args, **options)
    except torch.onnx.OnnxExporterError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ColorizerError(f"torch cannot export this model to ONNX: {reason}") from error
    assert program is not None  # it is None only for the older exporter
    return program.model_proto


def _point_into(graph: onnx.GraphProto, weights: Path) -> None:
    """Make initializers external data inside `weights`, those of half precision cast to float."""
    start, entries = layout(weights)
    types = {"F16": onnx.TensorProto.FLOAT16, "F32": onnx.TensorProto.FLOAT}
    used = {name for node in graph.node for name in node.input}
    kept, casts = [], []
    for old in graph.initializer:
        entry = entries.get(old.name.removeprefix("model."))
        if old.name not in used:
            continue
        if entry is None:  # a constant of the code, such as the bins
            kept.append(old)
            continue
        begin, end = entry["data_offsets"]
        half = entry["dtype"] == "F16"
        name = f"{old.name}.half" if half else old.name
        new = onnx.TensorProto(name=name, data_type=types[entry["dtype"]], dims=entry["shape"])
        new.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": WEIGHTS, "offset": start + begin, "length": end - begin}
        for key, value in place.items():
            new.external_data.add(key=key, value=str(value))
        kept.append(new)
        if half:
            to = onnx.TensorProto.FLOAT
            casts.append(onnx.helper.make_node("Cast", [name], [old.name], to=to))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _check_parity(model: ColorModel, graph: Path, tolerance: float) -> None:
    """Compare torch and ONNX Runtime at two odd sizes: with the defaults, then without."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of inputs that have defaults
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    seed = torch.Generator().manual_seed(0)
    network = Graph(model)
    others = {k: torch.rand(v.shape, generator=seed) + 0.2 for k, v in network.inputs.items()}
    for shape, feed in (((1, 1, 37, 53), network.inputs), ((2, 1, 75, 41), others)):
        L = 100 * torch.rand(shape, generator=seed)
        ours = network(L, feed)
        theirs = session.run(None, {k: v.numpy() for k, v in {"L": L, **feed}.items()})
        for name, a, b in zip(network.outputs, ours, map(np.asarray, theirs), strict=True):
            apart = np.abs(a.numpy() - b).max() if a.shape == b.shape else np.inf
            # Logits and features have no unit: what counts is their own range.
            limits = {"ab": tolerance, "uncertainty": tolerance / 10}
            limit = limits.get(name, tolerance / 10 * max(1.0, float(a.abs().max())))
            if not apart <= limit:
                raise ColorizerError(
                    f"the exported graph differs from the model: {name} by {apart:.3g} at "
                    f"{shape[2]}x{shape[3]} (at most {limit:g})"
                )
