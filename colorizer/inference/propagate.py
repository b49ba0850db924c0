"""From a few hints to chroma everywhere: to places alike, and along the edges of the picture.

Which places are alike is learnt (`inference/likeness.py`), where the model folder has it; where it
has not, fixed kernels tell (`inference/fixed_kernels.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from colorizer.inference.compose import fit_chroma
from colorizer.inference.hints import Hint, Hints
from colorizer.inference.likeness import Alike, Likeness
from colorizer.pictures.resize import resize

__all__ = [
    "EDGE",
    "Marks",
    "Spread",
    "around",
    "by_likeness",
    "changed",
    "follow",
    "followers",
    "grid",
    "mark",
    "on_grid",
]

EDGE = 5.0  # of lightness, over which a difference of chroma costs little
MANY = 2000  # places of hints
AT_ONCE = 100_000  # pixels around them
THIN = 2  # pixels of the working size, within which one place of a stroke is enough
DAB = 2.0  # pixels of the working size, of the hint itself
RIM = 0.2  # of a reach, over which it ends
FINEST = 64  # cells of the short side, at most, on which the problem is solved
MOST_ASKED = 128  # cells that learnt likeness carries


@dataclass(frozen=True, eq=False)
class Marks:
    """Hints on a grid.

    Attributes:
        hold: (h, w), weight of what is said; 0 where nothing is.
        ab: (h, w, 2), what is said, Lab units.
        change: (h, w), 0..1: 0 where the prediction is kept.
        color: (h, w), 0..1: 0 where it stays gray.
        reach: (h, w), how far what is said may change anything, in cells; inf for no limit.
        apart: of each region that is kept apart, the share of each cell in it: (h, w).
    """

    hold: np.ndarray
    ab: np.ndarray
    change: np.ndarray
    color: np.ndarray
    reach: np.ndarray
    apart: tuple[np.ndarray, ...] = ()

    def within(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Whether each place is one that some of the cells may change: (M, h, w), 0..1."""
        reach, found = self.reach[rows, columns], np.ones((len(rows), 1, 1))
        if not np.isinf(reach).all():
            y, x = np.mgrid[: self.hold.shape[0], : self.hold.shape[1]]
            far = np.hypot(y - rows[:, None, None], x - columns[:, None, None])
            left = (1 - far / reach[:, None, None]) / RIM
            found = np.minimum(left, 1).clip(0)
        for inside in self.apart:
            own = inside[rows, columns][:, None, None] >= 0.5
            found = found * np.where(own, inside, 1 - inside)
        return found


Spread = Callable[[np.ndarray, np.ndarray, Marks], np.ndarray]
"""From L (h, w), predicted ab (h, w, 2) and marks on a grid to the change of ab (h, w, 2)."""


def grid(features: np.ndarray) -> tuple[int, int]:
    """Height and width of the grid on which hints spread, of a picture with these features."""
    scale = min(1.0, FINEST / min(features.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in features.shape[:2])
    return height, width


def on_grid(
    L: np.ndarray, slope: np.ndarray, offset: np.ndarray, cells: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """L (h, w) and ab (h, w, 2) of a coloring, on the grid of the hints: of `grid`."""
    small_L = resize(L, *cells)[..., 0].astype(np.float64)
    return small_L, resize(slope * L[..., None] + offset, *cells).astype(np.float64)


def changed(
    L: np.ndarray, slope: np.ndarray, offset: np.ndarray, change: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset of a coloring that is changed by ab (h, w, 2) on a grid."""
    more_slope, more_offset = fit_chroma(L, change.transpose(2, 0, 1))
    return slope + more_slope, offset + more_offset


def mark(hints: Hints, height: int, width: int) -> Marks:
    """Draw hints on a grid of cells that covers the picture; later ones lie over earlier ones."""
    hold, ab = np.zeros((height, width)), np.zeros((height, width, 2))
    reach = np.full((height, width), np.inf)
    if hints.layer is not None:
        opaque = hints.layer.opaque[..., None]
        small = resize(np.concatenate([hints.layer.ab * opaque, opaque], -1), height, width)
        share = small[..., 2].clip(0, 1).astype(np.float64)
        said = share > 1e-3  # of a cell
        ab[said] = small[said, :2] / share[said, None]
        hold[said] = 1
    for hint in hints.points:
        x, y = _covered(hint, width, height).T
        at = np.minimum(y.astype(int), height - 1), np.minimum(x.astype(int), width - 1)
        hold[at], ab[at] = 1, hint.ab
        reach[at] = np.inf if hint.reach is None else hint.reach * min(height, width)
    keep = {kind: np.ones((height, width)) for kind in ("gray", "predicted")}
    apart = []
    for region in hints.regions:
        inside = _inside(np.array(region.corners), height, width)
        if region.keep == "apart":
            apart.append(inside)
        else:
            keep[region.keep] *= 1 - inside
    change = keep["predicted"] * keep["gray"]
    return Marks(hold, ab, change, keep["gray"], reach, tuple(apart))


def by_likeness(
    likeness: Likeness, alike: Alike, L: np.ndarray, ab: np.ndarray, marks: Marks
) -> np.ndarray:
    """A `Spread` by what was learnt: `likeness` of the model, `alike` of the picture."""
    rows, columns = _spokesmen(marks)
    if not len(rows):
        return np.zeros_like(ab)
    within = marks.within(rows, columns)
    return likeness.carry(alike, L, ab, rows, columns, marks.ab[rows, columns], within)


def _spokesmen(marks: Marks) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of at most `MOST_ASKED` cells that speak for all on which something is said.

    Neighbors of about one color have one of them, so that no lone hint goes unheard.
    """
    rows, columns = np.nonzero(marks.hold)
    chosen, block = np.arange(len(rows)), 1
    while len(chosen) > MOST_ASKED:
        block *= 2
        keys = np.column_stack([rows // block, columns // block, marks.ab[rows, columns] // 20])
        chosen = np.unique(keys, axis=0, return_index=True)[1]
    return rows[chosen], columns[chosen]


def follow(
    L: np.ndarray,
    slope: np.ndarray,
    offset: np.ndarray,
    cells: tuple[int, int],
    hints: Hints,
    spread: Spread,
) -> tuple[np.ndarray, np.ndarray]:
    """Change a coloring so that it follows hints.

    Args:
        L: (H, W), 0..100, at the working size.
        slope, offset: (H, W, 2) each, the coloring, see `fit_chroma`.
        cells: height and width of the grid to spread on, see `grid`.
        hints: what is said.
        spread: how.

    Returns:
        slope and offset: as they came in, changed.
    """
    marks = mark(hints, *cells)
    slope, offset = changed(L, slope, offset, carried(L, slope, offset, marks, spread))
    slope, offset = _exactly(L, slope, offset, hints)
    if hints.regions:
        keep = resize(marks.color, *L.shape)
        slope, offset = slope * keep, offset * keep
    return slope, offset


def carried(
    L: np.ndarray, slope: np.ndarray, offset: np.ndarray, marks: Marks, spread: Spread
) -> np.ndarray:
    """By how much a coloring changes on the grid of some marks: (h, w, 2), Lab units.

    Args:
        L, slope, offset, spread: as of `follow`.
        marks: what is said.
    """
    now = on_grid(L, slope, offset, marks.hold.shape)
    return spread(*now, marks) * marks.change[..., None]


def followers(
    L: np.ndarray,
    slope: np.ndarray,
    offset: np.ndarray,
    cells: tuple[int, int],
    hint: Hint,
    spread: Spread,
) -> float:
    """The share of a picture that a lone hint changes by more than half of what it changes itself.

    Args:
        L, slope, offset, cells, spread: as of `follow`.
    """
    marks = mark(Hints((hint,)), *cells)
    small_L, now = on_grid(L, slope, offset, cells)
    said = marks.hold > 0
    own = np.linalg.norm((marks.ab - now)[said], axis=-1).mean()
    moved = np.linalg.norm(spread(small_L, now, marks), axis=-1)
    return float((moved > 0.5 * own).mean())


def _along(places: np.ndarray) -> np.ndarray:
    """Points along a line through places, in cells, no more than half a cell apart."""
    if len(places) == 1:
        return places
    pieces = []
    for start, end in pairwise(places):
        steps = 1 + int(2 * np.abs(end - start).max())
        pieces.append(start + (end - start) * np.arange(steps)[:, None] / steps)
    return np.concatenate([*pieces, places[-1:]])


def _covered(hint: Hint, width: float, height: float) -> np.ndarray:
    """The places of a hint and what its brush covers, on a grid of cells: (N, 2), x and y."""
    line = _along(np.array(hint.places) * (width, height))
    radius = hint.width / 2 * min(width, height)
    if radius < 1:
        return line
    steps = np.arange(-int(radius), int(radius) + 1)
    disc = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    disc = disc[(disc**2).sum(1) <= radius**2]
    found = (np.unique(np.floor(line), axis=0)[:, None] + disc).reshape(-1, 2)
    found = np.unique(found[((found >= 0) & (found < (width, height))).all(1)], axis=0)
    return np.concatenate([found + 0.5, line])


def _inside(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """The share of each cell that lies in a polygon, by the even-odd rule on 4 x 4 samples."""
    y = (np.arange(4 * height)[:, None] + 0.5) / (4 * height)
    x = (np.arange(4 * width) + 0.5) / (4 * width)
    inside = np.zeros((4 * height, 4 * width), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside.reshape(height, 4, width, 4).mean((1, 3))


def _exactly(
    L: np.ndarray, slope: np.ndarray, offset: np.ndarray, hints: Hints, rounds: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset that, at each place of a hint, give exactly what it says, at any lightness.

    Of the four pixels between which full size will interpolate, those as light as the place take
    the most. Where hints share pixels they are approached in rounds.
    """
    height, width = L.shape
    places, wanted = [np.empty((0, 2))], [np.empty((0, 2))]
    for hint in hints.points:
        found = THIN * _covered(hint, width / THIN, height / THIN) - 0.5
        places.append(found)
        wanted.append(np.broadcast_to(hint.ab, found.shape))
    x, y = np.concatenate(places).clip(0, (width - 1, height - 1)).T
    last = np.full((height // THIN + 1, width // THIN + 1), -1)
    last[(y // THIN).astype(int), (x // THIN).astype(int)] = np.arange(len(x))
    seen = np.unique(last[last >= 0])  # of places that nearly coincide, what was said last
    x, y, target = x[seen], y[seen], np.concatenate(wanted)[seen]
    left, top = x.astype(int), y.astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    at = np.stack([top, top, bottom, bottom]), np.stack([left, right, left, right])  # (4, hints)
    fx, fy = x - left, y - top
    share = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
    near = np.exp(-((L[at] - (share * L[at]).sum(0)) ** 2) / (2 * EDGE**2)) + 1e-6
    way = share * near / (share * share * near).sum(0)

    slope, offset = _dab(L, slope, offset, np.rint(y).astype(int), np.rint(x).astype(int), target)
    offset[at] += slope[at] * L[at][..., None]  # chroma that does not follow lightness there
    slope[at] = 0
    count = np.zeros(L.shape)
    np.add.at(count, at, share > 0.01)
    for _ in range(rounds):
        lacking = target - (share[..., None] * offset[at]).sum(0)
        total = np.zeros_like(offset)
        np.add.at(total, at, way[..., None] * lacking)
        offset += total / np.maximum(count, 1)[..., None]
    return slope, offset


def _dab(
    L: np.ndarray,
    slope: np.ndarray,
    offset: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    target: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """A soft dab of each hint's own color on the pixels around it that are as light."""
    most, total, sums = np.zeros(L.shape), np.zeros(L.shape), np.zeros_like(offset)
    reach = 3 * DAB if len(rows) < MANY else DAB  # many lie so near each other that they overlap
    for at, own, share in around(L, rows, columns, DAB, int(reach)):
        np.maximum.at(most, at, share)
        np.add.at(total, at, share)
        np.add.at(sums, at, share[:, None] * target[own])
    mean = sums / np.maximum(total, 1e-9)[..., None]
    left = (1 - most)[..., None]
    return slope * left, offset * left + most[..., None] * mean


def around(
    L: np.ndarray, rows: np.ndarray, columns: np.ndarray, sigma: float, reach: int
) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]]:
    """For ways to go from places, some at a time: where they lead, from which, and how near it is.

    Nearness, 0..1, is that of position and of lightness.
    """
    height, width = L.shape
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1, 1).transpose(1, 2, 0)
    for some in np.array_split(steps, max(1, len(steps) * len(rows) // AT_ONCE)):
        places = some + np.stack([rows, columns], -1)  # (steps, places, 2)
        inside = ((places >= 0) & (places < (height, width))).all(-1)
        own = np.nonzero(inside)[1]
        at = tuple(places[inside].T)
        far = np.broadcast_to((some**2).sum(-1), inside.shape)[inside] / (2 * sigma**2)
        unlike = (L[at] - L[rows[own], columns[own]]) ** 2 / (2 * EDGE**2)
        yield at, own, np.exp(-far - unlike)
