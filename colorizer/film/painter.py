"""The network's answer for a frame, on the grid at which colors are carried."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from colorizer.extras import extra
from colorizer.film.planes import lightness_at
from colorizer.film.source import Film, FilmFrame
from colorizer.inference.compose import fit_chroma
from colorizer.inference.hints import Hints
from colorizer.inference.network import working_size
from colorizer.inference.steered import SteeredModel

__all__ = ["GRID", "Painter", "Prior"]

cv2: Any = extra("cv2", "video")

GRID = 192
"""The least short side at which colors are carried, in pixels: flow sees little below."""


@dataclass(frozen=True, eq=False)
class Prior:
    """What a frame's colors lean to: those of its shot.

    Attributes:
        factors: (Q,), on each color bin; None for none.
        gain: a factor on the chroma that the network answers then.
    """

    factors: np.ndarray | None
    gain: float = 1.0


@dataclass(frozen=True)
class _Shown:
    """The size of a frame as a viewer sees it: pixels squared, turned upright."""

    width: int
    height: int


class Painter:
    """Looks at the frames of one film.

    Args:
        film: whose frames are looked at.
        model: what looks, steered by the user's options.

    Attributes:
        model: the same.
        grid: (width, height) at which colors are carried, in the proportions of the upright
            picture, but turned as the coded frames are.
    """

    def __init__(self, film: Film, model: SteeredModel) -> None:
        width, height = film.upright
        self.model = model
        self._coding, self._orientation = film.coding, film.orientation
        self._shown = _Shown(round(width), round(height))
        short = min(max(model.size, GRID), min(self._shown.width, self._shown.height))
        grid = working_size(self._shown.width, self._shown.height, short)
        self.grid = grid[::-1] if film.orientation.upended else grid

    def see(
        self,
        grid: np.ndarray,
        lean: Prior | None = None,
        hints: Hints | None = None,
        begins: bool = False,
        model: SteeredModel | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Look at a lightness on the grid; safe in several threads.

        Args:
            grid: (h, w), 0..100.
            lean: to the colors of its shot; or None.
            hints: what is said of it.
            begins: whether some of them begin here, in the middle of a shot.
            model: steered for its shot; None is as the whole film is.

        Returns:
            (h, w, 2), the network's answer as hints change it, Lab units; and by how much they do,
            where some begin here.
        """
        ab = self.answer(grid, lean, hints, model)
        return ab, ab - self.answer(grid, lean, model=model) if begins else None

    def lightness(self, frame: FilmFrame) -> tuple[np.ndarray, np.ndarray]:
        """L of a frame: at full size, and on the grid."""
        L = lightness_at(frame.luma, self._coding)
        return L, cv2.resize(L, self.grid, interpolation=cv2.INTER_AREA)

    @property
    def upright_grid(self) -> tuple[int, int]:
        """Width and height of the grid as a viewer sees it."""
        return self.grid[::-1] if self._orientation.upended else self.grid

    def coded(self, upright: np.ndarray) -> np.ndarray:
        """What lies on the upright grid, turned as the frames are coded."""
        return np.ascontiguousarray(self._orientation.coded(upright))

    def upright(self, grid: np.ndarray) -> np.ndarray:
        """What lies on the grid, turned as a viewer sees it."""
        return self._orientation.upright(grid)

    def answer(
        self,
        grid: np.ndarray,
        lean: Prior | None = None,
        hints: Hints | None = None,
        model: SteeredModel | None = None,
    ) -> np.ndarray:
        """The network's colors for a lightness on the grid: (h, w, 2) float32."""
        if lean is not None and not lean.gain and not hints:
            return np.zeros((*grid.shape, 2), np.float32)
        model = model or self.model
        upright = np.ascontiguousarray(self.upright(grid))
        size = upright.shape[1], upright.shape[0]
        wanted = model.look_size(self._shown)
        how = cv2.INTER_AREA if wanted[0] < size[0] else cv2.INTER_LINEAR
        small = cv2.resize(upright, wanted, interpolation=how)
        factors = None if lean is None else lean.factors
        seen = model.see(small, self._shown, with_features=bool(hints), lean=factors)
        if lean is not None:  # before hints, whose colors are as they are told
            seen = replace(seen, slope=seen.slope * lean.gain, offset=seen.offset * lean.gain)
        both = np.concatenate(model.steer(seen, hints or Hints()), -1).astype(np.float32)
        both = cv2.resize(both, size, interpolation=cv2.INTER_LINEAR)
        ab = both[..., :2] * upright[..., None] + both[..., 2:]
        return self._orientation.coded(ab)

    @staticmethod
    def fit(grid: np.ndarray, ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colors of the grid as `slope * L + offset`, to be carried up along edges."""
        slope, offset = fit_chroma(grid, ab.transpose(2, 0, 1))
        return slope, offset
