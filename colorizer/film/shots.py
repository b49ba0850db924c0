"""The first reading of a film: its times, its shots, and the palette of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from colorizer.color import gamut
from colorizer.film import flow
from colorizer.film.painter import Painter
from colorizer.film.source import Frame

__all__ = ["Plan", "look_through"]

SAMPLES = 8
"""Frames of a shot, at most, whose colors make its palette; evenly spread."""


@dataclass(frozen=True)
class Plan:
    """What the first reading found.

    Attributes:
        pts: (N,) int64, the presentation time of each frame, in ticks of the film.
        starts: (S,) int64, the first frame of each shot; the first is 0.
        priors: (S, Q) float32, a factor on each color bin, for each shot; (S, 0) for none.
        damage: a sentence for each place that could not be read.
    """

    pts: np.ndarray
    starts: np.ndarray
    priors: np.ndarray
    damage: tuple[str, ...] = ()

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
            )
        work.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Plan":
        with np.load(path) as held:
            damage = tuple(str(line) for line in held["damage"])
            return cls(held["pts"], held["starts"], held["priors"], damage)


def look_through(
    frames: Iterable[Frame],
    painter: Painter,
    typical: np.ndarray | None,
    base: np.ndarray | None,
    damage: list[str],
) -> Plan:
    """Read a film once: find its cuts, and from some frames of each shot the shot's palette.

    Args:
        frames: all of them.
        painter: of the film.
        typical: (Q,), shares of the color bins in the training photos; None: no palettes.
        base: (Q,), a factor on each bin that counts in all shots, or None.
        damage: what `frames` could not decode, filled while they are read.
    """
    pts: list[int] = []
    starts: list[int] = []
    priors: list[np.ndarray] = []
    shot = _Samples()
    last: np.ndarray | None = None

    def close() -> None:
        if typical is not None and shot.kept:
            answers = [painter.answer(grid, base) for grid in shot.kept]
            priors.append(_palette(answers, typical, base))

    for frame in frames:
        grid = painter.lightness(frame)[1]
        if last is None or flow.is_cut(grid, last):
            close()
            shot = _Samples()
            starts.append(frame.index)
        shot.add(grid)
        pts.append(frame.pts)
        last = grid
    close()
    return Plan(
        np.array(pts, np.int64),
        np.array(starts, np.int64),
        np.array(priors, np.float32) if priors else np.zeros((len(starts), 0), np.float32),
        tuple(damage),
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
    from colorizer.inference.priors import prior_of_colors

    ab = np.concatenate([answer.reshape(-1, 2) for answer in answers])
    prior = prior_of_colors(gamut.histogram(ab), typical)
    return prior if base is None else prior * base
