"""Single frames of a film as pictures: in gray, as coloring sees them, and as they are."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from colorizer.color.has_color import FRAME_CHROMA
from colorizer.extras import extra
from colorizer.film.planes import Coding, colors_of
from colorizer.film.source import Film, FilmFrame, frames, stretch

__all__ = ["KeyFrame", "key_frame", "key_frames"]

cv2: Any = extra("cv2", "video")


@dataclass(frozen=True)
class KeyFrame:
    """One frame as a viewer sees it: upright, its pixels square.

    Attributes:
        index: of the frame, from 0 on.
        gray: (H, W) uint8, or uint16 of films with more bits: sRGB gray of its lightness.
        own: (H, W, 3) uint8, its own colors; None where it has none.
    """

    index: int
    gray: np.ndarray
    own: np.ndarray | None


def key_frames(film: Film, wanted: Collection[int]) -> Iterator[KeyFrame]:
    """Some frames of a film, in order.

    Args:
        film: whose frames they are; it is read from its start to the last of them.
        wanted: their numbers, from 0 on.

    Raises: ColorizerError as `frames` does.
    """
    left = set(wanted)
    for frame in frames(film, kept=left.__contains__):
        if frame.index in left:
            left.remove(frame.index)
            yield _key_frame(frame.index, frame, film)
        if not left:
            return


def key_frame(film: Film, index: int, start: int) -> KeyFrame:
    """One frame whose time is known, `start` as of `stretch`; raises ColorizerError as that."""
    return _key_frame(index, next(stretch(film, start, 1, kept=lambda _: True)), film)


def _key_frame(index: int, frame: FilmFrame, film: Film) -> KeyFrame:
    own = None
    if colors_of(frame.held, film.coding)[0] > FRAME_CHROMA:
        own = _seen(frame.held.to_ndarray(format="rgb24"), film)
    return KeyFrame(index, _seen(_gray(frame.luma, film.coding), film), own)


def _gray(luma: np.ndarray, coding: Coding) -> np.ndarray:
    scale, top = 2 ** (coding.bits - 8), 2**coding.bits - 1
    black, span = (0, top) if coding.full else (16 * scale, 219 * scale)
    most, kind = (255, np.uint8) if coding.bits == 8 else (65535, np.uint16)
    share = ((luma.astype(np.float32) - black) / span).clip(0, 1)
    return np.rint(share * most).astype(kind)


def _seen(values: np.ndarray, film: Film) -> np.ndarray:
    upright = np.ascontiguousarray(film.orientation.upright(values))
    size = round(film.upright[0]), round(film.upright[1])
    if size == upright.shape[1::-1]:
        return upright
    return cv2.resize(upright, size, interpolation=cv2.INTER_LINEAR)
