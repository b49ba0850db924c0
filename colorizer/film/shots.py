"""The first reading of a film: its times, its shots, and the palette of each."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from colorizer.color import gamut
from colorizer.color.has_color import FRAME_CHROMA
from colorizer.film import flow
from colorizer.film.hints import Tracker
from colorizer.film.painter import Painter
from colorizer.film.source import Frame

__all__ = ["Plan", "look_through"]

SAMPLES = 8
"""Frames of a shot, at most, whose colors make its palette; evenly spread."""

BLUR = 10.0  # Lab units, of a palette
EVEN = 0.3  # share of the even distribution in both palettes that are compared
FORCE = 0.5  # power of their ratio
BALANCE = 0.5, 2.0  # bounds of the factor that keeps the chroma
GRAY = 12.0  # Lab units of chroma, up to which a color counts as gray


@dataclass(frozen=True)
class Plan:
    """What the first reading found.

    Attributes:
        pts: (N,) int64, the presentation time of each frame, in ticks of the film.
        starts: (S,) int64, the first frame of each shot; the first is 0.
        priors: (S, Q) float32, a factor on each color bin, for each shot; (S, 0) for none.
        damage: a sentence for each place that could not be read.
        colored: whether the film has colors of its own.
        hints: number of a frame -> index and places of what is said there.
        notes: sentences on the hints.
    """

    pts: np.ndarray
    starts: np.ndarray
    priors: np.ndarray
    damage: tuple[str, ...] = ()
    colored: bool = False
    hints: dict[int, list[tuple[int, np.ndarray]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
                starts=self.starts,
                priors=self.priors,
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
        with np.load(path) as held:
            hints = {
                int(index): [(i, np.array(places)) for i, places in found]
                for index, found in json.loads(str(held["hints"])).items()
            }
            damage, notes = (tuple(map(str, held[name])) for name in ("damage", "notes"))
            arrays = held["pts"], held["starts"], held["priors"]
            return cls(*arrays, damage, bool(held["colored"]), hints, notes)


def look_through(
    frames: Iterable[Frame],
    painter: Painter,
    typical: np.ndarray | None,
    base: np.ndarray | None,
    damage: list[str],
    tracker: Tracker,
    tick: float,
) -> Plan:
    """Read a film once: find its cuts, from some frames of each shot its palette, follow hints.

    Args:
        frames: all of them.
        painter: of the film.
        typical: (Q,), shares of the color bins in the training photos; None: no palettes.
        base: (Q,), a factor on each bin that counts in all shots, or None.
        damage: what `frames` could not decode, filled while they are read.
        tracker: follows the hints.
        tick: seconds in a step of the presentation times.
    """
    pts: list[int] = []
    starts: list[int] = []
    priors: list[np.ndarray] = []
    shot = _Samples()
    last: np.ndarray | None = None
    chroma = 0.0

    def close() -> None:
        if typical is not None and shot.kept:
            answers = [painter.answer(grid, base) for grid in shot.kept]
            priors.append(_palette(answers, typical, base))

    for frame in frames:
        grid = painter.lightness(frame)[1]
        cut = last is None or flow.is_cut(grid, last)
        if cut:
            close()
            shot = _Samples()
            starts.append(frame.index)
        shot.add(grid)
        chroma = max(chroma, frame.chroma)
        pts.append(frame.pts)
        tracker.add(frame.index, (frame.pts - pts[0]) * tick, painter.upright(grid), cut)
        last = grid
    close()
    return Plan(
        np.array(pts, np.int64),
        np.array(starts, np.int64),
        np.array(priors, np.float32) if priors else np.zeros((len(starts), 0), np.float32),
        tuple(damage),
        chroma > FRAME_CHROMA,
        tracker.found,
        tuple(tracker.lost()),
    )


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


def _palette(answers: list[np.ndarray], typical: np.ndarray, base: np.ndarray | None) -> np.ndarray:
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
    return lean if base is None else lean * base
