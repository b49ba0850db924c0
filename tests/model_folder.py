"""Tiny model folders, built by hand: what inference must be able to load, without any training."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper
from safetensors.numpy import save_file

from colorizer.color.gamut import bins

BINS = bins()
"""Colors between which the distribution model chooses."""

SPREAD = 22.0  # of its distribution, in Lab units


def write_model_folder(folder: Path, head: str = "ab", size: int = 64) -> Path:
    """A model whose chroma follows lightness: warm where it is light, cool where it is dark.

    Args:
        folder: is created.
        head: "ab", or "distribution" with inputs `temperature` and `prior`.
        size: the default working size.
    """
    folder.mkdir(parents=True)
    weights = _ab_weights() if head == "ab" else _distribution_weights()
    save_file(weights, folder / "weights.safetensors")
    graph = _ab_graph() if head == "ab" else _distribution_graph()
    graph.initializer.extend(_external(folder / "weights.safetensors", weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    write_config(folder, {"name": f"tiny_{head}", "head": head}, size)
    return folder


def write_config(folder: Path, model: dict, size: int) -> None:
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    config = {
        "weights_sha256": digest,
        "model": model,
        "inference": {"size": size, "temperature": 0.4},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def _ab_weights() -> dict[str, np.ndarray]:
    return {
        "weight": np.array([0.8, 1.2], np.float32).reshape(2, 1, 1, 1),
        "bias": np.array([-30, -50], np.float32),
    }


def _ab_graph() -> onnx.GraphProto:
    nodes = [
        helper.make_node("AveragePool", ["L"], ["features"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["features", "weight", "bias"], ["ab"]),
    ]
    return helper.make_graph(
        nodes, "tiny", [_image("L", 1, "HW")], [_image("ab", 2, "hw"), _image("features", 1, "hw")]
    )


def _distribution_weights() -> dict[str, np.ndarray]:
    """Logits of a Gaussian around the color that the ab model would give, less vivid.

    -|bin - color|^2 / (2 SPREAD^2) is linear in a color that is linear in L, but for a term that
    is the same for all bins.
    """
    slope, start = np.array([0.5, 0.7]), np.array([-20.0, -30.0])
    bias = (2 * BINS @ start - (BINS**2).sum(1)) / (2 * SPREAD**2)
    return {
        "weight": (BINS @ slope / SPREAD**2).astype(np.float32).reshape(-1, 1, 1, 1),
        "bias": bias.astype(np.float32),
        "bins": BINS.T.reshape(2, -1, 1, 1).copy(),
    }


def _distribution_graph() -> onnx.GraphProto:
    ones = helper.make_tensor("column", TensorProto.INT64, [4], [1, len(BINS), 1, 1])
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    log_q = helper.make_tensor("log_q", TensorProto.FLOAT, [], [-float(np.log(len(BINS)))])
    nodes = [
        helper.make_node("AveragePool", ["L"], ["features"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["features", "weight", "bias"], ["logits"]),
        helper.make_node("Reshape", ["prior", "column"], ["prior4"]),
        helper.make_node("Log", ["prior4"], ["log_prior"]),
        helper.make_node("Add", ["logits", "log_prior"], ["weighed"]),
        helper.make_node("Div", ["weighed", "temperature"], ["annealed"]),
        helper.make_node("Softmax", ["annealed"], ["share"], axis=1),
        helper.make_node("Conv", ["share", "bins"], ["ab"]),
        helper.make_node("Softmax", ["weighed"], ["plain_share"], axis=1),
        helper.make_node("LogSoftmax", ["weighed"], ["log_share"], axis=1),
        helper.make_node("Mul", ["plain_share", "log_share"], ["terms"]),
        helper.make_node("ReduceSum", ["terms", "axis"], ["negative"], keepdims=1),
        helper.make_node("Div", ["negative", "log_q"], ["uncertainty"]),
    ]
    inputs = [
        _image("L", 1, "HW"),
        helper.make_tensor_value_info("temperature", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("prior", TensorProto.FLOAT, [len(BINS)]),
    ]
    channels = {"ab": 2, "uncertainty": 1, "logits": len(BINS), "features": 1}
    outputs = [_image(name, count, "hw") for name, count in channels.items()]
    return helper.make_graph(nodes, "tiny", inputs, outputs, initializer=[ones, axis, log_q])


def _image(name: str, channels: int, sides: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, *sides])


def _external(path: Path, weights: dict[str, np.ndarray]) -> list[onnx.TensorProto]:
    """Initializers that point into the safetensors file, as `colorizer export` writes them."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensors = []
    for name, array in weights.items():
        start, end = header[name]["data_offsets"]
        tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": path.name, "offset": 8 + length + start, "length": end - start}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        tensors.append(tensor)
    return tensors
