"""Frames as a folder of pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from colorizer.film.coding import Coding
from colorizer.film.extra import require_av
from colorizer.film.shots import Plan
from colorizer.film.source import Film, pictures_in

__all__ = ["FrameFolder", "rgb_of"]


class FrameFolder:
    """Writes a film as PNG files, one for each frame, in as many bits as it has.

    The names are those of the frames where the film is a folder, else numbers from 1 on. Of a film
    they hold the frames only: no times, and no sound.

    Args:
        film: what is colored.
        path: the folder to make.
    """

    chroma = (1, 1)

    def __init__(self, film: Film, path: Path) -> None:
        self._film = film
        self._path = path

    def check(self, path: Path) -> list[str]:
        """What is lost, before the work."""
        return [] if self._film.path.is_dir() else ["a folder of frames has no times and no sound"]

    def check_times(self, plan: Plan) -> None:
        """A folder has no times."""

    def writer(self, work: Path, first: int) -> "_PictureWriter":
        """Of a segment whose first frame is the one of this number."""
        held = pictures_in(self._film.path) if self._film.path.is_dir() else None
        return _PictureWriter(work, self._film, held, first)

    def join(self, segments: Sequence[Path], plan: Plan, mark: str) -> list[str]:
        """Make the folder out of whole segments."""
        self._path.mkdir(exist_ok=True)
        for segment in segments:
            for picture in sorted(segment.iterdir()):
                picture.replace(self._path / picture.name)
        return []


class _PictureWriter:
    def __init__(self, work: Path, film: Film, held: Sequence[Path] | None, first: int) -> None:
        work.mkdir()
        self._work, self._film, self._held, self._next = work, film, held, first

    def write(self, pts: int, planes: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        """Add a frame: Y, Cb and Cr."""
        av = require_av()
        rgb = rgb_of(planes, self._film.coding)
        index = self._next
        name = self._held[index].stem if self._held else f"{index + 1:06d}"
        frame = av.VideoFrame.from_ndarray(rgb, "rgb24" if rgb.dtype == np.uint8 else "rgb48le")
        frame.save(self._work / f"{name}.png")
        self._next += 1

    def close(self) -> None:
        """Each file is closed already."""

    def abandon(self) -> None:
        """Nothing is open."""


def rgb_of(planes: tuple[np.ndarray, np.ndarray, np.ndarray], coding: Coding) -> np.ndarray:
    """What a player shows of Y, Cb and Cr of full size: (H, W, 3) uint8, or uint16 of more bits."""
    scale = 2 ** (coding.bits - 8)
    top = 2**coding.bits - 1
    black, span, reach = (0, top, top) if coding.full else (16 * scale, 219 * scale, 224 * scale)
    Y, Cb, Cr = (plane.astype(np.float32) for plane in planes)
    Y = (Y - black) / span
    Cb, Cr = ((plane - 128 * scale) / reach for plane in (Cb, Cr))
    red, blue = coding.weights
    R, B = Y + Cr * (2 * (1 - red)), Y + Cb * (2 * (1 - blue))
    G = (Y - red * R - blue * B) / (1 - red - blue)
    highest, kind = (255, np.uint8) if coding.bits == 8 else (65535, np.uint16)
    return np.rint(np.stack([R, G, B], -1).clip(0, 1) * highest).astype(kind)
