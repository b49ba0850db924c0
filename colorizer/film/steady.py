"""Colors that stay with what they belong to: chroma carried along the flow of a shot."""

from dataclasses import dataclass

import numpy as np

from colorizer.film import flow

__all__ = ["HOLD", "Steady"]

HOLD = 0.92
"""Share of a color that comes from the frame before, where that can be trusted fully.

The rest is the network's answer for this frame, which pulls back what has drifted: half of a
mistake is gone after eight frames."""


@dataclass
class Steady:
    """The memory of a shot: its last frame, in lightness and in color.

    Attributes:
        hold: see `HOLD`; 0 colors each frame alone.
        L: (H, W) float32, of the last frame; None at the start of a shot.
        ab: (H, W, 2) float32, its colors.
    """

    hold: float = HOLD
    L: np.ndarray | None = None
    ab: np.ndarray | None = None

    def step(
        self,
        L: np.ndarray,
        ab: np.ndarray,
        cut: bool = False,
        jump: np.ndarray | None = None,
        aside: bool = False,
    ) -> np.ndarray:
        """The colors of the next frame.

        Args:
            L: (H, W) float32, 0..100, always of one size.
            ab: (H, W, 2), Lab units: the network's answer for this frame.
            cut: whether this frame begins a shot, so that nothing is carried into it.
            jump: (H, W, 2), by how much what is carried changes here at once, as hints want it.
            aside: whether the shot goes on behind this frame as if it had not been there.

        Returns:
            (H, W, 2) float32.
        """
        ab = np.asarray(ab, np.float32)
        if not cut and self.hold and self.L is not None and self.ab is not None:
            way = flow.find(L, self.L)
            trust = flow.agreement(L, self.L, way, flow.find(self.L, L))
            share = (self.hold * trust)[..., None]
            carried = flow.carry(self.ab, way)
            ab = ab + share * ((carried if jump is None else carried + jump) - ab)
        if not aside:
            self.L, self.ab = L, ab
        return ab
