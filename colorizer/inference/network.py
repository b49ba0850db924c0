"""The network as a function: from a small lightness to chroma (ONNX Runtime)."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np

from colorizer.color import gamut
from colorizer.errors import ColorizerError
from colorizer.inference import devices
from colorizer.inference.likeness import Likeness
from colorizer.inference.reference import Borrowing
from colorizer.model_folder import BAKED, BORROWING, CONFIG, LIKENESS, RENEW, ModelFolder
from colorizer.support.forked import check_not_forked

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["Network", "pad", "working_size"]

MULTIPLE = 32  # the network is fed sides that its strides divide
LONGEST = 4  # the long side is at most this many times the working size


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
        folder: a model folder, or what `ModelFolder.find` takes.
        threads: of ONNX Runtime; None takes all cores.
        device: see `providers_of`.

    Attributes:
        folder: the model folder.
        name: of the model, from its `config.yaml`.
        size: its default working size.
        temperature, moderation: its defaults, where it predicts a distribution.
        weights_sha256: of `weights.safetensors`, checked.

    Raises:
        ColorizerError: something in the folder is missing or damaged.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | ModelFolder,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        check_not_forked()
        self.folder = ModelFolder.find(folder)
        self.name, self.size = self.folder.name, self.folder.size
        defaults = self.folder.config["inference"]
        self.temperature = float(defaults.get("temperature", 1.0))
        self.moderation = float(defaults.get("moderation", 0.0))
        self._ones = np.ones(len(gamut.bins()), np.float32)
        self.weights_sha256 = self.folder.weights_sha256
        self._session = _start_session(self.folder, threads, device)
        # Of an accelerator's memory each run at the same time would take its own share.
        self._turn = nullcontext() if device == "cpu" else Lock()
        _check_baked(self.folder, self._session)
        # Folders of before had inputs with defaults, which are initializers too.
        session = self._session
        inputs = [*session.get_inputs(), *session.get_overridable_initializers()]
        self._inputs = {value.name: value.shape for value in inputs}
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

    @cached_property
    def likeness(self) -> Likeness | None:
        """What hints follow, where it was learnt.

        Raises: ColorizerError: it is damaged, or of other weights.
        """
        tensors = self.folder.learnt(LIKENESS)
        return None if tensors is None else Likeness(tensors)

    @cached_property
    def borrowing(self) -> Borrowing | None:
        """What takes colors of references, where it was learnt.

        Raises: ColorizerError: it is damaged, or of other weights.
        """
        tensors = self.folder.learnt(BORROWING)
        return None if tensors is None else Borrowing(tensors)

    def training_prior(self) -> np.ndarray:
        """The share of each of `gamut.bins` in the training photos; (Q,), sums to 1.

        Uniform where the weights do not tell.
        """
        count = len(gamut.bins())
        prior = self.folder.tensor("head.training_prior")
        return np.full(count, 1 / count) if prior is None or len(prior) != count else prior

    def lean(self) -> np.ndarray:
        """What moderation multiplies: the log of the training prior, half uniform; (Q,)."""
        return np.log(0.5 * self.training_prior() + 0.5 / len(gamut.bins()))

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

    def chroma_and_features(
        self, L: np.ndarray, *, temperature: float | None = None, prior: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the call and `features` give, by one look."""
        ab, features = self._run(["ab", "features"], L, temperature, prior)
        return ab, features

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
        check_not_forked()
        feed = {"L": np.asarray(L, np.float32)[None, None]}
        if self.has_temperature:
            feed["temperature"] = np.array(temperature or self.temperature, np.float32)
        if self.has_prior:
            feed["prior"] = self._ones if prior is None else np.asarray(prior, np.float32)
        try:
            with self._turn:
                found = cast(list[np.ndarray], self._session.run(outputs, feed))
            values = [batch[0] for batch in found]
        except Exception as error:  # its exceptions share no other base class
            raise ColorizerError(f"the model {self.name} failed: {_first_line(error)}") from error
        if not all(np.isfinite(found).all() for found in values):
            raise ColorizerError(
                f"the model {self.name} predicted no finite chroma; is it trained?"
            )
        return values


def _start_session(
    folder: ModelFolder, threads: int | None, device: str
) -> "onnxruntime.InferenceSession":
    import onnxruntime

    providers = devices.providers_of(device)

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    options.enable_cpu_mem_arena = False  # sizes differ from picture to picture
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # libvips is next
    devices.prepare(options, device)
    try:
        with _utf8_path(folder.graph) as path:
            session = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # its exceptions share no other base class
        raise ColorizerError(
            f"damaged model folder: {folder.graph} does not load ({_first_line(error)}); {RENEW}"
        ) from error
    devices.check_in_use(session, device)
    return session


def _check_baked(folder: ModelFolder, session: "onnxruntime.InferenceSession") -> None:
    """What is fixed in the graph, such as the moderation, must be what config.yaml says."""
    baked = json.loads(session.get_modelmeta().custom_metadata_map.get(BAKED, "{}"))
    for name, made in baked.items():
        if (told := folder.config["inference"].get(name)) != made:
            raise ColorizerError(
                f"{folder.path / CONFIG} says {name} {told}, but {folder.graph.name} was made with"
                f" {made}: set it back, or let `colorizer export {folder.path} OUT` write a folder"
                " that follows config.yaml"
            )


@contextmanager
def _utf8_path(path: Path) -> Iterator[Path]:
    """A way to a file that ONNX Runtime can go, whatever bytes the names of its folders are of."""
    try:
        str(path).encode()
        yield path
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder, "model")
            link.symlink_to(path.parent.resolve(), target_is_directory=True)
            yield link / path.name


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
