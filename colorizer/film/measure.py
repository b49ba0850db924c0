"""How steady the colors of a film are, in two numbers that need no judge.

Both look at the chroma only: brightness is the film's own, and would count its own flicker.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from colorizer.film import flow

__all__ = ["ColorConsistency", "WarpError", "consistency_between"]

STEPS = (1, 2, 4)
"""Frames between those that color consistency compares."""

_EDGES = np.arange(-110, 111, 2.0)  # Lab units, of the histograms


@dataclass
class WarpError:
    """How much the color of a thing changes from one frame to the next, in Lab units.

    The mean, over frames and over pixels that are visible in both, of the distance in ab between
    a frame and the one before, which is carried along the flow of the *lightness*. 0 is steady;
    the same colors in gray are 0 too, so read it beside the chroma.

    After Lai et al., "Learning Blind Video Temporal Consistency" (2018), whose error is that of
    RGB squared; pixels count as visible by the rule of Ruder et al., "Artistic Style Transfer for
    Videos" (2016): the way and the way back cancel, and no edge of motion is near.
    """

    total: float = 0.0
    frames: int = 0
    _last: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)

    def update(self, L: np.ndarray, ab: np.ndarray, cut: bool = False) -> float | None:
        """Add the next frame; what it adds, or None for the first of a shot.

        Args:
            L: (H, W) lightness of the film, 0..100.
            ab: (H, W, 2) colors, Lab units.
            cut: whether a shot begins.
        """
        ab = np.asarray(ab, np.float32)
        last, self._last = self._last, (L, ab)
        if last is None or cut:
            return None
        way, back = flow.find(L, last[0], "medium"), flow.find(last[0], L, "medium")
        seen = _visible(way, back)
        if not seen.any():
            return None
        apart = np.linalg.norm(ab - flow.carry(last[1], way), axis=-1)
        value = float(apart[seen].mean())
        self.total += value
        self.frames += 1
        return value

    @property
    def value(self) -> float:
        """The mean over all frames; not a number without two frames of a shot."""
        return self.total / self.frames if self.frames else float("nan")


@dataclass
class ColorConsistency:
    """How much the distribution of colors changes over 1, 2 and 4 frames of a shot.

    The mean of the Jensen-Shannon divergences (in nats) between the histograms of a, and of b, in
    steps of 2 Lab units. A film's own is not 0, because things move in and out: it is the floor.

    After Liu et al., "Temporally Consistent Video Colorization with Deep Feature Propagation and
    Self-Regularization Learning" (2021), whose CDC takes R, G and B.
    """

    totals: np.ndarray = field(default_factory=lambda: np.zeros(len(STEPS)))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(len(STEPS)))
    _past: deque = field(default_factory=lambda: deque(maxlen=max(STEPS)), repr=False)

    def update(self, ab: np.ndarray, cut: bool = False) -> None:
        """Add the next frame: (H, W, 2), Lab units."""
        if cut:
            self._past.clear()
        shares = [_shares(ab[..., channel]) for channel in (0, 1)]
        for i, step in enumerate(STEPS):
            if len(self._past) >= step:
                pairs = zip(shares, self._past[-step], strict=True)
                self.totals[i] += np.mean([consistency_between(p, q) for p, q in pairs])
                self.counts[i] += 1
        self._past.append(shares)

    @property
    def value(self) -> float:
        """The mean over the steps of the means over frames; not a number without a pair."""
        known = self.counts > 0
        means = self.totals[known] / self.counts[known]
        return float(means.mean()) if known.any() else float("nan")


def consistency_between(p: np.ndarray, q: np.ndarray) -> float:
    """The Jensen-Shannon divergence of two distributions, in nats: 0 to ln 2."""
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(r > 0, r * np.log(r / middle), 0).sum() for r in (p, q)]
    return float(sum(terms) / 2)


def _shares(channel: np.ndarray) -> np.ndarray:
    counts = np.histogram(channel.clip(-109.9, 109.9), _EDGES)[0]
    return counts / counts.sum()


def _visible(way: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Ruder's rule, and within the picture: (H, W) bool."""
    height, width = way.shape[:2]
    returned = flow.carry(back, way)
    lengths = (way**2).sum(-1) + (returned**2).sum(-1)
    cancel = ((way + returned) ** 2).sum(-1) < 0.01 * lengths + 0.5
    edges = sum(np.gradient(way[..., i], axis=j) ** 2 for i in (0, 1) for j in (0, 1))
    still = edges < 0.01 * (way**2).sum(-1) + 0.002
    x = way[..., 0] + np.arange(width)
    y = way[..., 1] + np.arange(height)[:, None]
    return cancel & still & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
