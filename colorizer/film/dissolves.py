"""Dissolves: where one shot fades into another, with no cut between any two frames."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from colorizer.extras import extra
from colorizer.film.cuts import is_cut, small

__all__ = ["Dissolve", "Dissolves"]

cv2: Any = extra("cv2", "video")

SPANS = 8, 12, 16, 24, 32, 48, 64
"""Frames between the two that are compared: dissolves of other lengths show in the next one."""

EVERY = 2  # frames, after which is looked again
CELLS = (24, 18), (12, 9)  # of the pictures that are mixed; fewer where things move for long
LONG = 24  # frames between the two, from which on that is so
MIXED = 0.85  # share of a frame's variance that must be that of a mixture of two others
BETTER = 0.6  # of what the better of the two leaves unexplained, at most as much may be left
SHORTEST = 6  # frames


@dataclass(frozen=True)
class Dissolve:
    """One shot fades into another.

    Attributes:
        start: the first frame in which more is seen of the second.
        length: frames over which both are seen.
    """

    start: int
    length: int


class Dissolves:
    """Finds them while frames come by; keeps small copies of the last ones."""

    def __init__(self) -> None:
        self._past: deque[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = deque(
            maxlen=SPANS[-1] + 1
        )
        self._seen: list[tuple[int, float, float]] = []

    def cut(self) -> Dissolve | None:
        """A shot begins; returns the dissolve of the one before that was not told yet."""
        self._past.clear()
        return self._told()

    def add(self, index: int, grid: np.ndarray) -> Dissolve | None:
        """Look at the next frame of a shot: (H, W) lightness.

        Returns: a dissolve, some frames behind its end, each once.
        """
        view = small(grid)
        tiny = [cv2.resize(view, cells, interpolation=cv2.INTER_AREA).ravel() for cells in CELLS]
        self._past.append((index, view.astype(np.float16), *tiny))
        if index % EVERY == 0:
            now = next((d for span in SPANS if (d := self._between(span)) is not None), None)
            if now is not None:  # a later look sees more of it
                self._seen.append((index, *now))
        if self._seen and index >= self._seen[-1][0] + 3 * EVERY:
            found = self._told()
            while found and self._past and self._past[0][0] < found.start + found.length // 2:
                self._past.popleft()
            return found
        return None

    def _told(self) -> Dissolve | None:
        seen, self._seen = self._seen, []
        if not seen:
            return None
        ends, middles, lengths = zip(*seen, strict=True)
        length = float(np.median(lengths)) + ends[-1] - ends[0]
        return Dissolve(round(float(np.mean(middles)) + 0.5), max(SHORTEST, round(length)))

    def _tiny(self, which: Sequence[int], of: int) -> np.ndarray:
        """Some of the last frames without their means: (K, N)."""
        found = np.stack([self._past[i][of] for i in which])
        return found - found.mean(1, keepdims=True)

    def _between(self, span: int) -> tuple[float, float] | None:
        """Middle and length of what of a dissolve the last frames show, if they show one."""
        if len(self._past) <= span:
            return None
        begin = len(self._past) - 1 - span
        of = 3 if span >= LONG else 2
        within = range(begin + span // 4, begin + 3 * span // 4 + 1, max(1, span // 8))
        ends = self._tiny([begin, begin + span], of)
        if not _are_mixtures(self._tiny(within, of), ends):
            return None
        (first, before), after = self._past[begin][:2], self._past[-1][1]
        if not is_cut(after.astype(np.float32), before.astype(np.float32)):
            return None
        weights = _weights(self._tiny(range(begin, begin + span + 1), of), ends)[0].clip(0)
        share = weights[1] / np.maximum(weights.sum(0), 1e-6)
        within = np.flatnonzero((share > 0.15) & (share < 0.85))
        if len(within) < 3:
            return None
        slope, offset = np.polyfit(within, share[within], 1)
        if slope <= 0:
            return None
        return first + (0.5 - offset) / slope, min(1 / slope, span)


def _weights(values: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much of each of two pictures is in others, by least squares.

    Args:
        values: (K, N), the others, each without its mean.
        ends: (2, N), likewise.

    Returns: (2, K), and the products of each of the two with the others, (2, K) too.
    """
    common = ends @ values.T
    return np.linalg.pinv(ends @ ends.T, hermitian=True) @ common, common


def _are_mixtures(values: np.ndarray, ends: np.ndarray) -> bool:
    """Whether all of some pictures are some of one and some of another: (K, N) and (2, N)."""
    weights, common = _weights(values, ends)
    if not (weights > 0.1).all() or (weights.sum(0) > 1.3).any():
        return False
    whole = (values * values).sum(1)
    left = whole - (weights * common).sum(0)
    each = (ends * ends).sum(1)[:, None]
    explained = np.where(each > values.shape[1], common**2 / np.maximum(each, 1e-6), 0)
    alone = whole - explained.max(0)
    return bool(((left < (1 - MIXED) * whole) & (left < BETTER * alone)).all())
