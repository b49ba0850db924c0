"""Dissolves: where one shot fades into another, with no cut between any two frames."""

from collections import deque
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

    def _between(self, span: int) -> tuple[float, float] | None:
        """Middle and length of what of a dissolve the last frames show, if they show one."""
        if len(self._past) <= span:
            return None
        begin = len(self._past) - 1 - span
        of = 3 if span >= LONG else 2
        tinies = np.stack([self._past[i][of] for i in range(begin, len(self._past))], 1)
        ends = np.stack([tinies[:, 0], tinies[:, -1], np.ones(len(tinies), np.float32)], 1)
        if not all(
            _is_mixture(tinies[:, i], ends)
            for i in range(span // 4, 3 * span // 4 + 1, max(1, span // 8))
        ):
            return None
        (first, before), after = self._past[begin][:2], self._past[-1][1]
        if not is_cut(after.astype(np.float32), before.astype(np.float32)):
            return None
        weights = np.linalg.lstsq(ends, tinies, rcond=None)[0][:2].clip(0)
        share = weights[1] / np.maximum(weights.sum(0), 1e-6)
        within = np.flatnonzero((share > 0.15) & (share < 0.85))
        if len(within) < 3:
            return None
        slope, offset = np.polyfit(within, share[within], 1)
        if slope <= 0:
            return None
        return first + (0.5 - offset) / slope, min(1 / slope, span)


def _is_mixture(values: np.ndarray, ends: np.ndarray) -> bool:
    """Whether a picture is some of one and some of another: (N,) and (N, 3)."""
    weights, *_ = np.linalg.lstsq(ends, values, rcond=None)
    if not (weights[:2] > 0.1).all() or weights[:2].sum() > 1.3:
        return False
    whole = values.var()
    left = (values - ends @ weights).var()
    alone = min(
        whole * (1 - np.corrcoef(values, ends[:, i])[0, 1] ** 2) if ends[:, i].std() > 1 else whole
        for i in (0, 1)
    )
    return bool(left < (1 - MIXED) * whole and left < BETTER * alone)
