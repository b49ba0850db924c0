"""Weights back in: state dicts and model folders, to go on with or to export again."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colorizer.errors import ColorizerError, UsageError
from colorizer.export import COUNTER, export
from colorizer.model_folder import CONFIG, ModelFolder, shipped_models
from colorizer.models import BASE, ColorModel, create_model
from colorizer.models.encoders import read_tensors
from colorizer.support.files import sha256
from colorizer.support.machine import user_cache
from colorizer.support.plugins import check_known, named

__all__ = [
    "START",
    "average_weights",
    "check_code",
    "export_portable",
    "export_weights",
    "folder_for_module",
    "folder_for_state_dict",
    "load_model",
    "load_state_dict",
    "load_weights",
    "untrained",
]

START = {"pretrained", "pretrained_file", "freeze", "frozen_stages"}
"""Options of a model that say how its training starts: they change no shape and no meaning."""

_FORMAT = 3  # raised when the exported graph changes, so that cached ones are made anew


def load_model(folder: str | Path | ModelFolder) -> ColorModel:
    """The torch model of a model folder, in evaluation mode, float32; nothing in it is executed.

    Args:
        folder: a shipped name, a model folder, a run, or `hf://USER/REPOSITORY` of the Hugging Face
            hub, `@REVISION` behind it if need be.

    Raises:
        ColorizerError: no model folder, or weights that are not the ones its config.yaml names; the
            hub cannot be reached, or has none of this name. UsageError: its model is of other code,
            which is to be named first.

    Examples:
        >>> load_model("colornet18").head.name
        'distribution'
    """
    found = ModelFolder.find(folder)
    _ = found.weights_sha256  # checked
    check_code(found)
    model = create_model(**untrained(found.config["model"]))
    load_weights(model, load_state_dict(found.weights), str(found))
    for name in model.head.options():
        if name in found.config["inference"]:
            model.head.set_option(name, found.config["inference"][name])
    return model.eval()


def check_code(folder: ModelFolder) -> None:
    """Let no model folder say which code is imported: it may come from anywhere.

    Raises: UsageError where it needs code that is not ours and that the user has not named.
    """
    model = folder.config["model"]
    head = model.get("head")
    names = [model["name"], head.get("name") if isinstance(head, dict) else head]
    dotted = [name for name in names if isinstance(name, str) and "." in name]
    needed = {*folder.config.get("plugins", ()), *(name.rpartition(".")[0] for name in dotted)}
    check_known(sorted(map(str, needed)), str(folder))
    for name in dotted:
        part = named(name, "model")  # which is imported already
        if not (isinstance(part, type) and issubclass(part, nn.Module)):
            raise UsageError(f"{folder} names {name}, which is no module of torch's")


def export_weights(
    source: str | Path,
    folder: str | Path,
    *,
    model: Mapping[str, Any] | None = None,
    size: int | None = None,
    temperature: float | None = None,
    moderation: float | None = None,
    gain: float | None = None,
) -> Path:
    """Make a model folder of a state dict, or of a model folder with other defaults.

    Args:
        source: a state dict, as in `load_state_dict`, or a model folder, whose settings, metrics
            and card are kept.
        folder: where to; may be `source`.
        model: of a state dict, `name` and options of its model; colornet18 by default.
        size: the working size of inference, in pixels; by default the folder's, or 256.
        temperature, moderation, gain: of a distribution head, as `DistributionHead` takes them;
            by default the folder's, or the head's own.

    Raises:
        UsageError: options that do not fit the source. ColorizerError: as `export` and the loaders.
    """
    network, known = _network_of(source, model)
    if known is not None:
        settings, known_size, texts = known.config.get("training", {}), known.size, known.texts()
        dtype, learnt = known.dtype, known.path
    else:
        settings, known_size, texts = {"state_dict": Path(source).name}, 256, {}
        dtype, learnt = "float16", None
    chosen = {"temperature": temperature, "moderation": moderation, "gain": gain}
    for name, value in chosen.items():
        if value is not None:
            network.head.set_option(name, value)
    size = known_size if size is None else size
    return export(
        network,
        folder,
        settings=settings,
        weights_dtype=dtype,
        size=size,
        extra_files=texts,
        learnt=learnt,
    )


def average_weights(
    sources: Sequence[str | Path], folder: str | Path, *, shares: Sequence[float] | None = None
) -> Path:
    """Make a model folder whose weights are the mean of those of others.

    Of models that were trained on from the same weights, the mean is often better than each, and
    never slower (model soups, Wortsman et al. 2022; with the weights before a fine-tuning, WiSE-FT,
    Wortsman et al. 2021). Of models without a common start it is noise: measure what comes out.

    Args:
        sources: two or more shipped names or model folders, of the same model. Working size and
            decoding are taken from the first.
        folder: where to.
        shares: of each, above 0, which sum to 1; by default all equal.

    Raises:
        UsageError: fewer than two sources, shares that do not fit, or another model.
        ColorizerError: as `export` and the loaders.
    """
    if len(sources) < 2:
        raise UsageError(f"an average is of two model folders or more: {len(sources)} given")
    shares = [1 / len(sources)] * len(sources) if shares is None else list(shares)
    if len(shares) != len(sources) or min(shares) <= 0 or not math.isclose(sum(shares), 1):
        raise UsageError(
            f"shares {', '.join(f'{share:g}' for share in shares)}: accepted is one for each of "
            f"the {len(sources)} model folders, above 0, which sum to 1"
        )
    folders = [ModelFolder.find(source) for source in sources]
    kinds = [{k: v for k, v in f.config["model"].items() if k not in START} for f in folders]
    model = load_model(folders[0])
    mean = {k: torch.zeros_like(v, dtype=torch.float64) for k, v in model.state_dict().items()}
    for source, found, kind, share in zip(sources, folders, kinds, shares, strict=True):
        if kind != kinds[0]:
            raise UsageError(
                f"{source} is another model than {sources[0]}: {_plain(kind)} and "
                f"{_plain(kinds[0])}; an average is of models that differ in their weights alone"
            )
        for key, value in load_model(found).state_dict().items():
            mean[key] += share * value.double()
    load_weights(model, {k: v.float() for k, v in mean.items()}, "the average")
    made_of = [
        {"model": str(source), "weights_sha256": found.weights_sha256, "share": share}
        for source, found, share in zip(sources, folders, shares, strict=True)
    ]
    halves = all(found.dtype == "float16" for found in folders)
    return export(
        model,
        folder,
        settings={"average": made_of},
        weights_dtype="float16" if halves else "float32",
        size=folders[0].size,
    )


def export_portable(
    source: str | Path,
    path: str | Path,
    *,
    model: Mapping[str, Any] | None = None,
    opset: int = 18,
    static: str | None = None,
    simple: bool = False,
) -> Path:
    """Make one ONNX file for other runtimes of a state dict or a model folder.

    Args:
        source, model: as in `export_weights`.
        path: the file, ending in .onnx.
        opset, simple: see `export_graph`.
        static: HEIGHTxWIDTH in pixels, such as 256x256; None leaves sizes open.

    Raises:
        UsageError, ColorizerError: as `export_graph` and the loaders.
    """
    from colorizer.portable import export_graph

    size = None
    if static is not None:
        match = re.fullmatch(r"(\d+)x(\d+)", static)
        if match is None:
            raise UsageError(f"static is {static!r}; accepted is HEIGHTxWIDTH, such as 256x256")
        size = (int(match[1]), int(match[2]))
    network = _network_of(source, model)[0]
    return export_graph(network, path, opset=opset, static=size, simple=simple)


def _network_of(
    source: str | Path, model: Mapping[str, Any] | None
) -> tuple[ColorModel, ModelFolder | None]:
    """The model of a state dict, or of a model folder and that folder."""
    if not (Path(source).is_dir() or str(source) in shipped_models()):
        network = create_model(**untrained({"name": BASE, **(model or {})}))
        load_weights(network, load_state_dict(source), str(source))
        return network, None
    known = ModelFolder.find(source)
    if model is not None:
        raise UsageError(f"{source} is a model folder and names its model: leave out --model")
    return load_model(known), known


def folder_for_state_dict(
    path: str | Path, model_settings: Mapping[str, Any], size: int = 256
) -> Path:
    """The model folder of a state dict, exported to the user's cache the first time.

    Args:
        path: as in `load_state_dict`.
        model_settings: `name` and options of the model that the weights belong to.
        size: the working size of inference, in pixels.

    Raises:
        ColorizerError: as `load_state_dict`, `load_weights` and `export`.
    """
    path = Path(path)
    if not path.is_file():
        raise ColorizerError(f"no weights file at {path}")
    options = untrained(model_settings)
    folder = _exported(path.stem, sha256(path), options, size)
    if not (folder / CONFIG).is_file():
        model = create_model(**options)
        load_weights(model, load_state_dict(path), str(path))
        export(model, folder, settings={"state_dict": str(path)}, size=size)
    return folder


def folder_for_module(model: nn.Module) -> Path:
    """The model folder of a torch model, exported to the user's cache when it is new there.

    Raises:
        UsageError: it is no `ColorModel`. ColorizerError: as `export`.
    """
    if not isinstance(model, ColorModel):
        raise UsageError(
            f"a {type(model).__name__} is no model that colors: make it a ColorModel, with "
            "features and a head (docs/extending.md)"
        )
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    options = model.described() | model.head.options()
    folder = _exported(type(model).__name__, digest.hexdigest(), options, 256)
    if not (folder / CONFIG).is_file():
        export(model, folder, settings={})
    return folder


def _exported(stem: str, weights: str, options: Mapping[str, Any], size: int) -> Path:
    """Where in the cache lies what was exported of such weights."""
    key = json.dumps([_FORMAT, weights, options, size], sort_keys=True, default=str)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return user_cache() / "exported" / f"{stem}-{digest}"


def load_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The weights of a model trained here, in float32.

    Args:
        path: .safetensors, or .pth, .pt, .ckpt, read without executing anything in it; of a
            Lightning checkpoint, the model's part.

    Raises:
        ColorizerError: a missing file, another kind of file, or no state dict in it.
    """
    state = read_tensors(path)
    if any(key.startswith("model.") for key in state):
        state = {k[len("model.") :]: v for k, v in state.items() if k.startswith("model.")}
    state = {k.removeprefix("_orig_mod."): v for k, v in state.items()}  # of a compiled model
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def load_weights(model: nn.Module, state_dict: Mapping[str, Tensor], source_name: str) -> None:
    """Fill `model` from `state_dict`; every weight must fit.

    Raises:
        ColorizerError: says how many and which keys are missing, unexpected or of another shape.
    """
    if isinstance(model, ColorModel):
        state_dict = model.renamed(state_dict)
    wanted = {k: v for k, v in model.state_dict().items() if not k.endswith(COUNTER)}
    given = {k: v for k, v in state_dict.items() if not k.endswith(COUNTER)}
    differences = {
        "missing": wanted.keys() - given.keys(),
        "unexpected": given.keys() - wanted.keys(),
        "shape differs": {
            k for k in wanted.keys() & given.keys() if wanted[k].shape != given[k].shape
        },
    }
    if any(differences.values()):
        parts = "; ".join(f"{what} {_some(keys)}" for what, keys in differences.items() if keys)
        name = getattr(model, "config", {}).get("name", type(model).__name__)
        raise ColorizerError(f"{source_name} holds weights of another model than {name}: {parts}")
    model.load_state_dict(given, strict=False)  # strict but for the counters: see above


def untrained(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same model without the weights that its training started from."""
    off = {"pretrained": False, "pretrained_file": None}
    return {k: off.get(k, v) for k, v in options.items()}


def _plain(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items())


def _some(keys: Iterable[str], most: int = 3) -> str:
    keys = sorted(keys)
    listed = ", ".join(keys[:most]) + (", ..." if len(keys) > most else "")
    return f"{len(keys)} ({listed})"
