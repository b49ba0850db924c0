"""Colors of reference photos, for places that are like places of theirs.

The decoder's features, at a place and around it, its lightness and its predicted color give each
place of the picture a query, each cell of the references a key. In each of a few heads a place
shares itself out among all cells and "none of them", by the products of the two and by how far
apart lightness and prediction are. A small network then judges, from how alike they are, how much
they agree and how the whole picture fared, how far the place takes on their colors, or what the
prediction is off by there. Matrix products and a softmax are all it takes.
`training/learn_references` trains it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from colorizer.inference.likeness import unit
from colorizer.pictures.resize import resize

__all__ = ["CELLS", "SAYS", "TOLD", "Borrowing", "Lent", "Shown", "told_of"]

CELLS = 24
"""Of the short side of a reference."""

TOLD = 3
"""Numbers about a place beside its features, see `told_of`."""

SAYS = 6
"""Numbers that a head says of a place, for the judgment."""

CONTEXT = 12  # cells of the short side, of what is around a place
MOST = 6  # references with `CELLS`; of more, each has fewer cells
AT_ONCE = 4_000_000  # scores, which bounds the memory
UNLIKE, ALIKE = 0.3, 0.6  # of a picture that would take colors on: then none are; all are
APART = 25.0  # Lab units


@dataclass(frozen=True, eq=False)
class Shown:
    """What a reference shows at the working size, on the grid of the features.

    Attributes:
        features: (h, w, C), of the decoder.
        L: (h, w), 0..100.
        predicted, ab: (h, w, 2), Lab units: by the network, and its own.
    """

    features: np.ndarray
    L: np.ndarray
    predicted: np.ndarray
    ab: np.ndarray


@dataclass(frozen=True, eq=False)
class Lent:
    """What references lend, on all their cells.

    Attributes:
        key: (heads, d, M), weighed already.
        values: (M, 6): color, what the prediction is off by, lightness, squared chroma.
    """

    key: np.ndarray
    values: np.ndarray


def told_of(features: np.ndarray, L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """What is known of each place, and of what is around it: (h, w, 2 * (C + TOLD)) float32."""
    rms = np.sqrt(np.square(features).mean(-1, keepdims=True)) + 1e-3
    own = np.concatenate([features / rms, L[..., None] / 50 - 1, ab / 40], -1).astype(np.float32)
    scale = min(1.0, CONTEXT / min(L.shape))
    coarse = resize(own, *(max(1, round(side * scale)) for side in L.shape))
    return np.concatenate([own, resize(coarse, *L.shape)], -1)


class Borrowing:
    """The trained weights.

    Args:
        tensors: by name, as `colorizer.training.learn_references.BorrowingNet` names them.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self._of = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
        self._heads = len(self._of["sharp"])
        self._far = np.logaddexp(0, self._of["far"])[..., None]  # (heads, 2, 1)

    def lend(self, references: Sequence[Shown]) -> Lent:
        """What a picture can take from references."""
        cells = CELLS * min(1.0, (MOST / len(references)) ** 0.5)
        keys, values = zip(*(self._lend(one, cells) for one in references), strict=True)
        return Lent(np.concatenate(keys, -1), np.concatenate(values))

    def _lend(self, shown: Shown, cells: float) -> tuple[np.ndarray, np.ndarray]:
        scale = min(1.0, cells / min(shown.L.shape))
        size = [max(1, round(side * scale)) for side in shown.L.shape]
        every = shown.features, shown.L, shown.predicted, shown.ab
        features, L, predicted, ab = (resize(values, *size) for values in every)
        inner = self._inner(features, L[..., 0], predicted)
        key = unit(self._linear("key", inner).reshape(len(inner), self._heads, -1))
        near = np.concatenate([L, predicted], -1).reshape(-1, 3) / APART
        far = self._far[:, 0] * near[:, 0] ** 2 + self._far[:, 1] * (near[:, 1:] ** 2).sum(1)
        weight = -far - np.log(len(near))  # all cells of a reference together weigh as much
        shape = self._heads, 3, len(near)
        key = [key.transpose(1, 2, 0), np.broadcast_to(near.T, shape), weight[:, None]]
        off, squares = ab - predicted, (ab**2).sum(-1, keepdims=True)
        values = np.concatenate([ab, off, L, squares], -1).reshape(len(near), -1)
        return np.concatenate(key, 1), values

    def carry(
        self, lent: Lent, features: np.ndarray, L: np.ndarray, ab: np.ndarray
    ) -> np.ndarray | None:
        """By how much references change a prediction.

        Args:
            lent: of the references.
            features: (h, w, C), of the picture; L (h, w), ab (h, w, 2): its lightness, and its
                predicted chroma, Lab units.

        Returns:
            (h, w, 2), Lab units; None if they show nothing alike.
        """
        inner = self._inner(features, L, ab)
        L, own = L.reshape(-1).astype(np.float32), ab.reshape(-1, 2).astype(np.float32)
        off, share, says = self._heard(lent, inner, L, own)
        means = np.broadcast_to(says.mean(0), says.shape)
        about = [np.tanh(self._linear("own", inner)), L[:, None] / 50 - 1]
        about += [np.linalg.norm(own, axis=1, keepdims=True) / 40]
        judged = np.concatenate([says, means, *about], 1)
        for name in ("judge.0", "judge.2"):
            judged = np.maximum(self._linear(name, judged), 0)
        judged = self._linear("judge.4", judged)
        judged = np.exp(judged - judged.max(1, keepdims=True))
        taken = judged[:, 1:] / judged.sum(1, keepdims=True)  # the first is the prediction's
        taken = taken.reshape(len(L), 2, -1) * share[:, None]
        trust = (taken.sum((1, 2)).mean() - UNLIKE) / (ALIKE - UNLIKE)
        if trust <= 0:
            return None
        return np.einsum("nkh,nkhc->nc", min(trust, 1) * taken, off).reshape(ab.shape)

    def _heard(
        self, lent: Lent, inner: np.ndarray, L: np.ndarray, own: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What heads say of N places.

        Returns:
            By how much their colors, and what they are off by, change each: (N, 2, heads, 2); how
            much of a place is like any of theirs: (N, heads); and (N, heads * SAYS).
        """
        count, heads, far = len(L), self._heads, self._far[..., 0]
        query = unit(self._linear("query", inner).reshape(count, heads, -1))
        near = np.concatenate([L[:, None], own], 1) / APART
        lightness, colors = 2 * far[:, :1] * near[:, None, :1], 2 * far[:, 1:] * near[:, None, 1:]
        sharp = np.exp(self._of["sharp"])[:, None]
        query = np.concatenate([query * sharp, lightness, colors, np.ones_like(lightness)], -1)
        query = np.ascontiguousarray(query.transpose(1, 0, 2))
        values, score = [], []
        for some in np.array_split(query, -(-count * heads * lent.key.shape[-1] // AT_ONCE), 1):
            found = some @ lent.key
            highest = found.max(-1, keepdims=True)
            np.exp(found - highest, out=found)
            total = found.sum(-1, keepdims=True)
            values.append(found @ lent.values / total)
            score.append((np.log(total) + highest)[..., 0])
        told = np.concatenate(values, 1).transpose(1, 0, 2)  # (N, heads, 6)
        constant = far[:, 0] * near[:, :1] ** 2 + far[:, 1] * (near[:, 1:] ** 2).sum(1)[:, None]
        better = np.concatenate(score, 1).T - constant - self._linear("none", inner)
        share = 1 / (1 + np.exp(-better.clip(-60, 60)))
        moved, off = told[..., :2] - own[:, None], told[..., 2:4]
        spread = np.maximum(told[..., 5] - (told[..., :2] ** 2).sum(-1), 0)
        sizes = [spread, (moved**2).sum(-1), (off**2).sum(-1)]
        sizes = [np.sqrt(size + 1) / 20 for size in sizes]
        lighter = (told[..., 4] - L[:, None]) / 25
        says = np.stack([share, *sizes, lighter, better / 8], -1).reshape(count, -1)
        return np.stack([moved, off], 1), share, says

    def _inner(self, features: np.ndarray, L: np.ndarray, ab: np.ndarray) -> np.ndarray:
        told = told_of(features, L, ab)
        return np.tanh(self._linear("place", told.reshape(-1, told.shape[-1])))

    def _linear(self, name: str, values: np.ndarray) -> np.ndarray:
        return values @ self._of[f"{name}.weight"].T + self._of[f"{name}.bias"]
