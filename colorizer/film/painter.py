"""The network's answer for a frame, on the grid at which colors are carried."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from colorizer.film.coding import lightness_at
from colorizer.film.extra import require_cv2
from colorizer.film.source import Film, Frame
from colorizer.inference.compose import fit_chroma
from colorizer.inference.hints import Hints
from colorizer.inference.network import pad, working_size
from colorizer.inference.predict import over_picture, predict_chroma
from colorizer.inference.propagate import follow

__all__ = ["GRID", "Painter", "Seen"]

GRID = 192
"""The least short side at which colors are carried, in pixels: flow sees little below."""

Predict = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class Seen:
    """A frame with what is seen in it.

    Attributes:
        frame: itself.
        L: (H, W), its lightness.
        grid: (h, w), the same on the grid.
        ab: (h, w, 2), the network's answer there, as hints change it.
        jump: (h, w, 2), by how much they do, where some of them begin in the middle of a shot.
    """

    frame: Frame
    L: np.ndarray
    grid: np.ndarray
    ab: np.ndarray
    jump: np.ndarray | None = None


class Painter:
    """Looks at the frames of one film.

    Args:
        film: whose frames are looked at.
        predict: from a padded lightness, and a factor on each color bin or None, to ab (2, h, w).
        size: short side at which the network sees a frame.
        vividness: factor on what it says.
        features: from a padded lightness to what hints need, (C, h, w); None: there are no hints.

    Attributes:
        grid: (width, height) at which colors are carried, in the proportions of the upright
            picture, but turned as the coded frames are.
    """

    def __init__(
        self,
        film: Film,
        predict: Predict,
        size: int,
        vividness: float = 1.0,
        features: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        width, height = film.upright
        short = min(max(size, GRID), round(min(width, height)))
        self._coding = film.coding
        self._predict, self._features, self._vividness = predict, features, vividness
        self._turns = film.rotation // 90
        self._working = working_size(round(width), round(height), size)
        grid = working_size(round(width), round(height), short)
        self.grid = grid if self._turns % 2 == 0 else grid[::-1]

    def see(
        self,
        frame: Frame,
        prior: np.ndarray | None = None,
        hints: Hints | None = None,
        begins: bool = False,
    ) -> Seen:
        """Look at a frame; safe in several threads.

        Args:
            frame: of the film.
            prior: a factor on each color bin, or None.
            hints: what is said of it.
            begins: whether some of them begin here, in the middle of a shot.
        """
        L, grid = self.lightness(frame)
        ab = self.answer(grid, prior, hints)
        jump = ab - self.answer(grid, prior) if begins else None
        return Seen(frame, L, grid, ab, jump)

    def lightness(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """L of a frame: at full size, and on the grid."""
        L = lightness_at(frame.luma, self._coding)
        return L, require_cv2().resize(L, self.grid, interpolation=require_cv2().INTER_AREA)

    def upright(self, grid: np.ndarray) -> np.ndarray:
        """What lies on the grid, turned as a viewer sees it."""
        return np.rot90(grid, self._turns)

    def answer(
        self, grid: np.ndarray, prior: np.ndarray | None = None, hints: Hints | None = None
    ) -> np.ndarray:
        """The network's colors for a lightness on the grid: (h, w, 2) float32."""
        cv2 = require_cv2()
        upright = self.upright(grid)
        size = upright.shape[1], upright.shape[0]
        smaller = self._working[0] < size[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        seen = cv2.resize(upright, self._working, interpolation=how)
        slope, offset = predict_chroma(seen, lambda padded: self._predict(padded, prior))
        slope, offset = slope * self._vividness, offset * self._vividness
        if hints and self._features:
            features = over_picture(self._features(pad(seen)), seen)
            slope, offset = follow(seen, slope, offset, features, hints)
        both = np.concatenate([slope, offset], -1).astype(np.float32)
        both = cv2.resize(both, size, interpolation=cv2.INTER_LINEAR)
        ab = both[..., :2] * upright[..., None] + both[..., 2:]
        return np.ascontiguousarray(np.rot90(ab, -self._turns))

    @staticmethod
    def fit(grid: np.ndarray, ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colors of the grid as `slope * L + offset`, to be carried up along edges."""
        slope, offset = fit_chroma(grid, ab.transpose(2, 0, 1))
        return slope, offset
