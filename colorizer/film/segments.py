"""The second reading of a film: its colors, frame by frame, a segment at a time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.film import unfinished
from colorizer.film.findings import Findings
from colorizer.film.painter import Painter
from colorizer.film.planes import chroma_planes, own_chroma
from colorizer.film.progress import progress
from colorizer.film.references import Carried
from colorizer.film.source import Film, FilmFrame, frames
from colorizer.film.steadiness import Meter
from colorizer.film.steady import Recalled, Steady
from colorizer.film.unfinished import Unfinished
from colorizer.film.watch import View, Watch
from colorizer.support.pool import in_order

__all__ = ["FADING", "ColoredFrame", "See", "color_frames", "color_segments"]


FADING = 2.0
"""How much faster what is carried is forgotten, as much as another shot is seen in a frame."""

See = Callable[[View], tuple[np.ndarray, np.ndarray | None]]
"""The network's look, as `Painter.see` gives it, called in several threads."""


@dataclass(frozen=True)
class ColoredFrame:
    """A frame in color.

    Attributes:
        view: what was looked at.
        ab: (h, w, 2), its colors on the grid, Lab units; empty if its own went through.
        planes: Cb and Cr.
    """

    view: View
    ab: np.ndarray
    planes: tuple[np.ndarray, np.ndarray]


def color_frames(
    found: Iterable[FilmFrame],
    film: Film,
    findings: Findings,
    see: See,
    watch: Watch,
    steady: Steady,
    workers: int,
    chroma: tuple[int, int],
) -> Iterator[ColoredFrame]:
    """Color frames in order.

    Args:
        found: themselves.
        film, findings: whose they are, and what the first reading found.
        see: the network's look at a frame.
        watch: looks ahead of it.
        steady: what is carried from the frame before the first.
        workers: frames that the network looks at, at a time.
        chroma: pixels of luma for one of chroma, across and down.
    """
    aside = set(findings.aside.tolist())

    def looked(view: View) -> tuple[View, np.ndarray | None, np.ndarray | None]:
        ab, jump = (None, None) if view.known or view.is_held else see(view)
        return view, ab, jump

    seen = in_order(looked, watch(found), workers)
    try:
        for view, answer, jump in seen:
            frame = view.frame
            if view.is_held:
                own = own_chroma(frame.held, film.coding, *chroma)
                yield ColoredFrame(view, np.zeros((0, 0, 2), np.float32), own)
                continue
            hold = steady.hold ** (1 + FADING * findings.fading(frame.index)[0])
            apart = frame.index in aside
            ab = steady.step(view.calm, answer, view.motion, jump, apart, hold, view.told)
            if not apart:
                steady.told = view.carried
            slope, offset = Painter.fit(view.grid, ab)
            planes = chroma_planes(frame.luma, view.L, slope, offset, film.coding, *chroma)
            yield ColoredFrame(view, ab, planes)
    finally:
        seen.close()  # ty: ignore[missing-attribute] - a generator


def color_segments(
    film: Film,
    findings: Findings,
    painter: Painter,
    see: See,
    parts: Unfinished,
    sink: Any,
    *,
    steady: Steady,
    workers: int,
    meter: Meter,
    references: Carried | None = None,
) -> None:
    """Color what is missing of a film, a segment at a time.

    Args:
        film, findings: what is colored, and what the first reading found.
        painter: of the film.
        see: the network's look at a frame.
        parts: where whole segments are, and go.
        sink: what makes writers of segments: a `FilmFile` or a `FrameFolder`.
        steady: how colors are carried.
        workers: frames that are looked at, at a time.
        meter: looks at the colors.
        references: colored frames, if there are any.

    Raises: ColorizerError where the film does not read as it did before.
    """
    count, done = len(findings.pts), parts.done
    first = done * unfinished.SEGMENT
    if done:
        memory = parts.memory(done - 1)
        steady.L, steady.ab = memory.get("L"), memory.get("ab")
        steady.owed = int(memory["owed"])
        if "told" in memory:
            steady.told = Recalled(memory["told"], memory["weight"])
        meter.resume(memory, min(first, count))
    if first >= count:
        return
    starts = set(findings.starts.tolist())
    watch = Watch(painter, findings, steady.hold > 0, steady.L, references, steady.told)
    found = _missing(film, findings, first)
    colored = color_frames(found, film, findings, see, watch, steady, workers, sink.chroma)
    writer = None
    try:
        with progress(count, "coloring", initial=first) as bar:
            for one in colored:
                frame = one.view.frame
                index = frame.index
                if writer is None:
                    writer = sink.writer(parts.work(index // unfinished.SEGMENT), index, findings)
                writer.write(frame.pts, (frame.luma, *one.planes), frame.held)
                if not one.view.is_held:
                    meter.add(one.view.calm, one.ab, index in starts)
                if (index + 1) % unfinished.SEGMENT == 0 or index + 1 == count:
                    writer.close()
                    writer = None
                    parts.finish(index // unfinished.SEGMENT, steady, meter.state())
                bar.update()
    finally:
        colored.close()  # ty: ignore[missing-attribute] - a generator
        if writer is not None:
            writer.abandon()


def _missing(film: Film, findings: Findings, first: int) -> Iterator[FilmFrame]:
    """The frames from one on; the film must read as it did the first time."""
    count, index = len(findings.pts), -1
    for frame in frames(film, kept=findings.is_kept):
        index = frame.index
        if index >= count or frame.pts != findings.pts[index]:
            break
        if index >= first:
            yield frame
    if index + 1 != count:
        raise ColorizerError(
            f"{film} reads differently a second time, from frame {index} of {count} on; is it"
            " still being written, or does its disk fail?"
        )
