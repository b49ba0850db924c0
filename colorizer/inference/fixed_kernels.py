"""How hints spread where no likeness was learnt: by fixed kernels, then along edges.

Each hint's difference from the prediction is carried to places alike in lightness, in the decoder's
features, in predicted color and in position; then an edge-aware least-squares problem on the grid
spreads it (as Levin et al., "Colorization using Optimization", 2004), solved directly, row by row,
so that the result does not hang on a tolerance.
"""

import numpy as np

from colorizer.inference.propagate import EDGE, Marks, around
from colorizer.pictures.resize import resize

__all__ = ["by_hand", "solve"]

LIGHTNESS, COLOR, DISTANCE = 25.0, 15.0, 0.5  # differences that count as 1: L, ab, long sides
REACH = 0.7  # of likeness, in those units
RIDGE = 0.1  # hints that contradict each other in alike places share
OWN_EDGES = 0.5  # trust in the prediction's own differences of chroma, where hints reach
PULL = 1e-3  # towards what likeness says, beside 1 between neighbors
HOLD = 100.0  # of a hint on its own cell
BRUSH = 1 / 32  # of the short side: how far a hint holds around it, where it is as light, a little
UNLIKE, ALIKE = 3e-3, 0.1  # likeness to the nearest hint below which nothing, above which all
MOST_CARRIED = 256  # cells whose difference is carried; the others of long strokes only hold


def by_hand(features: np.ndarray, L: np.ndarray, ab: np.ndarray, marks: Marks) -> np.ndarray:
    """A `Spread` where nothing is learnt; exactly 0 where no hint is alike.

    Args:
        features: (H, W, C), of the decoder.
        L, ab, marks: as of every `Spread`.
    """
    height, width = L.shape
    features = features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-6)
    if features.shape[:2] != L.shape:
        features = resize(features, height, width)
    said = np.flatnonzero(marks.hold)
    if not len(said):
        return np.zeros((height, width, 2))
    places = _embed(L, ab, features)
    difference = (marks.ab - ab).reshape(-1, 2)
    some = said[:: -(-len(said) // MOST_CARRIED)]
    likeness = _likeness(places, places[some])  # (h * w, hints)
    allowed = np.broadcast_to(marks.within(*np.divmod(some, width)), (len(some), height, width))
    within = allowed.reshape(len(some), -1).T
    likeness = likeness * within
    weights = np.linalg.solve(likeness[some] + RIDGE * np.eye(len(some)), difference[some])
    carried = (likeness @ weights).reshape(height, width, 2)
    nearest = likeness.max(1).reshape(height, width)

    weight, pulled = _brush(L, marks.hold, marks.ab - ab)
    hold = PULL + weight
    wanted = PULL * carried + pulled
    across = np.exp(-(np.diff(L, axis=1) ** 2) / (2 * EDGE**2))
    down = np.exp(-(np.diff(L, axis=0) ** 2) / (2 * EDGE**2))
    for inside in marks.apart:
        own = inside >= 0.5
        across *= own[:, 1:] == own[:, :-1]
        down *= own[1:] == own[:-1]
    for axis, weight in ((1, across), (0, down)):
        distrust = (1 - OWN_EDGES) * weight[..., None] * np.diff(ab, axis=axis)
        before = np.pad(distrust, [(int(i == axis), 0) for i in (0, 1)] + [(0, 0)])
        after = np.pad(distrust, [(0, int(i == axis)) for i in (0, 1)] + [(0, 0)])
        wanted += after - before
    solved = solve(hold, across, down, wanted)
    fade = (np.log(np.maximum(nearest, 1e-30) / UNLIKE) / np.log(ALIKE / UNLIKE)).clip(0, 1)
    return solved * (fade * fade * (3 - 2 * fade))[..., None]


def _embed(L: np.ndarray, ab: np.ndarray, features: np.ndarray) -> np.ndarray:
    """(h * w, K): distances between these tell how unlike two places are."""
    height, width = L.shape
    y, x = np.mgrid[:height, :width] / (DISTANCE * max(height, width))
    parts = [L[..., None] / LIGHTNESS, ab / COLOR, features, y[..., None], x[..., None]]
    return np.concatenate(parts, -1).reshape(height * width, -1)


def _likeness(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    distance2 = (places**2).sum(1)[:, None] + (others**2).sum(1) - 2 * places @ others.T
    return np.exp(-distance2.clip(0) / (2 * REACH**2))


def _brush(
    L: np.ndarray, hold: np.ndarray, difference: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The weight of hints on and around their cells, and what they pull to, times that weight."""
    rows, columns = np.nonzero(hold)
    weight = HOLD * hold
    pulled = weight[..., None] * difference
    sigma = max(0.5, BRUSH * min(L.shape))
    for at, own, share in around(L, rows, columns, sigma, int(2 * sigma)):
        np.add.at(weight, at, share)
        np.add.at(pulled, at, share[:, None] * difference[rows[own], columns[own]])
    return weight, pulled


def solve(hold: np.ndarray, across: np.ndarray, down: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Minimize `sum hold x^2 - 2 wanted x` and weighted squared differences between neighbors.

    The matrix is block tridiagonal, a block for each row of the grid: elimination downwards, then
    substitution upwards. Rows are along the shorter side.
    """
    height, width = hold.shape
    if width > height:
        return solve(hold.T, down.T, across.T, wanted.swapaxes(0, 1)).swapaxes(0, 1)
    diagonal = hold.copy()
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:-1] += down
    diagonal[1:] += down
    rest, inverses, at = wanted.copy(), [], np.arange(width)
    for row in range(height):
        block = np.diag(diagonal[row])
        block[at[:-1], at[1:]] = block[at[1:], at[:-1]] = -across[row]
        if row:
            above = down[row - 1]
            block -= above[:, None] * inverses[-1] * above
            rest[row] += above[:, None] * (inverses[-1] @ rest[row - 1])
        inverses.append(np.linalg.inv(block))
    found = np.empty_like(rest)
    found[-1] = inverses[-1] @ rest[-1]
    for row in range(height - 2, -1, -1):
        found[row] = inverses[row] @ (rest[row] + down[row][:, None] * found[row + 1])
    return found
