"""A short film of cuts through a film: the original on the left, colored on the right."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.film import flow
from colorizer.film.codecs import add_video, choose, make_frame
from colorizer.film.coding import luma
from colorizer.film.coloring import ahead, color_frames
from colorizer.film.extra import require_av
from colorizer.film.painter import Painter, Seen
from colorizer.film.source import Film, Frame, frames, pictures_in, tolerant
from colorizer.film.steady import Steady
from colorizer.support.temporary import whole

__all__ = ["CLIPS", "SECONDS", "write_preview"]

CLIPS = 8
"""Places in a film that are shown, evenly spread."""

SECONDS = 2.0
"""Of the film, at each place."""


def write_preview(
    film: Film, path: Path, painter: Painter, base: np.ndarray | None, options: Any, workers: int
) -> int:
    """Write the preview; the number of its frames.

    There is no sound, and shots have no palette of their own, which takes reading all of the film.

    Args:
        film: to be shown.
        path: its extension selects the container.
        painter: of the film.
        base: a factor on each color bin, or None.
        options: `FilmOptions`.
        workers: frames in work at a time.

    Raises: as `colorize_film`.
    """
    target = choose(film, path, options.codec, options.crf)
    wide = replace(film, width=2 * film.width)
    if film.rotation % 180:
        wide = replace(film, height=2 * film.height)
    side = 0 if film.rotation % 180 else 1  # the axis along which the halves lie
    count = 0
    with whole(path) as work:
        try:
            with require_av().open(work, "w") as container:
                stream = add_video(container, replace(wide, time_base=1 / film.rate), target)
                if film.rotation:
                    stream.set_display_rotation(film.rotation)
                for clip in _clips(film):
                    steady, last = Steady(options.steady), None
                    seen = ahead(clip, lambda frame: painter.see(frame, base), workers)
                    chroma = target.across, target.down
                    cuts = _cuts(seen)
                    for one, _, planes in color_frames(
                        cuts, film, steady, set(), chroma, options.vividness
                    ):
                        frame = make_frame(_beside(one.frame.luma, planes, film, side), target.format)
                        frame.pts, frame.time_base = count, 1 / film.rate
                        for packet in stream.encode(frame):
                            container.mux(packet)
                        count += 1
                for packet in stream.encode():
                    container.mux(packet)
        except ValueError as error:
            raise ColorizerError(f"{path} cannot be written: {error}") from error
        if not count:
            raise ColorizerError(f"{film} has no frame that can be decoded")
    return count
