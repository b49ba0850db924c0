"""Tiny model folders that have learnt to take colors of references: by hand, untrained."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from colorizer.inference.reference import SAYS, TOLD
from colorizer.model_folder import BORROWING, WEIGHTS, ModelFolder
from tests.model_folder import write_model_folder

HEADS, WIDTH, HIDDEN = 2, 4, 5


def weights(channels: int = 1, none: float = 0.0, own: float = 0.0) -> dict[str, np.ndarray]:
    """What a training would write, untrained.

    Args:
        none: added to the score of "none of them". own: to that of keeping the prediction.
    """
    rng = np.random.default_rng(3)
    inner = HEADS * WIDTH
    shapes = {
        "place": (inner, 2 * (channels + TOLD)),
        "query": (inner, inner),
        "key": (inner, inner),
        "none": (HEADS, inner),
        "own": (8, inner),
        "judge.0": (HIDDEN, 2 * SAYS * HEADS + 8 + 2),
        "judge.2": (HIDDEN, HIDDEN),
        "judge.4": (2 * HEADS + 1, HIDDEN),
    }
    found = {}
    for name, shape in shapes.items():
        found[f"{name}.weight"] = rng.normal(0, 0.5, shape).astype(np.float16)
        found[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float16)
    found |= {"sharp": np.float16([1, 2]), "far": np.full((HEADS, 2), -1, np.float16)}
    found["none.bias"] += np.float16(none)
    found["judge.4.bias"][0] += np.float16(own)
    return found


def folder_with(place: Path, learnt_for: str | None = None, **told: float) -> Path:
    folder = write_model_folder(place, "distribution")
    sha256 = learnt_for or ModelFolder(folder).weights_sha256
    save_file(weights(**told), folder / BORROWING, {WEIGHTS: sha256})
    return folder
