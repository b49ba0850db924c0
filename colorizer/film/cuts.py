"""Cuts: frames that no motion makes out of the one before, and no flash interrupts."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from colorizer.extras import extra
from colorizer.film import flow
from colorizer.film.source import FilmFrame

__all__ = ["is_cut", "placed", "small"]

cv2: Any = extra("cv2", "video")

FLASH = 5
"""Frames, at most, after which a shot goes on behind what interrupts it."""

LIT = 10.0  # Lab units of mean lightness, by which a lamp is seen to be lit
ALIKE = 0.65  # correlation of two frames, moved onto each other, below which they are two shots
APART = 3.0  # Lab units, by which those differ at least, squared on average: a title is thin
BLANK = 12.0  # Lab units, likewise, where one of them shows nothing
BLACK = 25.0, 2.5  # mean lightness, and its spread, up to which a frame shows nothing
SHOWN = 5.0  # spread of lightness, from which on it shows something
CONTRAST = 3.0  # ratio, to which no turn of a camera takes it
TURNED = 0.3  # height of the peak of their phase correlation; of other pictures below 0.15
SEEN = 0.3  # share of the picture, at least, that is seen before and after a turn
SIDE = 96  # pixels


def placed(
    looked: Iterator[tuple[FilmFrame, np.ndarray]], starts: set[int] | None = None
) -> Iterator[tuple[FilmFrame, np.ndarray, str]]:
    """Where each frame stands: "cut", if it begins a shot, "within" it, or "aside".

    Aside is what is unlike the frame before it, or is lit in another way, where one of the next is
    like that one again. What comes after a fade to black is another shot, too.

    Args:
        looked: frames, each with its lightness.
        starts: numbers of those that begin shots, as a person has said; None finds them.
    """
    ahead: deque[tuple[FilmFrame, np.ndarray]] = deque()
    last: np.ndarray | None = None
    away, fade = 0, _Fade()
    while True:
        ahead.extend(islice(looked, FLASH + 1 - len(ahead)))
        if not ahead:
            return
        frame, grid = ahead.popleft()
        if away:
            away -= 1
            yield frame, grid, "aside"
            continue
        place = "within"
        begins = fade.is_over(grid) if starts is None else frame.index in starts
        if last is None or begins:
            place = "cut"
        elif (apart := is_cut(grid, last)) or _is_lit(grid, last):
            away = _frames_away(last, ahead, starts)
            if away:
                place = "aside"
                away -= 1
            elif apart and starts is None:
                place = "cut"
        if place != "aside":
            fade.add(grid, place == "cut")
            last = grid
        yield frame, grid, place


class _Fade:
    """Whether a shot has faded to black: by degrees, as a lost frame does not."""

    def __init__(self) -> None:
        self._has_shown = self._is_faint = self._is_black = False

    def add(self, grid: np.ndarray, begins: bool) -> None:
        """The next frame of a shot, or the first."""
        if begins:
            self._has_shown = self._is_faint = self._is_black = False
        seen = small(grid)
        mean, spread = float(seen.mean()), float(seen.std())
        went = self._has_shown and self._is_faint and mean <= BLACK[0] and spread <= BLACK[1]
        self._is_faint = spread <= SHOWN
        self._is_black = went or (self._is_black and self._is_faint)
        self._has_shown |= not self._is_faint

    def is_over(self, grid: np.ndarray) -> bool:
        """Whether the next frame shows something again."""
        return self._is_black and float(small(grid).std()) > SHOWN


def _frames_away(
    before: np.ndarray, ahead: Iterable[tuple[FilmFrame, np.ndarray]], starts: set[int] | None
) -> int:
    """After how many frames of this shot one is like that before; 0 if none is."""
    for count, (frame, grid) in enumerate(ahead, 1):
        if starts is not None and frame.index in starts:
            return 0
        if not _is_lit(grid, before) and not is_cut(grid, before):
            return count
    return 0


def _is_lit(now: np.ndarray, before: np.ndarray) -> bool:
    """Whether one is much brighter than the other."""
    return abs(float(now.mean()) - float(before.mean())) > LIT


def is_cut(now: np.ndarray, before: np.ndarray) -> bool:
    """Whether two frames that follow each other are of two shots.

    They are where no motion makes the one out of the other: a small copy of the frame before is
    moved onto this one, and both are compared by their correlation, which no lamp changes. Before
    a cut is believed, they are shifted as a whole, for a camera that turns faster than flow sees.

    Args:
        now, before: (H, W) lightness, 0..100.
    """
    now, before = small(now), small(before)
    moved = flow.carry(before, flow.find(now, before, "fast"))
    if min(now.std(), moved.std()) < 1:
        return float(np.abs(now - moved).mean()) > BLANK
    if (
        float(((now - moved) ** 2).mean()) <= APART**2
        or np.corrcoef(now.ravel(), moved.ravel())[0, 1] >= ALIKE
    ):
        return False
    return not _is_turned(now, before)


def small(L: np.ndarray) -> np.ndarray:
    """The copy of a lightness that is compared."""
    height, width = L.shape
    scale = min(1.0, SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    return cv2.resize(L, size, interpolation=cv2.INTER_AREA)


def _is_turned(now: np.ndarray, before: np.ndarray) -> bool:
    """Whether one is the other, shifted as a whole; by phase correlation."""
    height, width = now.shape
    if max(now.std(), before.std()) > CONTRAST * min(now.std(), before.std()):
        return False
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    # without their means, or the window itself would be alike; of copies, which it changes
    (x, y), peak = cv2.phaseCorrelate(before - before.mean(), now - now.mean(), window)
    if peak <= TURNED:
        return False
    where = np.array([[1, 0, x], [0, 1, y]], np.float32)
    moved = cv2.warpAffine(before, where, (width, height), borderValue=-1)
    both = moved >= 0
    return bool(both.mean() > SEEN and np.corrcoef(now[both], moved[both])[0, 1] >= ALIKE)
