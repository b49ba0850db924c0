"""How a player turns and mirrors the coded frames of a film, as its display matrix says."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Orientation", "orientation_of"]


@dataclass(frozen=True)
class Orientation:
    """The way from coded frames to what is shown: mirrored first, then turned.

    Attributes:
        matrix: nine whole numbers as FFmpeg has them, written again as they are; None for none.
        turns: quarter turns counterclockwise, 0 to 3: the nearest to the matrix.
        mirrored: whether left and right change places.
    """

    matrix: tuple[int, ...] | None = None
    turns: int = 0
    mirrored: bool = False

    @property
    def upended(self) -> bool:
        """Whether width and height change places."""
        return self.turns % 2 == 1

    def upright(self, values: np.ndarray) -> np.ndarray:
        """A coded plane (H, W[, C]) as a viewer sees it."""
        return np.rot90(values[:, ::-1] if self.mirrored else values, self.turns)

    def coded(self, values: np.ndarray) -> np.ndarray:
        """The way back: what a viewer sees, as it is coded."""
        turned = np.rot90(values, -self.turns)
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)


def orientation_of(frame: Any) -> Orientation:
    """Of a decoded frame."""
    try:
        data = bytes(frame.side_data["DISPLAYMATRIX"])
    except KeyError:
        return Orientation()
    matrix = tuple(np.frombuffer(data, "=i4")[:9].tolist())
    # a column of pixels (x, y) goes to (a x + c y, b x + d y), y downward
    a, b, c, d = (matrix[i] for i in (0, 1, 3, 4))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return Orientation(matrix, round(-math.atan2(b, a) / (math.pi / 2)) % 4, mirrored)
