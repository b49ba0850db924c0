"""The second reading of a film: its colors, frame by frame, a segment at a time."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from colorizer.errors import ColorizerError
from colorizer.film.coding import chroma_planes
from colorizer.film.measure import ColorConsistency, WarpError
from colorizer.film.painter import Painter, Seen
from colorizer.film.parts import SEGMENT, Parts
from colorizer.film.shots import Plan
from colorizer.film.source import Film, Frame, frames
from colorizer.film.steady import Steady
from colorizer.support.pool import in_order

__all__ = ["Meter", "color_frames", "color_segments"]


class Meter:
    """The steadiness of what is colored, where a report asks for it."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._warp, self._consistency = WarpError(), ColorConsistency()
        self._chroma: list[float] = []

    def add(self, seen: Seen, ab: np.ndarray, cut: bool) -> None:
        """Look at the colors of the next frame, on the grid."""
        if self._wanted:
            self._warp.update(seen.grid, ab, cut)
            self._consistency.update(ab, cut)
            self._chroma.append(float(np.linalg.norm(ab, axis=-1).mean()))

    def numbers(self) -> dict[str, float | None]:
        """By name; None for what needs more frames. Empty if nothing was wanted."""
        if not self._chroma:
            return {}
        values = {
            "warp_error": self._warp.value,
            "color_consistency": self._consistency.value,
            "chroma": float(np.mean(self._chroma)),
        }
        return {name: None if np.isnan(value) else value for name, value in values.items()}


def color_frames(
    seen: Iterable[Seen],
    film: Film,
    steady: Steady,
    begins: Callable[[Seen], bool],
    chroma: tuple[int, int],
) -> Iterator[tuple[Seen, np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """For each frame its colors on the grid, and the planes Cb and Cr.

    Args:
        seen: frames in order.
        film: whose they are.
        steady: what is carried from the frame before the first.
        begins: whether a frame begins a shot, asked of each in order.
        chroma: pixels of luma for one of chroma, across and down.
    """
    for one in seen:
        ab = steady.step(one.grid, one.ab, begins(one), one.jump)
        slope, offset = Painter.fit(one.grid, ab)
        yield one, ab, chroma_planes(one.frame.luma, one.L, slope, offset, film.coding, *chroma)


def color_segments(
    film: Film,
    plan: Plan,
    see: Callable[[Frame], Seen],
    parts: Parts,
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
    if first >= count:
        return
    if done:
        steady.L, steady.ab = parts.memory(done - 1)
    starts = set(plan.starts.tolist())
    seen = in_order(see, _missing(film, plan, first), workers)
    colored = color_frames(seen, film, steady, lambda one: one.frame.index in starts, sink.chroma)
    writer = None
    try:
        with tqdm(total=count, initial=first, desc="coloring", unit="frame", disable=None) as bar:
            for one, ab, planes in colored:
                index = one.frame.index
                if writer is None:
                    writer = sink.writer(parts.work(index // SEGMENT), first=index)
                writer.write(one.frame.pts, (one.frame.luma, *planes))
                meter.add(one, ab, index in starts)
                if (index + 1) % SEGMENT == 0 or index + 1 == count:
                    writer.close()
                    writer = None
                    parts.finish(index // SEGMENT, steady)
                bar.update()
    finally:
        seen.close()  # ty: ignore[missing-attribute] - a generator
        if writer is not None:
            writer.abandon()


def _missing(film: Film, plan: Plan, first: int) -> Iterator[Frame]:
    """The frames from one on; the film must read as it did the first time."""
    count, index = len(plan.pts), -1
    for frame in frames(film):
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
