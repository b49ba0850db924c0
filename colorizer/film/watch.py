"""What is looked at: frames without their flicker and grain, and how each came out of the last.

The film itself keeps both; only the network and the flow are spared them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from colorizer.film import flow, unfinished
from colorizer.film.findings import Findings
from colorizer.film.painter import Painter
from colorizer.film.references import Carried
from colorizer.film.source import FilmFrame
from colorizer.film.steady import Motion, Recalled, motion_between

__all__ = ["View", "Watch"]

CALM = 0.75
"""Share of lightness that comes from the frame before, where grain is strong."""

KNOWN = 0.85  # mean trust, since the network looked, from which on a frame has nothing new
NEW = 0.02  # share of places without trust, up to which it has nothing new
DOUBT = 0.3  # trust below which a place is new
SKIPPED = 2
"""Frames in a row, at most, at which the network does not look."""


@dataclass(frozen=True)
class View:
    """A frame before the network looks.

    Attributes:
        frame: itself.
        L: (H, W), its lightness.
        grid: (h, w), the same on the grid.
        calm: (h, w), the same without flicker and grain.
        motion: from the frame before it; None if nothing is carried into it.
        known: whether there is nothing new in it, so that the network need not look.
        told: what references tell of it.
        carried: what earlier ones do, to be carried on.
    """

    frame: FilmFrame
    L: np.ndarray
    grid: np.ndarray
    calm: np.ndarray
    motion: Motion | None = None
    known: bool = False
    told: Recalled | None = None
    carried: Recalled | None = None

    @property
    def is_held(self) -> bool:
        """Whether its own colors go through."""
        return self.frame.held is not None


class Watch:
    """Looks at frames in order, ahead of the network.

    Args:
        painter: of the film.
        findings: of its shots.
        carried: whether colors are carried at all.
        before: (h, w), the last frame of a run that was stopped, as it was looked at.
        references: colored frames, if there are any.
        told: what they tell of the last frame.
    """

    def __init__(
        self,
        painter: Painter,
        findings: Findings,
        carried: bool = True,
        before: np.ndarray | None = None,
        references: Carried | None = None,
        told: Recalled | None = None,
    ) -> None:
        self._painter, self._findings, self._carried = painter, findings, carried
        self._before = before
        self._seen: np.ndarray | None = None  # (h, w), 0..1: what the network has looked at
        self._skipped = 0
        self._references, self._told = references, told
        self._starts, self._aside = set(findings.starts.tolist()), set(findings.aside.tolist())

    def __call__(self, frames: Iterable[FilmFrame]) -> Iterator[View]:
        """What is looked at of each frame."""
        return map(self.look, frames)

    def look(self, frame: FilmFrame) -> View:
        """What is looked at of the next frame."""
        index, findings = frame.index, self._findings
        if frame.held is not None:
            self._before = self._told = None
            empty = np.zeros((0, 0), np.float32)
            return View(frame, empty, empty, empty)
        L, grid = self._painter.lightness(frame)
        calm = findings.leveled(index, grid)
        motion, known = None, False
        wanted = self._carried or self._references is not None
        if wanted and self._before is not None and index not in self._starts:
            grain = findings.grain_at(index)
            motion = motion_between(calm, self._before, grain)
            share = CALM * findings.graininess(index) * motion.trust
            if findings.graininess(index):
                calm = calm + share * (flow.carry(self._before, motion.way) - calm)
        if motion is None or index % unfinished.SEGMENT == 0:  # where a run may go on
            self._seen, self._skipped = None, 0
        elif self._carried and index not in self._aside:
            known = self._is_known(index, motion)
        if index not in self._aside:
            self._before = calm
        if self._references is None:
            return View(frame, L, grid, calm, motion, known)
        told, carried = self._references.at(index, self._told, motion)
        if index not in self._aside:
            self._told = carried
        return View(frame, L, grid, calm, motion, known, told, carried)

    def _is_known(self, index: int, motion: Motion) -> bool:
        """Whether there is nothing in a frame that the network has not looked at lately."""
        trust, findings = motion.trust, self._findings
        if self._seen is not None:
            trust = trust * flow.carry(self._seen, motion.way)
        known = bool(
            self._skipped < SKIPPED
            and not findings.fading(index)[0]
            and not findings.hints_begin(index)
            and trust.mean() > KNOWN
            and (trust < DOUBT).mean() < NEW
        )
        self._seen = trust if known else None
        self._skipped = self._skipped + 1 if known else 0
        return known
