"""Frames that a person has colored: their colors hold there, and travel to both ends of a shot."""

import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.color.has_color import CHROMA, highest_chroma
from colorizer.color.lab import RGB_WHITE, light_to_lab, srgb_to_light
from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.film.frame_folder import picture, pictures_in
from colorizer.film.painter import Painter
from colorizer.film.source import Film
from colorizer.film.steady import Motion, Recalled, motion_between
from colorizer.inference.hints import Hint, Hints

__all__ = [
    "Backward",
    "Carried",
    "References",
    "between",
    "has_colors",
    "read_references",
    "spread",
]

cv2: Any = extra("cv2", "video")

REACH = 240
"""Frames over which a reference is carried back, at most."""

ASPECT = 0.02  # by which a reference may differ from the film
LIKE = 0.8  # correlation of its lightness with that of the frame, at least
LATTICE = 5, 7  # places, down and across, whose colors are spread by likeness
CERTAIN = 0.9  # weight of such a place, at least
SURE = 0.3  # weight, below which a place is open to it
SPENT = 0.03  # mean weight, below which a reference is not carried on
COARSE = 2  # pixels of the grid, in which what travels back is kept


def between(first: Recalled | None, last: Recalled | None, share: float) -> Recalled | None:
    """What two references tell of a frame that is `share` (0..1) of the way to the later one."""
    if first is None or last is None:
        return first or last
    early, late = (1 - share) * first.weight, share * last.weight
    part = (late / np.maximum(early + late, 1e-6))[..., None]
    return Recalled(first.ab + part * (last.ab - first.ab), np.maximum(first.weight, last.weight))


@dataclass(frozen=True)
class References:
    """Colored frames of a film.

    Attributes:
        files: number of a frame, from 0 on -> its picture.
    """

    files: dict[int, Path]

    def read(self, index: int, upright: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Lightness (h, w) and colors (h, w, 2) of a reference; None where there is none.

        Args:
            index: of the frame.
            upright: width and height at which it is wanted.
        """
        path = self.files.get(index)
        return None if path is None else _lab(path, upright)

    def around(self, index: int) -> tuple[int | None, int | None]:
        """The nearest reference at or before a frame, and the nearest behind it."""
        before = [n for n in self.files if n <= index]
        behind = [n for n in self.files if n > index]
        return max(before, default=None), min(behind, default=None)


def read_references(folder: Path, film: Film, count: int) -> References:
    """Find the references of a film, and look at each.

    Args:
        folder: of pictures, each with the number of its frame in its name, from 0 on
            (`000120.png`); for a folder of frames the name of the frame.
        film: whose frames they are.
        count: of its frames.

    Raises:
        UsageError: a picture without a number, a number twice or beyond the film, another shape,
            no colors. ColorizerError: the folder or a picture cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give one of colored frames, such as 000120.png")
    names = {}
    if film.is_folder:
        names = {path.stem: index for index, path in enumerate(pictures_in(film.path))}
    files: dict[int, Path] = {}
    for path in pictures_in(folder):
        numbers = re.findall(r"\d+", path.stem)
        index = names.get(path.stem, int(numbers[-1]) if numbers and not names else None)
        if index is None:
            wanted = "the name of one of its frames" if names else "the number of a frame"
            raise UsageError(f"{path} has no number; a reference for {film} needs {wanted}")
        if index >= count:
            raise UsageError(f"{path}: the last frame of {film} is {count - 1}, counted from 0")
        if index in files:
            raise UsageError(f"{files[index]} and {path} are both of frame {index}; leave one out")
        files[index] = path
    if not files:
        raise UsageError(f"{folder} holds no pictures; give colored frames, such as 000120.png")
    for path in files.values():
        _check(path, film)
    return References(files)


def spread(told: Recalled, painter: Painter) -> Hints:
    """Some of what is told for sure, as hints: learnt likeness takes it to where nothing is told.

    The places are always the same ones, so that what is spread does not flicker.
    """
    weight, ab = painter.upright(told.weight), painter.upright(told.ab)
    if weight.min() > SURE:
        return Hints()
    height, width = weight.shape
    rows = ((np.arange(LATTICE[0]) + 0.5) / LATTICE[0] * height).astype(int)
    columns = ((np.arange(LATTICE[1]) + 0.5) / LATTICE[1] * width).astype(int)
    return Hints(
        tuple(
            Hint(
                (((x + 0.5) / width, (y + 0.5) / height),), (float(ab[y, x, 0]), float(ab[y, x, 1]))
            )
            for y in rows
            for x in columns
            if weight[y, x] > CERTAIN
        )
    )


class Backward:
    """Carries references back to the frames before them, while a film is read for the first time.

    Args:
        references: of the film.
        folder: to keep what they tell of each frame in.
        painter: of the film.
    """

    def __init__(self, references: References, folder: Path, painter: Painter) -> None:
        self._references, self._folder, self._painter = references, folder, painter
        self._past: deque[tuple[int, np.ndarray]] = deque(maxlen=REACH)
        self._last: tuple[int, np.ndarray] | None = None
        folder.mkdir(exist_ok=True)

    def add(self, index: int, grid: np.ndarray, cut: bool) -> np.ndarray | None:
        """Look at the next frame.

        Args:
            index: its number.
            grid: (h, w), its lightness.
            cut: whether it begins a shot.

        Returns: (h, w, 2), the colors of its reference, or None.

        Raises: UsageError where a reference is not of this frame.
        """
        before, self._last = self._last, (index, grid)
        if cut:
            self._past.clear()
        found = self._references.read(index, self._painter.upright_grid)
        if found is None:
            self._past.append((index, np.rint(grid * 2.55).astype(np.uint8)))
            return None
        L, ab = (self._painter.coded(values) for values in found)
        alike = _correlation(L, grid)
        if not alike >= LIKE:
            hint = ""
            if before is not None and _correlation(L, before[1]) >= LIKE:
                hint = f"; it is like frame {before[0]}: frames are counted from 0"
            raise UsageError(
                f"{self._references.files[index]} does not show frame {index} of the film: their"
                f" lightness has a correlation of {alike:.2f}, and at least {LIKE} is wanted{hint}"
            )
        told = Recalled(ab, np.ones(grid.shape, np.float32))
        now = grid
        for number, small in reversed(self._past):
            past = small.astype(np.float32) / np.float32(2.55)
            told = told.moved(motion_between(past, now))
            if told.weight.mean() < SPENT:
                break
            _save(self._place(number), told)
            now = past
        self._past.clear()
        self._past.append((index, np.rint(grid * 2.55).astype(np.uint8)))
        return ab

    def _place(self, index: int) -> Path:
        return self._folder / f"{index:08d}.npz"


class Carried:
    """What references tell of each frame, from before it and from behind.

    Args:
        references: of the film.
        folder: where `Backward` has kept what later ones tell.
        painter: of the film.
    """

    def __init__(self, references: References, folder: Path, painter: Painter) -> None:
        self._references, self._folder, self._painter = references, folder, painter

    def at(
        self, index: int, last: Recalled | None, motion: Motion | None
    ) -> tuple[Recalled | None, Recalled | None]:
        """All that is told of a frame, and what of it is carried on to the next.

        Args:
            index: of the frame.
            last: what was carried on from the frame before.
            motion: from there; None where a shot begins.
        """
        grid = self._painter.grid
        found = self._references.read(index, self._painter.upright_grid)
        if found is not None:
            ab = self._painter.coded(found[1])
            told = Recalled(ab, np.ones(grid[::-1], np.float32))
            return told, told
        on = None if last is None or motion is None else last.moved(motion)
        before, behind = self._references.around(index)
        share = 0.5 if before is None or behind is None else (index - before) / (behind - before)
        return between(on, self._kept(index, grid), share), on

    def _kept(self, index: int, size: tuple[int, int]) -> Recalled | None:
        path = self._folder / f"{index:08d}.npz"
        if not path.is_file():
            return None
        with np.load(path) as held:
            ab, weight = (
                cv2.resize(held[name].astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
                for name in ("ab", "weight")
            )
        return Recalled(ab, weight / 255)


def _save(path: Path, told: Recalled) -> None:
    height, width = told.weight.shape
    size = max(1, width // COARSE), max(1, height // COARSE)
    ab, weight = (
        cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in (told.ab, told.weight)
    )
    with path.open("wb") as file:
        np.savez_compressed(
            file, ab=np.rint(ab).astype(np.int8), weight=np.rint(weight * 255).astype(np.uint8)
        )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = (cv2.GaussianBlur(np.ascontiguousarray(L), (0, 0), 2) for L in (one, other))
    if min(one.std(), other.std()) < 0.5:  # nothing to be unlike in
        return 1.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _check(path: Path, film: Film) -> None:
    frame = picture(path)
    width, height = film.upright
    aspect = frame.width / frame.height / (width / height)
    coded = frame.width / frame.height / (film.width / film.height)  # pixels that are not square
    if min(abs(aspect - 1), abs(coded - 1)) > ASPECT + 1 / min(frame.width, frame.height):
        raise UsageError(
            f"{path} has {frame.width}x{frame.height} pixels, {film} shows {width:.0f} to"
            f" {height:.0f}; make it from the whole frame"
        )
    if not has_colors(path):
        raise UsageError(f"{path} has no colors, so it is no reference; color it first")


def has_colors(path: Path) -> bool:
    """Whether a picture has colors, so that it can be a reference."""
    return bool(highest_chroma(_lab(path, (64, 64))[1]) >= CHROMA)


def _lab(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    try:
        rgb = picture(path).to_ndarray(format="rgb24")
    except ValueError as error:
        raise ColorizerError(f"{path} cannot be read as a picture: {error}") from error
    how = cv2.INTER_AREA if size[0] < rgb.shape[1] else cv2.INTER_LINEAR
    rgb = cv2.resize(rgb, size, interpolation=how).astype(np.float64) / 255
    lab = light_to_lab(srgb_to_light(rgb.reshape(-1, 3)), RGB_WHITE).reshape(*size[::-1], 3)
    return lab[..., 0].astype(np.float32), lab[..., 1:].astype(np.float32)
