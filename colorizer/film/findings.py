"""What the first reading of a film has found, and the second one works by."""

import json
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.film.painter import Prior
from colorizer.film.rates import constant_rate
from colorizer.film.source import Film

__all__ = ["Findings"]

_NONE = np.zeros(0, np.int64)


GRAINY = 1.5, 3.0
"""Standard deviation of grain, in lightness, that counts as such, and from which on as strong."""

FLICKER = 0.2, 0.5
"""Median change of mean lightness against the frames around that counts as flicker; as strong."""

MOST = 3.0  # factor on the spread of a frame's lightness, or one by it, that evening may take
AROUND = 4  # frames, standard deviation of the window over which brightness is evened


@dataclass(frozen=True)
class Findings:
    """What the first reading found.

    Attributes:
        pts: (N,) int64, the presentation time of each frame, in ticks of the film.
        end: when the last frame is no longer shown, in ticks.
        starts: (S,) int64, the first frame of each shot; the first is 0.
        priors: (S, Q) float32, a factor on each color bin, for each shot; (S, 0) for none.
        gains: (S,) float32, a factor on the chroma of what is seen by each: 0 for titles, which
            stay gray.
        fades: (S,) int64, frames over which a shot comes in, around its start; 0 for a cut.
        kept: (S,) bool, shots whose own colors go through.
        levels: (N, 2) float32, mean and spread of each frame's lightness; (0, 2) for unknown.
        grain: (S,) float32, of each shot, the standard deviation of its grain in lightness.
        aside: (A,) int64, frames that do not belong to their shot: a flash, a lost frame.
        damage: a sentence for each place that could not be read.
        colored: whether the film has colors of its own, in a shot that is not kept.
        hints: number of a frame -> index and places of what is said there.
        notes: sentences on the hints.
    """

    pts: np.ndarray
    end: int
    starts: np.ndarray
    priors: np.ndarray
    gains: np.ndarray
    fades: np.ndarray = field(default_factory=_NONE.copy)
    kept: np.ndarray = field(default_factory=_NONE.copy)
    levels: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    grain: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    aside: np.ndarray = field(default_factory=_NONE.copy)
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

    def shot(self, index: int) -> int:
        """The number of the shot, from 0 on, that a frame belongs to."""
        return int(np.searchsorted(self.starts, index, "right")) - 1

    def is_kept(self, index: int) -> bool:
        """Whether the own colors of a frame go through."""
        return bool(self.kept.size and self.kept[self.shot(index)])

    def prior(self, index: int) -> Prior | None:
        """Of the shot that a frame belongs to; within a dissolve, between those of both."""
        share, other = self.fading(index)
        shot = self.shot(index)
        gain = float((1 - share) * self.gains[shot] + share * self.gains[other])
        if not self.priors.shape[1]:
            return None if gain == 1 else Prior(None, gain)
        return Prior(self.priors[shot] ** (1 - share) * self.priors[other] ** share, gain)

    def fading(self, index: int) -> tuple[float, int]:
        """How much of another shot is seen in a frame, 0..0.5, and which shot that is."""
        shot = self.shot(index)
        for number, other in ((shot, shot - 1), (shot + 1, shot)):
            if number < len(self.fades) and self.fades[number]:
                half = self.fades[number] / 2
                away = abs(index + 0.5 - self.starts[number])
                if away < half:
                    return 0.5 - away / (2 * half), other if number == shot else number
        return 0.0, shot

    @cached_property
    def _steps(self) -> np.ndarray:
        """Factor and summand that take the flicker out of each frame: (N, 2)."""
        found = np.tile(np.array([1, 0], np.float32), (len(self.pts), 1))
        if not len(self.levels):
            return found
        for first, last in pairwise([*self.starts.tolist(), len(self.pts)]):
            own = np.setdiff1d(np.arange(first, last), self.aside)
            found[own] = _leveling(self.levels[own])
        if self.aside.size:  # a flash: as bright as the frame that it interrupts
            own = np.setdiff1d(np.arange(len(self.pts)), self.aside)
            before = own[np.searchsorted(own, self.aside) - 1]
            wanted = self.levels[before] * found[before, :1]
            wanted[:, 0] += found[before, 1]
            found[self.aside] = _toward(self.levels[self.aside], wanted)
        return found

    def leveled(self, index: int, grid: np.ndarray) -> np.ndarray:
        """The lightness of a frame, (H, W), as bright as those around it."""
        factor, summand = self._steps[index]
        if factor == 1 and summand == 0:
            return grid
        return (grid * factor + summand).clip(0, 100)

    def grain_at(self, index: int) -> float:
        """Standard deviation of the grain in a frame, in lightness."""
        return float(self.grain[self.shot(index)]) if self.grain.size else 0.0

    def graininess(self, index: int) -> float:
        """How strong the grain of a frame is: 0 for what is left alone, up to 1."""
        low, high = GRAINY
        return min(1.0, max(0.0, (self.grain_at(index) - low) / (high - low)))

    def save(self, path: Path) -> None:
        """Write it whole, or not at all."""
        work = path.with_suffix(".tmp")
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        hints = {
            n: [(i, places.tolist()) for i, places in found] for n, found in held["hints"].items()
        }
        texts = {name: np.array(held[name], dtype=np.str_) for name in ("damage", "notes")}
        with work.open("wb") as file:
            np.savez(file, **(held | texts | {"hints": json.dumps(hints)}))  # ty: ignore[invalid-argument-type]
        work.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Findings":
        """Read what `save` wrote."""
        with np.load(path) as found:
            held: dict[str, Any] = dict(found)
        hints = json.loads(str(held["hints"])).items()
        told: dict[str, Any] = {
            "end": int(held["end"]),
            "colored": bool(held["colored"]),
            "damage": tuple(map(str, held["damage"])),
            "notes": tuple(map(str, held["notes"])),
            "hints": {int(n): [(i, np.array(at)) for i, at in found] for n, found in hints},
        }
        return cls(**{**held, **told})


def _leveling(levels: np.ndarray) -> np.ndarray:
    """Factor and summand that bring frames of one shot to the level of those around: (N, 2).

    Slow changes stay: a fade, a lamp that is lit. Where nothing flickers, neither does this.
    """
    count = len(levels)
    none = np.tile(np.array([1, 0], np.float32), (count, 1))
    if count < 3:
        return none
    mean = levels[:, 0]
    strength = np.median(np.abs(mean[1:-1] - (mean[:-2] + mean[2:]) / 2))
    low, high = FLICKER
    share = min(1.0, max(0.0, (float(strength) - low) / (high - low)))
    if not share:
        return none
    reach = min(3 * AROUND, count - 1)
    window = np.exp(-(np.arange(-reach, reach + 1.0) ** 2) / (2 * AROUND**2))
    around = np.stack(
        [
            np.convolve(np.pad(levels[:, i], reach, mode="reflect"), window / window.sum(), "valid")
            for i in (0, 1)
        ],
        1,
    )
    return _toward(levels, levels + share * (around - levels))


def _toward(levels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Factor and summand that bring means and spreads, (N, 2), to others: (N, 2)."""
    factor = (wanted[:, 1] / np.maximum(levels[:, 1], 1)).clip(1 / MOST, MOST)
    return np.stack([factor, wanted[:, 0] - factor * levels[:, 0]], 1).astype(np.float32)
