"""Colors that stay with what they belong to: chroma carried along the flow of a shot."""

from dataclasses import dataclass

import numpy as np

from colorizer.film import flow

__all__ = ["HOLD", "Motion", "Recalled", "Steady", "motion_between"]

HOLD = 0.92
"""Share of a color that comes from the frame before, where that can be trusted fully.

The rest is the network's answer for this frame, which pulls back what has drifted: half of a
mistake is gone after eight frames."""


SURE = 0.5  # trust in the flow, from which on nothing that a reference tells is lost
FADES = 0.998  # factor on its weight with each frame


@dataclass(frozen=True)
class Motion:
    """Where the places of a frame were in the frame before.

    Attributes:
        way: (H, W, 2), as `flow.find` has it.
        trust: (H, W), 0..1.
    """

    way: np.ndarray
    trust: np.ndarray


@dataclass(frozen=True)
class Recalled:
    """Colors that references tell of a frame.

    Attributes:
        ab: (h, w, 2), Lab units, on the grid of the film.
        weight: (h, w), 0..1: how far they hold there.
    """

    ab: np.ndarray
    weight: np.ndarray

    def moved(self, motion: Motion) -> "Recalled":
        """The same in the next frame, without what is lost on the way."""
        sure = FADES * np.minimum(motion.trust / SURE, 1)
        return Recalled(flow.carry(self.ab, motion.way), flow.carry(self.weight, motion.way) * sure)


def motion_between(now: np.ndarray, before: np.ndarray, grain: float = 0.0) -> Motion:
    """How a frame came out of the one before: (H, W) lightness both, `grain` as of `agreement`."""
    way, back = flow.find(now, before), flow.find(before, now)
    return Motion(way, flow.agreement(now, before, way, back, grain))


@dataclass
class Steady:
    """The memory of a shot: its last frame, in lightness and in color.

    Attributes:
        hold: see `HOLD`; 0 colors each frame alone.
        L: (H, W) float32, of the last frame, as it was looked at; None at the start of a shot.
        ab: (H, W, 2) float32, its colors.
        owed: frames before this one that no network has looked at.
        told: what references tell of the last frame, to be carried on.
    """

    hold: float = HOLD
    L: np.ndarray | None = None
    ab: np.ndarray | None = None
    owed: int = 0
    told: Recalled | None = None

    def step(
        self,
        L: np.ndarray,
        ab: np.ndarray | None,
        motion: Motion | None = None,
        jump: np.ndarray | None = None,
        aside: bool = False,
        hold: float | None = None,
        told: Recalled | None = None,
    ) -> np.ndarray:
        """The colors of the next frame.

        Args:
            L: (H, W) float32, 0..100, always of one size.
            ab: (H, W, 2), Lab units: the network's answer for this frame; None if it was not asked.
            motion: from the frame before; None where this one begins a shot, so that nothing is
                carried into it.
            jump: (H, W, 2), by how much what is carried changes here at once, as hints want it.
            aside: whether the shot goes on behind this frame as if it had not been there.
            hold: of this frame; None is as always.
            told: what references tell of it.

        Returns:
            (H, W, 2) float32.
        """
        hold = self.hold if hold is None else hold
        if motion is None:
            self.owed = 0
        if motion is not None and self.ab is not None and hold:
            carried = flow.carry(self.ab, motion.way)
            if jump is not None:
                carried += jump
            if ab is None:
                ab = carried
                self.owed += 1
            else:
                share = (hold ** (1 + self.owed) * motion.trust)[..., None]
                ab = ab + share * (carried - ab)
                self.owed = 0
        assert ab is not None, "a frame that begins a shot is looked at"
        ab = np.asarray(ab, np.float32)
        if told is not None:
            ab = ab + told.weight[..., None] * (told.ab - ab)
        if not aside:
            self.L, self.ab = L, ab
        return ab
