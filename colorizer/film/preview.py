"""A short film of places all over a film: the original on the left, colored on the right."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.film import flow
from colorizer.film.codecs import Target, add_video, choose, make_frame
from colorizer.film.coloring import color_frames
from colorizer.film.extra import require_av
from colorizer.film.painter import Painter, Seen
from colorizer.film.source import Film, clip, sentence
from colorizer.film.steady import Steady
from colorizer.options import FilmOptions
from colorizer.support.files import whole
from colorizer.support.pool import in_order

__all__ = ["CLIPS", "SECONDS", "write_preview"]

CLIPS = 8
"""Places in a film that are shown, evenly spread."""

SECONDS = 2.0
"""Of the film, at each place."""


def write_preview(
    film: Film,
    path: Path,
    painter: Painter,
    base: np.ndarray | None,
    options: FilmOptions,
    workers: int,
) -> int:
    """Write the preview; returns how many frames it has.

    It has no sound, and its shots no palette of their own, which takes reading all of the film.

    Args:
        film: to be shown.
        path: its extension selects the container.
        painter: of the film.
        base: a factor on each color bin, or None.
        options: of the coloring.
        workers: frames in work at a time.

    Raises:
        UsageError, ColorizerError, OSError: as `colorize_film`.
    """
    target = choose(film, path, options.codec, options.crf)
    sides = [film.height // target.down * target.down, film.width // target.across * target.across]
    axis = 1 if film.rotation % 180 == 0 else 0  # along which the halves lie, in coded frames
    sides[axis] *= 2
    tick = 1 / film.rate
    both = replace(film, height=sides[0], width=sides[1], time_base=tick)
    count = 0
    with whole(path) as work:
        try:
            with require_av().open(work, "w") as container:
                stream = add_video(container, both, target)
                if film.rotation:
                    stream.set_display_rotation(film.rotation)
                for one, planes in _colored(film, painter, base, options, workers, target):
                    halves = _halves(one.frame.luma, planes, film, target.across, target.down, axis)
                    frame = make_frame(halves, target.format)
                    frame.pts, frame.time_base = count, tick
                    for packet in stream.encode(frame):
                        container.mux(packet)
                    count += 1
                for packet in stream.encode():
                    container.mux(packet)
        except ValueError as error:  # of FFmpeg's own errors, those that are no OSError
            raise ColorizerError(f"{path} cannot be written: {sentence(error)}") from error
        if not count:
            raise ColorizerError(f"{film} has no frame that can be decoded")
    return count


def _colored(
    film: Film,
    painter: Painter,
    base: np.ndarray | None,
    options: FilmOptions,
    workers: int,
    target: Target,
) -> Iterator[tuple[Seen, tuple[np.ndarray, np.ndarray]]]:
    count = max(1, round(min(SECONDS * film.rate, (film.count or 1e9) / CLIPS)))
    for number in range(CLIPS):
        place = clip(film, (number + 0.5) / CLIPS, count)
        shown = in_order(lambda frame: painter.see(frame, base), place, workers)
        last: list[np.ndarray] = []

        def begins(one: Seen, last: list[np.ndarray] = last) -> bool:
            before = last.pop() if last else None
            last.append(one.grid)
            return before is not None and flow.is_cut(one.grid, before)

        chroma = target.across, target.down
        steady = Steady(options.steady)
        for one, _, planes in color_frames(shown, film, steady, begins, chroma):
            yield one, planes


def _halves(
    luma: np.ndarray,
    chroma: tuple[np.ndarray, np.ndarray],
    film: Film,
    across: int,
    down: int,
    axis: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The frame without colors, and with: the planes Y, Cb and Cr of both side by side."""
    height, width = film.height // down, film.width // across
    gray = np.full((height, width), 2 ** (film.coding.bits - 1), luma.dtype)
    luma = luma[: height * down, : width * across]
    pairs = [(luma, luma), *((gray, plane[:height, :width]) for plane in chroma)]
    if film.rotation in (180, 270):  # where the coded frame begins, the player shows its end
        pairs = [pair[::-1] for pair in pairs]
    Y, Cb, Cr = (np.concatenate(pair, axis) for pair in pairs)
    return Y, Cb, Cr
