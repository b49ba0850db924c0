"""Learnt likeness: which of the hints a place follows, and how far.

The decoder's features give each place a query, each hint a key. A small network scores a place and
a hint by the products of the two, by how far apart they are, by the easiest ways between them
across the edges of the picture, by lightness and predicted color, and by how large the change is;
a place shares itself out among the hints and "none of them". Matrix products, running minima and
a softmax are all it takes, so that any language can say it again. `training/learn_likeness`
trains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["EVEN", "PAIR", "Alike", "Likeness", "eases", "pairs", "unit"]

PAIR = 10
"""Numbers about a place and a hint, see `pairs`, beside the products of query and key."""

EVEN = 0.6
"""Of the prediction's differences within a thing, the share that a hint evens out."""

STEP = np.array([0.3, 0.02], np.float32)  # what a step of a way costs at least: lightness, features
FAR = np.array([[8.0, 30.0], [0.6, 2.0]], np.float32)  # costs of ways that count as 1, of each
ROUNDS = 2  # of sweeps; a way that turns back more often is taken for a longer one
TOGETHER = 16  # hints that are scored at a time, which bounds the memory


@dataclass(frozen=True, eq=False)
class Alike:
    """What likeness asks of the places of a picture, on a grid of (h, w) cells.

    Attributes:
        query, key: (h * w, heads, d), of length 1.
        none: (h * w,), the score of "none of them".
        kinds: (h, w, C), the features, of length 1.
        kept: what was found of the last hints.
    """

    query: np.ndarray
    key: np.ndarray
    none: np.ndarray
    kinds: np.ndarray
    kept: dict[tuple, np.ndarray] = field(default_factory=dict)


class Likeness:
    """The trained weights.

    Args:
        tensors: by name, as `colorizer.training.learn_likeness.LikenessNet` names them.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._of = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
        self._heads = self._of["pair.0.weight"].shape[1] - PAIR

    def look(self, L: np.ndarray, features: np.ndarray) -> Alike:
        """What is asked of each place; L (h, w), 0..100, features (h, w, C), of the decoder."""
        height, width = L.shape
        rms = np.sqrt(np.square(features).mean(-1, keepdims=True)) + 1e-3
        seen = np.concatenate([features / rms, L[..., None] / 50 - 1], -1)
        inner = np.tanh(self._linear("place", seen.reshape(height * width, -1)))
        shape = (height * width, self._heads, -1)
        query, key = (unit(self._linear(name, inner).reshape(shape)) for name in ("query", "key"))
        return Alike(query, key, self._linear("none", inner)[:, 0], unit(features))

    def carry(
        self,
        alike: Alike,
        L: np.ndarray,
        ab: np.ndarray,
        rows: np.ndarray,
        columns: np.ndarray,
        wanted: np.ndarray,
        within: np.ndarray | float = 1.0,
    ) -> np.ndarray:
        """By how much to change a prediction so that places alike follow the hints.

        Args:
            alike: of the picture.
            L, ab: (h, w) and (h, w, 2): lightness, and the predicted chroma, Lab units.
            rows, columns: (M,) each, the cells of the hints.
            wanted: (M, 2), what they say, Lab units.
            within: (M, h, w), 0..1: 0 where a hint may change nothing; or what broadcasts to it.

        Returns:
            (h, w, 2), Lab units.
        """
        height, width = L.shape
        difference = wanted - ab[rows, columns]
        scores, gates = self._judge(alike, L, ab, rows, columns, difference)
        scores = np.concatenate([alike.none[:, None], scores], 1)
        share = np.exp(scores - scores.max(1, keepdims=True))
        allowed = np.broadcast_to(within, (len(rows), height, width)).reshape(len(rows), -1).T
        share[:, 1:] *= allowed  # a hint takes nothing from the others where it may change nothing
        share /= np.maximum(share.sum(1, keepdims=True), 1e-30)
        followed = share[:, 1:] * gates * allowed
        own = ab.reshape(-1, 2)
        change = followed @ (difference + EVEN * ab[rows, columns])
        change -= EVEN * followed.sum(1, keepdims=True) * own
        return change.reshape(height, width, 2)

    def _judge(
        self,
        alike: Alike,
        L: np.ndarray,
        ab: np.ndarray,
        rows: np.ndarray,
        columns: np.ndarray,
        difference: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score and gate of each place for each hint, (h * w, M) both.

        Those of hints that were there the last time are kept: while a person sets one hint after
        another, only the new one is judged.
        """
        picture = ab.tobytes()
        keys = [(picture, *key) for key in zip(rows, columns, *difference.T, strict=True)]
        kept = {key: alike.kept[key] for key in keys if key in alike.kept}
        new = np.array([i for i, key in enumerate(keys) if key not in kept], int)
        for some in np.array_split(new, -(-len(new) // TOGETHER)) if len(new) else ():
            about = rows[some], columns[some]
            ways = eases(L, alike.kinds, *about)
            products = np.einsum(
                "nhd,mhd->mnh",
                alike.query,
                alike.key[about[0] * L.shape[1] + about[1]],
                optimize=True,
            )
            told = pairs(L, ab, *about, difference[some], ways)
            told = np.concatenate([4 * products, told.reshape(*products.shape[:2], -1)], -1)
            for name in ("pair.0", "pair.2"):
                told = self._linear(name, told)
                np.maximum(told, 0, out=told)
            judged = self._linear("pair.4", told)  # (some, h * w, 2)
            judged[..., 0] *= 3
            judged[..., 1] = 1 / (1 + np.exp(-judged[..., 1] - 2))
            kept |= {keys[i]: one for i, one in zip(some, judged, strict=True)}
        alike.kept.clear()
        alike.kept.update(kept)
        score, gate = np.moveaxis(np.stack([kept[key] for key in keys], 1), -1, 0)
        return score, gate

    def _linear(self, name: str, values: np.ndarray) -> np.ndarray:
        return values @ self._of[f"{name}.weight"].T + self._of[f"{name}.bias"]


def unit(values: np.ndarray) -> np.ndarray:
    """The same directions, of length 1."""
    return values / (np.linalg.norm(values, axis=-1, keepdims=True) + 1e-6)


def pairs(
    L: np.ndarray,
    ab: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    difference: np.ndarray,
    ways: np.ndarray,
) -> np.ndarray:
    """What is known of each hint and place: (M, h, w, PAIR) float32.

    Args:
        L, ab: (h, w) and (h, w, 2), of the picture.
        rows, columns: (M,) each, cells of the hints.
        difference: (M, 2), by how much each changes the prediction there, Lab units.
        ways: as of `eases`.
    """
    height, width = L.shape
    L, ab, difference = (np.asarray(values, np.float32) for values in (L, ab, difference))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    down = y - rows[:, None, None].astype(np.float32)
    right = x - columns[:, None, None].astype(np.float32)
    far = np.sqrt(down**2 + right**2) / min(height, width)
    lighter = (L - L[rows, columns][:, None, None]) / 25
    apart = ab - ab[rows, columns][:, None, None]
    unlike = np.hypot(apart[..., 0], apart[..., 1]) / 25
    change = np.broadcast_to(np.linalg.norm(difference, axis=-1)[:, None, None] / 40, far.shape)
    told = [far, np.exp(-40 * far * far), lighter, np.abs(lighter), unlike, change]
    found = np.empty((*far.shape, PAIR), np.float32)
    for i, values in enumerate(told):
        found[..., i] = values
    found[..., len(told) :] = 2 * ways
    return found


def eases(L: np.ndarray, kinds: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """How easily each place is reached from some cells without crossing edges: (M, h, w, 4), 0..1.

    A way costs what lightness changes along it, and what features change; of each, how cheap the
    cheapest way is on two scales.

    Args:
        L, kinds: (h, w) and (h, w, C), of the picture.
        rows, columns: (M,) each.
    """
    count = len(rows)
    steps = []
    for axis in (1, 0):
        lightness = np.abs(np.diff(L, axis=axis)) + STEP[0]
        features = np.linalg.norm(np.diff(kinds, axis=axis), axis=-1) + STEP[1]
        steps.append(np.stack([lightness, features]).astype(np.float32))
    across, down = steps
    cost = np.full((2, count, *L.shape), 1e6, np.float32)
    cost[:, np.arange(count), rows, columns] = 0
    start = np.zeros((2, *L.shape), np.float32)  # of each row: costs from its first cell on
    np.cumsum(across, 2, out=start[..., 1:])
    order = [*range(L.shape[0]), *range(L.shape[0] - 2, -1, -1)] * ROUNDS
    for row, before in zip(order, [None, *order], strict=False):
        here = cost[:, :, row]  # (2, M, w), changed in place
        if before is not None and before != row:
            np.minimum(here, cost[:, :, before] + down[:, None, min(row, before)], out=here)
        s = start[:, None, row]
        rightward = np.minimum.accumulate(here - s, -1) + s
        leftward = np.minimum.accumulate((here + s)[..., ::-1], -1)[..., ::-1] - s
        np.minimum(rightward, leftward, out=here)
    ways = cost[..., None] / FAR[:, None, None, None]  # (2, M, h, w, 2)
    return np.exp(-np.concatenate([*ways], -1))
