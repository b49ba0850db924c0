"""The network as a function: from a small lightness to chroma (ONNX Runtime)."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.color import gamut
from colorizer.errors import ColorizerError, UnknownNameError
from colorizer.support.nearest import did_you_mean

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["SERIALIZED", "Network", "find_model", "pad", "shipped_models", "working_size"]

SERIALIZED = Path(__file__).resolve().parent.parent / "serialized"
"""Where the model folders lie that ship with the package."""

MULTIPLE = 32  # the network is fed sides that its strides divide
LONGEST = 4  # the long side is at most this many times the working size


def shipped_models() -> list[str]:
    """Names of the model folders that ship with the package."""
    return sorted(path.parent.name for path in SERIALIZED.glob("*/model.onnx"))


def find_model(model: str | Path) -> Path:
    """The folder of a shipped name, or the path of a model folder itself.

    Raises:
        UnknownNameError: neither a shipped name nor a folder with a `model.onnx`.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return SERIALIZED / model
    if (Path(model) / "model.onnx").is_file():
        return Path(model).resolve()
    known = ", ".join(shipped) or "none in this installation"
    if Path(model).exists():
        raise UnknownNameError(
            f"{model} is no model folder: it holds no model.onnx; give a folder that"
            f" `colorizer train` or `colorizer export` wrote, or a shipped model: {known}"
        )
    hint = did_you_mean(model, shipped)
    raise UnknownNameError(
        f"unknown model {str(model)!r}{hint} (shipped: {known}; or give the path of a model folder)"
    )


def working_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height at which the network sees a picture: the short side is `size`.

    The aspect is kept; only where the long side would pass 4 times `size` is the short side less.
    """
    scale = min(size / min(width, height), LONGEST * size / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def pad(L: np.ndarray) -> np.ndarray:
    """Continue a lightness by reflection, below and to the right, to sides that 32 divides."""
    height, width = L.shape
    return np.pad(L, ((0, -height % MULTIPLE), (0, -width % MULTIPLE)), "reflect")


class Network:
    """The network of a model folder.

    Args:
        folder: a model folder (see `find_model`).
        threads: of ONNX Runtime; None takes all cores.

    Attributes:
        name: of the model, from its `config.yaml`.
        size: its default working size.
        temperature: its default, where it predicts a distribution.
        weights_sha256: of `weights.safetensors`, checked.

    Raises:
        ColorizerError: something in the folder is missing or damaged.
    """

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        self.folder = folder
        config = _read_config(folder)
        self.name = str(config["model"]["name"])
        self.size = int(config["inference"]["size"])
        self.moderation = float(config["inference"].get("moderation", 0.0))
        self.temperature = float(config["inference"].get("temperature", 1.0))
        self._ones = np.ones(len(gamut.bins()), np.float32)
        self.weights_sha256 = _check_weights(folder, config["weights_sha256"])
        self._session = _start_session(folder, threads)
        self._inputs = {value.name: value.shape for value in self._session.get_inputs()}
        self._outputs = {value.name for value in self._session.get_outputs()}

    @property
    def has_temperature(self) -> bool:
        """Whether the head predicts a distribution, whose temperature can be set."""
        return "temperature" in self._inputs

    @property
    def has_prior(self) -> bool:
        """Whether the head predicts a distribution over `gamut.bins`, which can be steered."""
        return self._inputs.get("prior") == [len(gamut.bins())]

    @property
    def has_uncertainty(self) -> bool:
        """Whether the model says how sure it is."""
        return "uncertainty" in self._outputs

    @property
    def has_features(self) -> bool:
        """Whether the graph tells what hints and suggestions need; older exports do not."""
        return {"features", "logits"} <= self._outputs

    def training_prior(self) -> np.ndarray:
        """The share of each of `gamut.bins` in the training photos; (Q,), sums to 1.

        Uniform where the weights do not tell.
        """
        count = len(gamut.bins())
        prior = _read_tensor(self.folder / "weights.safetensors", "head.training_prior")
        return np.full(count, 1 / count) if prior is None or len(prior) != count else prior

    def __call__(
        self, L: np.ndarray, *, temperature: float | None = None, prior: np.ndarray | None = None
    ) -> np.ndarray:
        """Predict the chroma of one picture.

        Args:
            L: (H, W) float, 0..100, sides as `pad` makes them.
            temperature: of the distribution; None keeps the model's own.
            prior: (Q,), a factor on the probability of each of `gamut.bins`; None means 1.

        Returns:
            (2, h, w) float32, Lab units, at the resolution of the network's head.

        Raises:
            ColorizerError: ONNX Runtime failed, or the result is not finite.
        """
        return self._run(["ab"], L, temperature, prior)[0]

    def features(self, L: np.ndarray) -> np.ndarray:
        """What the decoder saw, its last map: (C, h, w) float32.

        Raises:
            ColorizerError: as for the call.
        """
        return self._run(["features"], L, None, None)[0]

    def logits(self, L: np.ndarray) -> np.ndarray:
        """The distribution over `gamut.bins`, before moderation: (Q, h, w) float32.

        Raises:
            ColorizerError: as for the call.
        """
        return self._run(["logits"], L, None, None)[0]

    def uncertainty(self, L: np.ndarray, *, prior: np.ndarray | None = None) -> np.ndarray:
        """How undecided the model is: the entropy of its distribution, as a share of the highest.

        Args:
            L, prior: as for the call.

        Returns:
            (h, w) float32, 0 (sure) to 1 (all colors alike).

        Raises:
            ColorizerError: as for the call.
        """
        return self._run(["uncertainty"], L, None, prior)[0][0]

    def _run(
        self,
        outputs: list[str],
        L: np.ndarray,
        temperature: float | None,
        prior: np.ndarray | None,
    ) -> list[np.ndarray]:
        feed = {"L": np.asarray(L, np.float32)[None, None]}
        if self.has_temperature:
            feed["temperature"] = np.array(temperature or self.temperature, np.float32)
        if self.has_prior:
            feed["prior"] = self._ones if prior is None else np.asarray(prior, np.float32)
        try:
            values = [found[0] for found in self._session.run(outputs, feed)]
        except Exception as error:  # its exceptions share no other base class
            raise ColorizerError(f"the model {self.name} failed: {_first_line(error)}") from error
        if not all(np.isfinite(found).all() for found in values):
            raise ColorizerError(
                f"the model {self.name} predicted no finite chroma; is it trained?"
            )
        return values


def _read_config(folder: Path) -> dict[str, Any]:
    import yaml

    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, part in (("model", "name"), ("inference", "size")):
            config[key][part]
        config["weights_sha256"]
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}; {_RENEW}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ColorizerError(f"{path} is no valid YAML; {_RENEW}") from error
    except (KeyError, TypeError) as error:
        raise ColorizerError(
            f"{path} lacks one of model.name, inference.size, weights_sha256; {_RENEW}"
        ) from error
    return config


def _check_weights(folder: Path, expected: str) -> str:
    path = folder / "weights.safetensors"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}; {_RENEW}") from error
    if found != expected:
        raise ColorizerError(
            f"damaged model folder: {path} has sha256 {found[:12]}..., but config.yaml says"
            f" {str(expected)[:12]}...; {_RENEW}"
        )
    return found


def _read_tensor(path: Path, name: str) -> np.ndarray | None:
    """One tensor of a safetensors file; None if there is none of this name."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length)).get(name)
        if entry is None or entry["dtype"] not in _DTYPES:
            return None
        start, end = entry["data_offsets"]
        file.seek(8 + length + start)
        return np.frombuffer(file.read(end - start), _DTYPES[entry["dtype"]])


def _start_session(folder: Path, threads: int | None) -> "onnxruntime.InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    options.enable_cpu_mem_arena = False  # sizes differ from picture to picture
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # libvips is next
    try:
        return onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions share no other base class
        raise ColorizerError(
            f"damaged model folder: {folder / 'model.onnx'} does not load"
            f" ({_first_line(error)}); {_RENEW}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


_DTYPES = {"F16": "<f2", "F32": "<f4"}
_RENEW = "install the package or export the model again"
