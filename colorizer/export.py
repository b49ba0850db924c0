"""A torch model as a model folder: weights stored once, an ONNX graph beside them."""

import copy
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor, nn

from colorizer.errors import ColorizerError
from colorizer.models import ColorModel
from colorizer.models.heads import DistributionHead

__all__ = ["CONFIG", "COUNTER", "WEIGHTS", "export", "sha256"]

WEIGHTS, CONFIG = "weights.safetensors", "config.yaml"
"""Names in a model folder, beside model.onnx."""

COUNTER = "num_batches_tracked"
"""Batch norm's counter: no weight, and not kept."""

_GRAPH = "model.onnx"


def export(
    model: ColorModel,
    folder: str | Path,
    *,
    settings: Mapping[str, Any],
    weights_dtype: Literal["float16", "float32"] = "float16",
    size: int = 256,
    tolerance: float = 0.05,
    extra_files: Mapping[str, str] | None = None,
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

    Returns:
        The folder.

    Raises:
        ColorizerError: weights that are not finite or do not fit the type, no parity, or the
            folder cannot be written.
    """
    folder = Path(folder)
    model = _rounded(model, weights_dtype)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _save_weights(model, work / WEIGHTS, weights_dtype)
            _save_graph(model, work)
            _check_parity(model, work / _GRAPH, tolerance)
            config = {
                "weights_sha256": sha256(work / WEIGHTS),
                "model": model.config,
                "inference": {"size": size} | _head_defaults(model),
                "training": dict(settings),
            }
            for name, text in (extra_files or {}).items():
                (work / name).write_text(text, encoding="utf-8")
            plain = json.loads(json.dumps(config, default=str))  # tuples and paths, for YAML
            text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
            (work / CONFIG).write_text(text, encoding="utf-8")
            _put(work, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise ColorizerError(f"cannot write the model folder {folder}: {error}") from error
    return folder


class _Graph(nn.Module):
    """What the ONNX graph computes."""

    def __init__(self, model: ColorModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, L: Tensor, temperature: Tensor | None = None, prior: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        features = self.model.features(L)
        head = self.model.head
        raw = head(features)
        if not isinstance(head, DistributionHead):
            return self.model.decode(raw), features
        ab = self.model.decode(raw, temperature=temperature, prior=prior)
        return ab, head.uncertainty(raw, prior), raw, features


def _head_defaults(model: ColorModel) -> dict[str, float]:
    if not isinstance(model.head, DistributionHead):
        return {}
    return {"temperature": model.head.temperature, "moderation": model.head.moderation}


def _outputs(model: ColorModel) -> list[str]:
    """The graph's outputs; hints, palettes and films need the last ones."""
    if not isinstance(model.head, DistributionHead):
        return ["ab", "features"]
    return ["ab", "uncertainty", "logits", "features"]


def _defaults(model: ColorModel) -> dict[str, Tensor]:
    """The graph's inputs beside L, and their neutral values. They have no defaults in the graph:
    browsers and OpenVINO refuse inputs that do."""
    head = model.head
    if not isinstance(head, DistributionHead):
        return {}
    return {"temperature": torch.tensor(head.temperature), "prior": torch.ones(len(head.bins))}


def _rounded(model: ColorModel, dtype: str) -> ColorModel:
    """A copy on the processor, in evaluation mode, whose parameters are what will be stored."""
    model = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
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
    defaults = _defaults(model)
    batch, height, width = (torch.export.Dim(name) for name in "NHW")
    outputs = _outputs(model)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        proto = _traced(
            _Graph(model).eval(),
            (torch.full((2, 1, 61, 83), 50.0), *defaults.values()),
            dynamo=True,
            optimize=False,  # keeps each initializer equal to its tensor in the state dict
            verbose=False,
            input_names=["L", *defaults],
            output_names=outputs,
            dynamic_shapes=({0: batch, 2: height, 3: width}, *(None for _ in defaults)),
        )
    graph = proto.graph
    _point_into(graph, work / WEIGHTS)
    for output in graph.output:
        for axis, dim in zip("hw", output.type.tensor_type.shape.dim[2:], strict=True):
            dim.dim_param = axis
    del graph.value_info[:], graph.metadata_props[:], proto.metadata_props[:]
    for node in graph.node:  # stack traces of the tracing
        del node.metadata_props[:]
        node.doc_string = ""
    (work / _GRAPH).write_bytes(proto.SerializeToString())


def _traced(*args: Any, **options: Any) -> onnx.ModelProto:
    try:
        program = torch.onnx.export(*args, **options)
    except torch.onnx.OnnxExporterError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ColorizerError(f"torch cannot export this model to ONNX: {reason}") from error
    assert program is not None  # it is None only for the older exporter
    return program.model_proto


def _point_into(graph: onnx.GraphProto, weights: Path) -> None:
    """Make initializers external data inside `weights`, those of half precision cast to float."""
    with open(weights, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(length))
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
        place = {"location": WEIGHTS, "offset": 8 + length + begin, "length": end - begin}
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
    defaults = _defaults(model)
    others = {k: torch.rand(v.shape, generator=seed) + 0.2 for k, v in defaults.items()}
    for shape, feed in (((1, 1, 37, 53), defaults), ((2, 1, 75, 41), others)):
        L = 100 * torch.rand(shape, generator=seed)
        ours = _Graph(model)(L, *feed.values())
        theirs = session.run(None, {k: v.numpy() for k, v in {"L": L, **feed}.items()})
        for name, a, b in zip(_outputs(model), ours, map(np.asarray, theirs), strict=True):
            apart = np.abs(a.numpy() - b).max() if a.shape == b.shape else np.inf
            # Logits and features have no unit: what counts is their own range.
            limits = {"ab": tolerance, "uncertainty": tolerance / 10}
            limit = limits.get(name, tolerance / 10 * max(1.0, float(a.abs().max())))
            if not apart <= limit:
                raise ColorizerError(
                    f"the exported graph differs from the model: {name} by {apart:.3g} at "
                    f"{shape[2]}x{shape[3]} (at most {limit:g})"
                )


def _put(work: Path, folder: Path) -> None:
    """Move the finished files into place; config.yaml, without which it is no model, comes last."""
    umask = os.umask(0)
    os.umask(umask)
    work.chmod(0o777 & ~umask)  # temporary folders and safetensors files are for the owner only
    (work / WEIGHTS).chmod(0o666 & ~umask)
    if not folder.exists():
        work.rename(folder)
        return
    (folder / CONFIG).unlink(missing_ok=True)
    for file in sorted(work.iterdir(), key=lambda file: file.name == CONFIG):
        file.replace(folder / file.name)


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
