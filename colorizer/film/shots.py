"""The first reading of a film: its times, its shots, and the palette of each."""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.color import gamut
from colorizer.color.has_color import FRAME_CHROMA
from colorizer.errors import ColorizerError
from colorizer.extras import extra
from colorizer.film import flow
from colorizer.film.painter import Painter
from colorizer.film.rates import constant_rate
from colorizer.film.source import Film, FilmFrame
from colorizer.film.tracking import Tracker

__all__ = ["Plan", "is_cut", "look_through"]

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


@dataclass(frozen=True)
class Plan:
    """What the first reading found.

    Attributes:
        pts: (N,) int64, the presentation time of each frame, in ticks of the film.
        end: when the last frame is no longer shown, in ticks.
        starts: (S,) int64, the first frame of each shot; the first is 0.
        priors: (S, Q) float32, a factor on each color bin, for each shot; (S, 0) for none.
        aside: (A,) int64, frames that do not belong to their shot: a flash, a lost frame.
        damage: a sentence for each place that could not be read.
        colored: whether the film has colors of its own.
        hints: number of a frame -> index and places of what is said there.
        notes: sentences on the hints.
    """

    pts: np.ndarray
    end: int
    starts: np.ndarray
    priors: np.ndarray
    aside: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    damage: tuple[str, ...] = ()
    colored: bool = False
    hints: dict[int, list[tuple[int, np.ndarray]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rate(self, film: Film) -> Fraction | None:
        """Frames in a second; None where they are shown for different times."""
        return constant_rate(self.pts, film.time_base, film.rate)

    def seconds(self, film: Film) -> list[float]:
        """When the shots begin, from the first frame on."""
        return ((self.pts[self.starts] - self.pts[0]) * float(film.time_base)).tolist()

    def hints_begin(self, index: int) -> bool:
        """Whether something is said of a frame that is not said of the one before, of one shot."""
        here, before = ({i for i, _ in self.hints.get(number, ())} for number in (index, index - 1))
        return bool(here - before) and index not in self.starts

    def prior(self, index: int) -> np.ndarray | None:
        """Of the shot that a frame belongs to."""
        shot = int(np.searchsorted(self.starts, index, "right")) - 1
        return self.priors[shot] if self.priors.shape[1] else None

    def save(self, path: Path) -> None:
        """Write it whole, or not at all."""
        work = path.with_suffix(".tmp")
        with work.open("wb") as file:
            np.savez(
                file,
                pts=self.pts,
                end=self.end,
                starts=self.starts,
                priors=self.priors,
                aside=self.aside,
                damage=np.array(self.damage, dtype=np.str_),
                colored=self.colored,
                hints=json.dumps(
                    {
                        index: [(i, places.tolist()) for i, places in found]
                        for index, found in self.hints.items()
                    }
                ),
                notes=np.array(self.notes, dtype=np.str_),
            )
        work.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Plan":
        """Read what `save` wrote."""
        with np.load(path) as held:
            hints = {
                int(index): [(i, np.array(places)) for i, places in found]
                for index, found in json.loads(str(held["hints"])).items()
            }
            damage, notes = (tuple(map(str, held[name])) for name in ("damage", "notes"))
            arrays = held["pts"], int(held["end"]), held["starts"], held["priors"], held["aside"]
            return cls(*arrays, damage, bool(held["colored"]), hints, notes)


def look_through(
    film: Film, frames: Iterable[FilmFrame], painter: Painter, tracker: Tracker, palettes: bool
) -> Plan:
    """Read a film once: find its cuts, from some frames of each shot its palette, follow hints.

    Args:
        film: what is read.
        frames: all of them.
        painter: of the film.
        tracker: follows the hints.
        palettes: whether shots get palettes, where the model can.
    """
    typical = painter.model.typical() if palettes else None
    tick = float(film.time_base)
    pts: list[int] = []
    starts: list[int] = []
    priors: list[np.ndarray] = []
    shot = _Samples()
    aside: list[int] = []
    chroma, length = 0.0, 0

    def close() -> None:
        if typical is not None and shot.kept:
            priors.append(_palette([painter.answer(grid) for grid in shot.kept], typical))

    looked = ((frame, painter.lightness(frame)[1]) for frame in frames)
    for frame, grid, place in _places(looked):
        if place == "cut":
            close()
            shot = _Samples()
            starts.append(frame.index)
        if place == "aside":
            aside.append(frame.index)
        else:
            shot.add(grid)
        chroma, length = max(chroma, frame.chroma), frame.duration
        pts.append(frame.pts)
        if place != "aside":
            time = (frame.pts - pts[0]) * tick
            tracker.add(frame.index, time, painter.upright(grid), place == "cut")
    close()
    if not pts:
        raise ColorizerError(f"{film} has no frame that can be decoded")
    return Plan(
        np.array(pts, np.int64),
        pts[-1] + (length or max(1, round(1 / (film.rate * film.time_base)))),
        np.array(starts, np.int64),
        np.array(priors, np.float32) if priors else np.zeros((len(starts), 0), np.float32),
        np.array(aside, np.int64),
        colored=chroma > FRAME_CHROMA,
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


class _Samples:
    """Some frames of a shot of unknown length, evenly spread: half are dropped when it is full."""

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []
        self._every = 1
        self._seen = 0

    def add(self, grid: np.ndarray) -> None:
        if self._seen % self._every == 0:
            if len(self.kept) == SAMPLES:
                self.kept = self.kept[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self.kept.append(grid)
        self._seen += 1


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
