"""The network's answer for a frame, on the grid at which colors are carried."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from colorizer.film.coding import lightness_at
from colorizer.film.extra import require_cv2
from colorizer.film.source import Film, Frame
from colorizer.inference.compose import fit_chroma
from colorizer.inference.network import working_size
from colorizer.inference.predict import predict_chroma

__all__ = ["GRID", "Painter", "Seen"]

GRID = 192
"""The least short side at which colors are carried, in pixels: flow sees little below."""

Predict = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True)
class Seen:
    """A frame with its lightness at full size and on the grid, and the network's answer there."""

    frame: Frame
    L: np.ndarray
    grid: np.ndarray
    ab: np.ndarray


class Painter:
    """Looks at the frames of one film.

    Args:
        film: whose frames are looked at.
        predict: from a padded lightness, and a factor on each color bin or None, to ab (2, h, w).
        size: short side at which the network sees a frame.

    Attributes:
        grid: (width, height) at which colors are carried, in the proportions of the upright
            picture, but turned as the coded frames are.
    """

    def __init__(self, film: Film, predict: Predict, size: int) -> None:
        width, height = film.upright
        short = min(max(size, GRID), round(min(width, height)))
        self._coding = film.coding
        self._predict = predict
        self._turns = film.rotation // 90
        self._working = working_size(round(width), round(height), size)
        grid = working_size(round(width), round(height), short)
        self.grid = grid if self._turns % 2 == 0 else grid[::-1]

    def see(self, frame: Frame, prior: np.ndarray | None = None) -> Seen:
        """Look at a frame; safe in several threads."""
        L, grid = self.lightness(frame)
        return Seen(frame, L, grid, self.answer(grid, prior))

    def lightness(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """L of a frame: at full size, and on the grid."""
        L = lightness_at(frame.luma, self._coding)
        return L, require_cv2().resize(L, self.grid, interpolation=require_cv2().INTER_AREA)

    def answer(self, grid: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
        """The network's colors for a lightness on the grid: (h, w, 2) float32."""
        cv2 = require_cv2()
        upright = np.rot90(grid, self._turns)
        size = upright.shape[1], upright.shape[0]
        smaller = self._working[0] < size[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        seen = cv2.resize(upright, self._working, interpolation=how)
        slope, offset = predict_chroma(seen, lambda padded: self._predict(padded, prior))
        both = np.concatenate([slope, offset], -1).astype(np.float32)
        both = cv2.resize(both, size, interpolation=cv2.INTER_LINEAR)
        ab = both[..., :2] * upright[..., None] + both[..., 2:]
        return np.ascontiguousarray(np.rot90(ab, -self._turns))

    @staticmethod
    def fit(grid: np.ndarray, ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colors of the grid as `slope * L + offset`, to be carried up along edges."""
        slope, offset = fit_chroma(grid, ab.transpose(2, 0, 1))
        return slope, offset
