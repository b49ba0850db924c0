"""The second reading of a film: its colors, frame by frame, a segment at a time."""

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.film.painter import Look, Painter
from colorizer.film.plan import Plan
from colorizer.film.planes import chroma_planes, own_chroma
from colorizer.film.progress import progress
from colorizer.film.source import Film, FilmFrame, frames
from colorizer.film.steadiness import Meter
from colorizer.film.steady import Steady
from colorizer.film.unfinished import SEGMENT, Unfinished
from colorizer.support.pool import in_order

__all__ = ["color_frames", "color_segments"]


def color_frames(
    seen: Iterable[Look],
    film: Film,
    steady: Steady,
    begins: Callable[[Look], bool],
    chroma: tuple[int, int],
    aside: Container[int] = (),
) -> Iterator[tuple[Look, np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """For each frame its colors on the grid, and the planes Cb and Cr.

    Of a frame that is held for its own colors the grid is empty, and the planes are its own.

    Args:
        seen: frames in order.
        film: whose they are.
        steady: what is carried from the frame before the first.
        begins: whether a frame begins a shot, asked of each in order.
        chroma: pixels of luma for one of chroma, across and down.
        aside: numbers of frames that interrupt a shot.
    """
    for one in seen:
        if one.frame.held is not None:
            yield one, one.ab, own_chroma(one.frame.held, film.coding, *chroma)
            continue
        ab = steady.step(one.grid, one.ab, begins(one), one.jump, one.frame.index in aside)
        slope, offset = Painter.fit(one.grid, ab)
        yield one, ab, chroma_planes(one.frame.luma, one.L, slope, offset, film.coding, *chroma)


def color_segments(
    film: Film,
    plan: Plan,
    see: Callable[[FilmFrame], Look],
    parts: Unfinished,
    sink: Any,
    *,
    steady: Steady,
    workers: int,
    meter: Meter,
) -> None:
    """Color what is missing of a film, a segment at a time.

    Args:
        film, plan: what is colored, and what the first reading found.
        see: the network's look at a frame, called in several threads.
        parts: where whole segments are, and go.
        sink: what makes writers of segments: a `FilmFile` or a `FrameFolder`.
        steady: how colors are carried.
        workers: frames that are looked at, at a time.
        meter: looks at the colors.

    Raises: ColorizerError where the film does not read as it did before.
    """
    count, done = len(plan.pts), parts.done
    first = done * SEGMENT
    if done:
        memory = parts.memory(done - 1)
        steady.L, steady.ab = memory.get("L"), memory.get("ab")
        meter.resume(memory, min(first, count))
    if first >= count:
        return
    starts, aside = set(plan.starts.tolist()), set(plan.aside.tolist())
    seen = in_order(see, _missing(film, plan, first), workers)
    colored = color_frames(
        seen, film, steady, lambda one: one.frame.index in starts, sink.chroma, aside
    )
    writer = None
    try:
        with progress(count, "coloring", initial=first) as bar:
            for one, ab, planes in colored:
                index = one.frame.index
                if writer is None:
                    writer = sink.writer(parts.work(index // SEGMENT), index, plan)
                writer.write(one.frame.pts, (one.frame.luma, *planes), one.frame.held)
                if one.frame.held is None:
                    meter.add(one.grid, ab, index in starts)
                if (index + 1) % SEGMENT == 0 or index + 1 == count:
                    writer.close()
                    writer = None
                    parts.finish(index // SEGMENT, steady, meter.state())
                bar.update()
    finally:
        seen.close()  # ty: ignore[missing-attribute] - a generator
        if writer is not None:
            writer.abandon()


def _missing(film: Film, plan: Plan, first: int) -> Iterator[FilmFrame]:
    """The frames from one on; the film must read as it did the first time."""
    count, index = len(plan.pts), -1
    for frame in frames(film, kept=plan.is_kept):
        index = frame.index
        if index >= count or frame.pts != plan.pts[index]:
            break
        if index >= first:
            yield frame
    if index + 1 != count:
        raise ColorizerError(
            f"{film} reads differently a second time, from frame {index} of {count} on; is it"
            " still being written, or does its disk fail?"
        )
