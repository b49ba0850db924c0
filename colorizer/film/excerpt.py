"""A short film of places all over a film: the original on the left, colored on the right."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.extras import extra
from colorizer.film.codecs import Encoding, add_video, choose, make_frame
from colorizer.film.decoding import sentence
from colorizer.film.findings import Findings
from colorizer.film.painter import Painter
from colorizer.film.segments import ColoredFrame, color_frames
from colorizer.film.shots import NothingError, look_through
from colorizer.film.source import Film, clip
from colorizer.film.steady import Steady
from colorizer.film.tracking import Tracker
from colorizer.film.watch import View, Watch
from colorizer.options import FilmOptions
from colorizer.support.files import whole

__all__ = ["CLIPS", "SECONDS", "write_preview"]

av: Any = extra("av", "video")

CLIPS = 8
"""Places in a film that are shown, evenly spread."""

SECONDS = 2.0
"""Of the film, at each place."""


def write_preview(
    film: Film,
    path: Path,
    painter: Painter,
    options: FilmOptions,
    workers: int,
) -> int:
    """Write the preview; returns how many frames it has.

    It has no sound, and shots have the palettes of what is shown of them.

    Args:
        film: to be shown.
        path: its extension selects the container.
        painter: of the film.
        options: of the coloring.
        workers: frames in work at a time.

    Raises:
        UsageError, ColorizerError, OSError: as `colorize_film`.
    """
    target = choose(film, path, options.codec, options.crf)
    sides = [film.height // target.down * target.down, film.width // target.across * target.across]
    axis = 0 if film.orientation.upended else 1  # along which the halves lie, in coded frames
    sides[axis] *= 2
    tick = 1 / film.rate
    both = replace(film, height=sides[0], width=sides[1], time_base=tick)
    count = 0
    with whole(path) as work:
        try:
            with av.open(work, "w") as container:
                stream = add_video(container, both, target, film.rate)
                if film.orientation.matrix is not None:
                    stream.set_display_matrix(film.orientation.matrix)
                for one in _colored(film, painter, options, workers, target):
                    luma, planes = one.view.frame.luma, one.planes
                    halves = _halves(luma, planes, film, target.across, target.down, axis)
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
    film: Film, painter: Painter, options: FilmOptions, workers: int, target: Encoding
) -> Iterator[ColoredFrame]:
    count = max(1, round(min(SECONDS * film.rate, (film.count or 1e9) / CLIPS)))
    for number in range(CLIPS):
        place = (number + 0.5) / CLIPS
        steady = Steady(options.steady)
        tracker = Tracker((), float(film.rate))
        looked = clip(film, place, count)
        try:
            findings = look_through(film, looked, painter, tracker, palettes=options.steady > 0)
        except NothingError:
            continue

        def see(view: View, findings: Findings = findings) -> tuple[np.ndarray, np.ndarray | None]:
            return painter.see(view.calm, findings.prior(view.frame.index))

        watch = Watch(painter, findings, options.steady > 0)
        chroma = target.across, target.down
        found = clip(film, place, count)
        yield from color_frames(found, film, findings, see, watch, steady, workers, chroma)


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
    marks = np.arange(4).reshape(2, 2)  # coded so that a viewer sees 0 1 above 2 3
    if film.orientation.coded(marks).ravel()[0] % 2:  # what is coded first is seen on the right
        pairs = [pair[::-1] for pair in pairs]
    Y, Cb, Cr = (np.concatenate(pair, axis) for pair in pairs)
    return Y, Cb, Cr
