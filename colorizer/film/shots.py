"""The first reading of a film: its times, its shots, and the palette of each."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from colorizer.color import gamut
from colorizer.color.has_color import FRAME_CHROMA
from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.film import flow
from colorizer.film.painter import Painter
from colorizer.film.plan import Plan
from colorizer.film.shot_list import Listed, Shot
from colorizer.film.source import Film, FilmFrame
from colorizer.film.tracking import Tracker

__all__ = ["is_cut", "look_through"]

cv2: Any = extra("cv2", "video")

SAMPLES = 8
"""Frames of a shot, at most, whose colors make its palette; evenly spread."""

FLASH = 5
"""Frames, at most, after which a shot goes on behind what interrupts it."""

BLUR = 10.0  # Lab units, of a palette
EVEN = 0.3  # share of the even distribution in both palettes that are compared
FORCE = 0.5  # power of their ratio
BALANCE = 0.5, 2.0  # bounds of the factor that keeps the chroma
ALIKE = 0.65  # correlation of two frames, moved onto each other, below which they are two shots
APART = 3.0  # Lab units, by which those differ on average at least
BLANK = 12.0  # Lab units, likewise, where one of them shows nothing
_CUT_SIDE = 96  # pixels
GRAY = 12.0  # Lab units of chroma, up to which a color counts as gray


def look_through(
    film: Film,
    frames: Iterable[FilmFrame],
    painter: Painter,
    tracker: Tracker,
    palettes: bool,
    *,
    shots: Listed | None = None,
    starts: Sequence[int] | None = None,
    keep_color: bool = False,
) -> Plan:
    """Read a film once: find its cuts, from some frames of each shot its palette, follow hints.

    Args:
        film: what is read.
        frames: all of them.
        painter: of the film.
        tracker: follows the hints.
        palettes: whether shots get palettes, where the model can.
        shots: as a person wants them; None finds them.
        starts: the first frame of each of those.
        keep_color: whether shots in color are kept as they are.

    Raises: ColorizerError: there is no frame, or a shot that is listed begins behind the last.
    """
    typical = painter.model.typical() if palettes else None
    tick = float(film.time_base)
    pts: list[int] = []
    found: list[_Shot] = []
    priors: list[np.ndarray] = []
    aside: list[int] = []
    length = 0

    def close() -> None:
        """Make the palette of the last shot, and forget its frames."""
        if found and typical is not None:
            model = painter.model if shots is None else shots.models[len(found) - 1]
            answers = [painter.answer(grid, model=model) for _, grid in found[-1].samples]
            priors.append(_palette(answers, typical))
            found[-1].samples.clear()

    looked = ((frame, painter.lightness(frame)[1]) for frame in frames)
    for frame, grid, place in _places(looked) if starts is None else _told(looked, set(starts)):
        if place == "cut":
            close()
            found.append(_Shot(frame.index))
        shot = found[-1]
        if place == "aside":
            aside.append(frame.index)
        else:
            shot.add(frame, grid)
        length = frame.duration
        pts.append(frame.pts)
        if place != "aside":
            time = (frame.pts - pts[0]) * tick
            tracker.add(frame.index, time, painter.upright(grid), place == "cut")
    close()
    if not pts:
        raise ColorizerError(f"{film} has no frame that can be decoded")
    if shots is not None and len(found) < len(shots.shots):
        raise UsageError(
            f"{shots.name}: shot {len(found) + 1} begins behind the last frame of the film, which"
            f" is {len(pts) - 1}"
        )
    told = shots.shots if shots is not None else (Shot(),) * len(found)
    kept = [
        keep_color and shot.in_color if one.keep is None else one.keep
        for shot, one in zip(found, told, strict=True)
    ]
    return Plan(
        np.array(pts, np.int64),
        pts[-1] + (length or max(1, round(1 / (film.rate * film.time_base)))),
        np.array([shot.start for shot in found], np.int64),
        np.array(priors, np.float32) if priors else np.zeros((len(found), 0), np.float32),
        np.array([t.dissolve for t in told], np.int64),
        np.array(kept, bool),
        np.array(aside, np.int64),
        colored=any(s.chroma > FRAME_CHROMA and not k for s, k in zip(found, kept, strict=True)),
        hints=tracker.found,
        notes=tuple(tracker.lost()),
    )


def _places(
    looked: Iterator[tuple[FilmFrame, np.ndarray]],
) -> Iterator[tuple[FilmFrame, np.ndarray, str]]:
    """Where each frame stands: "cut", if it begins a shot, "within" it, or "aside".

    Aside is what is unlike the frame before it, where one of the next is like that one again.
    """
    ahead: deque[tuple[FilmFrame, np.ndarray]] = deque()
    last: np.ndarray | None = None
    away = 0
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
        if last is None:
            place = "cut"
        elif is_cut(grid, last):
            before = last
            back = (n for n, (_, later) in enumerate(ahead) if not is_cut(later, before))
            away = next(back, -1)
            place = "cut" if away < 0 else "aside"
            away = max(0, away)
        if place != "aside":
            last = grid
        yield frame, grid, place


def is_cut(now: np.ndarray, before: np.ndarray) -> bool:
    """Whether two frames that follow each other are of two shots.

    They are where no motion makes the one out of the other: a small copy of the frame before is
    moved onto this one, and both are compared by their correlation, which no lamp changes.

    Args:
        now, before: (H, W) lightness, 0..100.
    """
    height, width = now.shape
    scale = min(1.0, _CUT_SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    now, before = (cv2.resize(L, size, interpolation=cv2.INTER_AREA) for L in (now, before))
    moved = flow.carry(before, flow.find(now, before, "fast"))
    apart = float(np.abs(now - moved).mean())
    if min(now.std(), moved.std()) < 1:
        return apart > BLANK
    return apart > APART and float(np.corrcoef(now.ravel(), moved.ravel())[0, 1]) < ALIKE


def _told(
    looked: Iterator[tuple[FilmFrame, np.ndarray]], starts: set[int]
) -> Iterator[tuple[FilmFrame, np.ndarray, str]]:
    """As `_places`, where a person has said where shots begin."""
    for frame, grid in looked:
        yield frame, grid, "cut" if frame.index in starts else "within"


class _Shot:
    """What is gathered of a shot.

    Its frames are of unknown number, and some are kept, evenly spread: half of those are dropped
    when there are too many.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.samples: list[tuple[int, np.ndarray]] = []
        self.chroma = 0.0
        self._every = 1
        self._seen = self._in_color = 0

    def add(self, frame: FilmFrame, grid: np.ndarray) -> None:
        if self._seen % self._every == 0:
            if len(self.samples) == SAMPLES:
                self.samples = self.samples[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self.samples.append((frame.index, grid))
        self._seen += 1
        self.chroma = max(self.chroma, frame.chroma)
        self._in_color += frame.chroma > FRAME_CHROMA and not frame.toned

    @property
    def in_color(self) -> bool:
        """Whether most of its frames have colors of their own, of several hues."""
        return self._in_color > self._seen / 2


def _palette(answers: list[np.ndarray], typical: np.ndarray) -> np.ndarray:
    """Factors on the color bins that lean to the hues of a shot: (Q,).

    Only colors are weighed against each other, and so much against gray that the shot's mean
    chroma stays what it is.
    """
    ab = np.concatenate([answer.reshape(-1, 2) for answer in answers])
    share, usual = (gamut.smooth_prior(h, BLUR) for h in (gamut.histogram(ab), typical))
    even = EVEN / len(typical)
    lean = (((1 - EVEN) * share + even) / ((1 - EVEN) * usual + even)) ** FORCE
    chroma = np.linalg.norm(gamut.bins(), axis=1)
    colored = chroma > GRAY
    lean[~colored] = 1
    leaning = share * lean
    # the mean of `chroma` under `leaning`, its colored part times `balance`, is that under `share`
    over = chroma - (share * chroma).sum() / share.sum()
    above, below = (leaning * over)[colored].sum(), -(leaning * over)[~colored].sum()
    balance = below / above if min(above, below) > 0 else 1.0
    lean[colored] *= np.clip(balance, *BALANCE)
    return lean
