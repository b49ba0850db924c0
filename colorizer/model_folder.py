"""The model folder, the one currency: found, read, checked and written here only.

It holds `weights.safetensors`, `model.onnx` (whose weights lie in that file), `config.yaml` (with
its sha256), and where they are known `likeness.safetensors`, `borrowing.safetensors`,
`metrics.json` and `card.md`.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from colorizer.errors import ColorizerError, UnknownNameError
from colorizer.support.files import sha256, whole_folder
from colorizer.support.hub import HUB, fetched
from colorizer.support.impostors import what_it_is
from colorizer.support.nearest import did_you_mean

__all__ = [
    "BAKED",
    "BORROWING",
    "CONFIG",
    "GRAPH",
    "LIKENESS",
    "SERIALIZED",
    "WEIGHTS",
    "ModelFolder",
    "shipped_models",
]

WEIGHTS, GRAPH, CONFIG = "weights.safetensors", "model.onnx", "config.yaml"
"""Names in a model folder."""

LIKENESS, BORROWING = "likeness.safetensors", "borrowing.safetensors"
"""What hints follow, and what references lend, both learnt for the weights whose sha256 their
metadata name `WEIGHTS`."""

BAKED = "colorizer.inference"
"""The graph's metadata of what is fixed in it: those settings of `inference`, as JSON."""

SERIALIZED = Path(__file__).resolve().parent / "serialized"
"""Where the model folders lie that ship with the package."""

RENEW = "install the package or export the model again"
"""What mends a damaged folder."""

METRICS = "metrics.json"
_TEXTS = (METRICS, "card.md")
_DTYPES = {"F16": "<f2", "F32": "<f4"}


def shipped_models() -> list[str]:
    """Names of the model folders that ship with the package."""
    return sorted(path.parent.name for path in SERIALIZED.glob(f"*/{GRAPH}"))


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError)
"""What reading a damaged safetensors file may raise."""


class ModelFolder:
    """A model folder that is there; its `config.yaml` is read and complete.

    Args:
        path: of the folder.

    Attributes:
        path: of the folder, absolute.
        config: the content of `config.yaml`.
        name: of the model.
        size: its default working size, in pixels.

    Raises:
        ColorizerError: `config.yaml` is missing, damaged or lacks a part.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).resolve()
        self.config = _read_config(self.path / CONFIG)
        self.name = str(self.config["model"]["name"])
        self.size = int(self.config["inference"]["size"])

    @classmethod
    def find(cls, model: "str | os.PathLike[str] | ModelFolder") -> "ModelFolder":
        """The folder of a shipped name, or at a path; of a run its `model`; `hf://USER/REPO`.

        Raises:
            UnknownNameError: neither a shipped name nor a folder with a `model.onnx`.
            ColorizerError: as for the constructor, and for `fetched`.
        """
        if isinstance(model, ModelFolder):
            return model
        if str(model).startswith(HUB):
            more = (*_TEXTS, LIKENESS, BORROWING)
            return cls(fetched(str(model), (CONFIG, WEIGHTS, GRAPH), more))
        shipped = shipped_models()
        if str(model) in shipped:
            return cls(SERIALIZED / model)
        for place in (Path(model), Path(model) / "model"):  # a model folder, or that of a run
            if (place / GRAPH).is_file():
                return cls(place)
        known = ", ".join(shipped) or "none in this installation"
        if Path(model).exists():
            raise UnknownNameError(
                f"{model} is no model folder: it holds no {GRAPH}; give a folder that"
                f" `colorizer train` or `colorizer export` wrote, or a shipped model: {known}"
            )
        raise UnknownNameError(
            f"unknown model {str(model)!r}{did_you_mean(model, shipped)} (shipped: {known}; or give"
            " the path of a model folder)"
        )

    def __getstate__(self) -> Path:
        """The path, of a shipped folder its name: where it is read anew may be another machine."""
        return self.path.relative_to(SERIALIZED) if self.path.parent == SERIALIZED else self.path

    def __setstate__(self, path: Path) -> None:
        self.__init__(SERIALIZED / path)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def weights(self) -> Path:
        """The path of `weights.safetensors`."""
        return self.path / WEIGHTS

    @property
    def graph(self) -> Path:
        """The path of `model.onnx`, whose weights lie in `weights`."""
        return self.path / GRAPH

    @cached_property
    def weights_sha256(self) -> str:
        """Of the weights, as they are; raises ColorizerError if `config.yaml` names others."""
        try:
            found = sha256(self.weights)
        except OSError as error:
            message = f"{self.weights} cannot be read: {error.strerror}; {RENEW}"
            raise ColorizerError(message) from error
        expected = str(self.config["weights_sha256"])
        if found != expected and (known := what_it_is(self.weights)):
            raise ColorizerError(f"damaged model folder: {self.weights}: {known}")
        if found != expected:
            raise ColorizerError(
                f"damaged model folder: {self.weights} has sha256 {found[:12]}..., but {CONFIG}"
                f" says {expected[:12]}...; {RENEW}"
            )
        return found

    @property
    def dtype(self) -> Literal["float16", "float32"]:
        """Of the stored parameters; statistics beside them are float32 always."""
        halves = any(entry["dtype"] == "F16" for _, entry in self._entries())
        return "float16" if halves else "float32"

    def _entries(self) -> list[tuple[str, dict[str, Any]]]:
        return [e for e in layout(self.weights)[1].items() if e[0] != "__metadata__"]

    def tensor(self, name: str) -> np.ndarray | None:
        """One tensor of the weights, flat; None if there is none of this name and kind."""
        start, entries = layout(self.weights)
        entry = entries.get(name)
        if entry is None or entry["dtype"] not in _DTYPES:
            return None
        begin, end = entry["data_offsets"]
        with self.weights.open("rb") as file:
            file.seek(start + begin)
            return np.frombuffer(file.read(end - begin), _DTYPES[entry["dtype"]])

    def measured(self) -> dict[str, Any]:
        """What metrics.json says of it; empty where there is none, or none that is read."""
        try:
            found = json.loads((self.path / METRICS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def learnt(self, name: str) -> dict[str, np.ndarray] | None:
        """The tensors of `LIKENESS` or `BORROWING`, by name; None where the folder has none.

        Raises: ColorizerError: they are damaged, or were learnt for other weights.
        """
        path = self.path / name
        if not path.is_file():
            return None
        try:
            start, entries = layout(path)
            data = path.read_bytes()[start:]
            learnt_for = entries.pop("__metadata__")[WEIGHTS]
            found = {
                name: np.frombuffer(
                    data[slice(*entry["data_offsets"])], _DTYPES[entry["dtype"]]
                ).reshape(entry["shape"])
                for name, entry in entries.items()
            }
        except _UNREADABLE as error:
            raise ColorizerError(f"damaged model folder: {path} cannot be read; {RENEW}") from error
        if learnt_for != self.weights_sha256:
            raise ColorizerError(
                f"{path} was learnt for the weights {str(learnt_for)[:12]}..., but the folder holds"
                f" {self.weights_sha256[:12]}...: learn it anew with `{learning(name, self.path)}`,"
                " or remove the file"
            )
        return found

    def texts(self) -> dict[str, str]:
        """The texts beside the weights, metrics and card, by name."""
        paths = [self.path / name for name in _TEXTS]
        return {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}


@contextmanager
def writing(
    folder: Path,
    config: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
    learnt: Path | None = None,
) -> Iterator[Path]:
    """Gives a folder to write weights and graph to, which then becomes `folder`, with its config.

    It appears whole; of a folder that exists the files are replaced, `config.yaml`, without which
    it is no model, last, and others left alone.

    Args:
        folder: where to.
        config: for config.yaml, beside the sha256: model, inference, training.
        texts: name -> text of more files.
        learnt: a folder whose learnt likeness is taken over where it is of these weights.

    Raises:
        OSError: no space, no permission.
    """
    import yaml

    with whole_folder(folder, last=CONFIG) as work:
        yield work
        for name, text in (texts or {}).items():
            (work / name).write_text(text, encoding="utf-8")
        full = {"weights_sha256": sha256(work / WEIGHTS), **config}
        plain = json.loads(json.dumps(full, default=str))  # tuples and paths, for YAML
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        (work / CONFIG).write_text(text, encoding="utf-8")
        for path in (learnt / LIKENESS, learnt / BORROWING) if learnt is not None else ():
            if learnt_for(path) == full["weights_sha256"]:
                shutil.copyfile(path, work / path.name)
    for stale in (folder / LIKENESS, folder / BORROWING):
        if stale.is_file() and learnt_for(stale) != full["weights_sha256"]:
            stale.unlink()


def learning(name: str, folder: Path) -> str:
    """The command that writes `LIKENESS` or `BORROWING` into a folder."""
    of = " --learn references" if name == BORROWING else ""
    return f"colorizer likeness {folder} --data PHOTOS{of}"


def learnt_for(likeness: Path) -> str | None:
    """The sha256 of the weights that a file of learnt likeness is of; None if it cannot be read."""
    try:
        return str(layout(likeness)[1]["__metadata__"][WEIGHTS])
    except _UNREADABLE:
        return None


def layout(weights: Path) -> tuple[int, dict[str, Any]]:
    """Where the data of a safetensors file start, and its entry for each tensor."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return 8 + length, json.loads(file.read(length))


def _read_config(path: Path) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, part in (("model", "name"), ("inference", "size")):
            config[key][part]
        config["weights_sha256"]
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}; {RENEW}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ColorizerError(f"{path} is no valid YAML; {RENEW}") from error
    except (KeyError, TypeError) as error:
        raise ColorizerError(
            f"{path} lacks one of model.name, inference.size, weights_sha256; {RENEW}"
        ) from error
    return config
