"""How steady the colors of a film are, in two numbers that need no judge.

Both look at the chroma only: brightness is the film's own, and would count its own flicker.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from colorizer.film import flow

__all__ = ["ColorConsistency", "Meter", "WarpError", "Way", "consistency_between", "way_between"]

STEPS = (1, 2, 4)
"""Frames between those that color consistency compares."""

_EDGES = np.arange(-110, 111, 2.0)  # Lab units, of the histograms


Way = tuple[np.ndarray, np.ndarray]
"""Flow, (H, W, 2), and which places are visible in both frames, (H, W)."""


def way_between(now: np.ndarray, before: np.ndarray) -> Way:
    """How one frame came out of another: (H, W) lightness both."""
    way = flow.find(now, before, "medium")
    return way, _visible(way, flow.find(before, now, "medium"))


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

    def update(
        self, L: np.ndarray, ab: np.ndarray, cut: bool = False, way: Way | None = None
    ) -> float | None:
        """Add the next frame; what it adds, or None for the first of a shot.

        Args:
            L: (H, W) lightness of the film, 0..100.
            ab: (H, W, 2) colors, Lab units.
            cut: whether a shot begins.
            way: of `way_between` this lightness and the last, where it is known.
        """
        ab = np.asarray(ab, np.float32)
        last, self._last = self._last, (L, ab)
        if last is None or cut:
            return None
        flowed, seen = way_between(L, last[0]) if way is None else way
        if not seen.any():
            return None
        apart = np.linalg.norm(ab - flow.carry(last[1], flowed), axis=-1)
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


class Meter:
    """The steadiness of what is colored, where a report asks for it.

    Args:
        wanted: whether one does.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._warp, self._consistency = WarpError(), ColorConsistency()
        self._chroma, self._frames, self._missed = 0.0, 0, 0

    def add(self, L: np.ndarray, ab: np.ndarray, cut: bool) -> None:
        """Look at the colors of the next frame: (H, W) and (H, W, 2), Lab units."""
        if self._wanted:
            self._warp.update(L, ab, cut)
            self._consistency.update(ab, cut)
            self._chroma += float(np.linalg.norm(ab, axis=-1).mean())
            self._frames += 1

    def state(self) -> dict[str, np.ndarray]:
        """What `resume` needs, beside the last frame; empty if nothing is wanted."""
        if not self._wanted:
            return {}
        consistency = self._consistency
        past = [np.stack(shares) for shares in consistency._past]
        return {
            "meter": np.array(
                [self._warp.total, self._warp.frames, self._chroma, self._frames, self._missed]
            ),
            "consistency": np.stack([consistency.totals, consistency.counts]),
            "past": np.stack(past) if past else np.zeros((0, 2, len(_EDGES) - 1)),
        }

    def resume(self, state: dict[str, np.ndarray], done: int) -> None:
        """Go on after frames that an earlier run has colored.

        Args:
            state: of that run, with its last frame as `L` and `ab`.
            done: how many frames they are.
        """
        if "meter" not in state:  # it wrote no report
            self._missed = done
            return
        warp, consistency = self._warp, self._consistency
        warp.total, frames, self._chroma, count, missed = state["meter"].tolist()
        warp.frames, self._frames, self._missed = int(frames), int(count), int(missed)
        if "L" in state:
            warp._last = state["L"], state["ab"]
        consistency.totals, consistency.counts = state["consistency"]
        consistency._past.extend(list(shares) for shares in state["past"])

    def numbers(self) -> dict[str, float | int | None]:
        """By name; None for what needs more frames. Empty if nothing was wanted.

        `frames` is how many were measured: fewer than the film has, where an earlier run without
        a report has colored some.
        """
        if not self._frames:
            return {}
        values = {
            "warp_error": self._warp.value,
            "color_consistency": self._consistency.value,
            "chroma": self._chroma / self._frames,
        }
        found = {name: None if np.isnan(value) else value for name, value in values.items()}
        return found | {"frames": self._frames}


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
