"""A film as it is read: what is known before, and its frames with the times that it gives them."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.film.decoding import Heard, decoded, deinterlaced, is_interlaced, sentence
from colorizer.film.frame_folder import picture, pictures_in
from colorizer.film.orientation import Orientation, orientation_of
from colorizer.film.planes import Coding, coding_of, colors_of, luma
from colorizer.film.rates import read_rate
from colorizer.film.timeline import Timeline

__all__ = ["Film", "FilmFrame", "clip", "frames", "is_cover", "open_film", "rgb_frames", "stretch"]

av: Any = extra("av", "video")

_HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Film:
    """What is known of a film before its frames are read.

    Attributes:
        path: a file, or a folder of frames.
        stream: index of the video stream; of a folder 0.
        width, height: of the coded frames, in pixels.
        aspect: of one pixel, width by height.
        orientation: how a player turns the frames.
        time_base: seconds in a tick of the presentation times.
        rate: frames in a second, on average.
        count: of frames, as the container says or by its length; 0 for unknown.
        coding: what the numbers of the frames mean.
        deinterlace: whether frames that are marked as interlaced are made anew of their fields.
        progressive: whether all frames are taken as whole, whatever their marks say.
        notes: sentences that a user should read.
        timeline: mends the times of packets before they are decoded; None for those of the film.
    """

    path: Path
    stream: int
    width: int
    height: int
    aspect: Fraction
    orientation: Orientation
    time_base: Fraction
    rate: Fraction
    count: int
    coding: Coding
    deinterlace: bool = False
    progressive: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    timeline: Timeline | None = field(default=None, compare=False, repr=False)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of frames."""
        return self.path.is_dir()

    @property
    def upright(self) -> tuple[float, float]:
        """Width and height as seen: pixels squared, turned upright."""
        seen = (self.width * float(self.aspect), float(self.height))
        return seen[::-1] if self.orientation.upended else seen

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class FilmFrame:
    """One frame.

    Attributes:
        index: from 0 on.
        pts: its presentation time, in ticks of the film.
        luma: (H, W).
        duration: of the frame, in ticks; 0 for unknown.
        chroma: mean distance of its own colors from gray, in steps of 8 bits; 0 where not looked.
        toned: whether they are of one hue, such as sepia.
        held: itself as decoded, where its own colors go through.
    """

    index: int
    pts: int
    luma: np.ndarray
    duration: int = 0
    chroma: float = 0.0
    toned: bool = False
    held: Any = None


def open_film(
    path: Path, *, rate: Any = None, deinterlace: bool = False, progressive: bool = False
) -> Film:
    """Look at a film, or at a folder of frames.

    Args:
        path: a file that FFmpeg reads, or a folder of pictures, which are taken by the numbers in
            their names.
        rate: of a folder, frames in a second, as `read_rate` takes it; None is 24. Films keep
            their own times.
        deinterlace: make frames of fields, where frames are marked as interlaced.
        progressive: take all frames as whole, whatever their marks say.

    Raises:
        ColorizerError: it cannot be read, has no video, or is of a kind that is not colored
            rightly: HDR, wide color, interlaced.
        UsageError: there is no such file, or both ways to take interlaced frames are asked for.
    """
    if deinterlace and progressive:
        raise UsageError("--deinterlace and --progressive exclude each other; leave one out")
    if str(path) == "-":
        raise UsageError("a film is read twice, so it cannot come through a pipe; give a file")
    if not path.exists():
        raise UsageError(f"no such film: {path}")
    if path.is_dir():
        return _open_folder(path, Fraction(24) if rate is None else read_rate(rate))
    if rate is not None:
        raise UsageError("--rate is for a folder of frames; a film keeps its own times")
    try:
        with av.open(path, metadata_errors="replace") as container:
            return _describe(container, path, deinterlace, progressive)
    except av.FFmpegError as error:
        raise ColorizerError(f"{path} cannot be read as a film: {sentence(error)}") from error


def frames(
    film: Film, heard: Heard | None = None, kept: Callable[[int], bool] | None = None
) -> Iterator[FilmFrame]:
    """The frames in order; what cannot be decoded is left out.

    Args:
        film: from `open_film`.
        heard: filled by the first reading; None is the second, which is quicker.
        kept: whether the own colors of a frame, by its number, go through.

    Raises: ColorizerError when frames change their size or kind, or become interlaced.
    """
    last = None
    for index, (pts, frame) in enumerate(_in_order(film, heard)):
        if last is not None and pts <= last:  # as damaged files have it
            pts = last + 1
        last = pts
        own = (0.0, False) if heard is None else colors_of(frame, film.coding)
        held = frame if kept is not None and kept(index) else None
        yield FilmFrame(index, pts, luma(frame, film.coding), frame.duration or 0, *own, held)


def rgb_frames(film: Film) -> Iterator[np.ndarray]:
    """The frames as a player shows them, in the order of `frames`: (H, W, 3) uint8, as coded."""
    for _, frame in _in_order(film, None):
        yield frame.to_ndarray(format="rgb24")


def clip(film: Film, where: float, count: int) -> Iterator[FilmFrame]:
    """Some frames from a place in a film: the first that come after the nearest key frame there.

    Args:
        film: whose frames they are.
        where: the place, as a share of the film's length, 0..1.
        count: at most so many.
    """
    if film.is_folder:
        found = _pictures(film, min(int(where * film.count), max(0, film.count - count)))
    else:
        found = _decoded(film, None, where)
    for index, (pts, frame) in enumerate(itertools.islice(found, count)):
        yield FilmFrame(index, pts, luma(frame, film.coding))


def stretch(
    film: Film, start: int, count: int, kept: Callable[[int], bool] | None = None
) -> Iterator[FilmFrame]:
    """Some frames, counted from 0 on, from one whose time is known.

    Args:
        film: a file, without a timeline, so that its times are those of its packets.
        start: the time of the first, in ticks of the film.
        count: at most so many.
        kept: as for `frames`.
    """
    found = _from(film, start, sought=True)
    first = next(found, None)
    if first is None or first[0] != start:  # its index is wrong, or it has none
        found = _from(film, start, sought=False)
    else:
        found = itertools.chain([first], found)
    for index, (pts, frame) in enumerate(itertools.islice(found, count)):
        held = frame if kept is not None and kept(index) else None
        yield FilmFrame(index, pts, luma(frame, film.coding), frame.duration or 0, held=held)


def _from(film: Film, start: int, sought: bool) -> Iterator[tuple[int, Any]]:
    found = _decoded(film, None, at=start if sought else None)
    return itertools.dropwhile(lambda one: one[0] < start, found)


def _describe(container: Any, path: Path, deinterlace: bool, progressive: bool) -> Film:
    pictured = [s for s in container.streams.video if not is_cover(s)]
    if not pictured:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise ColorizerError(f"{path} has no video stream, only {kinds}; give a film")
    stream = pictured[0]
    if stream.codec_context is None:
        raise ColorizerError(
            f"{path}: FFmpeg knows no decoder for its pictures; convert it by the program that it"
            " comes from"
        )
    rate = Fraction(stream.average_rate or stream.guessed_rate or 24)
    length = (container.duration or 0) / av.time_base  # seconds
    notes = []
    if len(pictured) > 1:
        notes.append(f"{path} has {len(pictured)} video streams; the first is colored")
    if stream.metadata.get("alpha_mode") == "1":  # FFmpeg's own decoder does not see it
        notes.append(f"{path} has transparency, which is left out")
    shown = decoded(container, stream, None)
    first = next(shown, None)
    if first is None:
        raise ColorizerError(f"{path} has no frame that can be decoded")
    if _holds_pictures(container, path) and next(shown, None) is None:
        raise UsageError(f"{path} is a single picture, no film: colorizer colorize {path}")
    _check_kind(first, stream, path, "")
    film = Film(
        path=path,
        stream=stream.index,
        width=first.width,
        height=first.height,
        aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        orientation=orientation_of(first),
        time_base=Fraction(stream.time_base),
        rate=rate,
        count=stream.frames or round(length * rate),
        coding=coding_of(first),
        deinterlace=deinterlace,
        progressive=progressive,
        notes=tuple(notes),
    )
    _check(film, stream, first, 0, None)
    return film


def _holds_pictures(container: Any, path: Path) -> bool:
    """Whether a file is of a kind that holds pictures, of which some can move."""
    name = container.format.name
    moving = name in ("gif", "apng", "webp", "ico") or path.suffix.lower() in (".avif", ".heic")
    return moving or name == "image2" or name.endswith("_pipe")


def _check_kind(frame: Any, stream: Any, path: Path, when: str) -> None:
    transfer = frame.color_trc or stream.color_trc
    if transfer in _HDR:
        raise ColorizerError(
            f"{path} is {when}HDR ({_HDR[transfer]}), which is not colored rightly; make it SDR"
            " first (ffmpeg -vf zscale=t=linear,tonemap=hable,zscale=t=bt709:m=bt709:p=bt709)"
        )
    if (frame.color_primaries or stream.color_primaries) == 9 or frame.colorspace in (9, 10):
        raise ColorizerError(
            f"{path} has {when}the wide colors of BT.2020, which are not colored rightly; convert"
            " it first (ffmpeg -vf colorspace=bt709)"
        )


def _check(film: Film, stream: Any, frame: Any, index: int, pts: int | None) -> None:
    """Raise ColorizerError for a frame that is not colored rightly, or unlike the first."""
    when = f"from {float(pts * film.time_base):.2f} s on " if index and pts is not None else ""
    _check_kind(frame, stream, film.path, when)
    if is_interlaced(frame, stream) and not (film.deinterlace or film.progressive):
        raise ColorizerError(
            f"{film} is {when}interlaced: add --deinterlace; or --progressive, if its frames are"
            " whole and marked wrongly; undo a telecine first (ffmpeg -vf fieldmatch,decimate)"
        )
    if (frame.width, frame.height) != (film.width, film.height):
        raise ColorizerError(
            f"{film} has {when}{frame.width}x{frame.height} pixels, before it"
            f" {film.width}x{film.height}; cut it where its size changes"
        )
    if index and not coding_of(frame).is_like(film.coding):
        raise ColorizerError(
            f"{film} is {when}coded in another way ({frame.format.name}, before it"
            f" {film.coding.source}, or its range or matrix changes); cut it there"
        )


def is_cover(stream: Any) -> bool:
    """Whether a video stream is a picture on the cover, and not the film."""
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _in_order(film: Film, heard: Heard | None) -> Iterator[tuple[int, Any]]:
    return _pictures(film) if film.is_folder else _decoded(film, heard)


def _decoded(
    film: Film, heard: Heard | None, where: float = 0, at: int | None = None
) -> Iterator[tuple[int, Any]]:
    try:
        with av.open(film.path, metadata_errors="replace") as container:
            stream = container.streams[film.stream]
            if where and container.duration:
                container.seek(int((container.start_time or 0) + where * container.duration))
            if at is not None:
                container.seek(at, stream=stream)
            mend = iter if film.timeline is None else film.timeline.mended
            found = _checked(film, stream, decoded(container, stream, heard, mend))
            if film.deinterlace:
                found = deinterlaced(found, stream)
            tick = 1 / (film.rate * film.time_base)
            for index, frame in enumerate(found):
                pts = _pts(frame)
                yield round(index * tick) if pts is None else pts, frame
    except av.FFmpegError as error:
        raise ColorizerError(f"{film} cannot be read: {sentence(error)}") from error


def _checked(film: Film, stream: Any, found: Iterator[Any]) -> Iterator[Any]:
    for index, frame in enumerate(found):
        _check(film, stream, frame, index, _pts(frame))
        yield frame


def _pts(frame: Any) -> int | None:
    return frame.pts if frame.pts is not None else frame.dts


def _open_folder(folder: Path, rate: Fraction) -> Film:
    files = pictures_in(folder)
    if not files:
        raise ColorizerError(f"{folder} holds no pictures; give a film, or a folder of frames")
    first = picture(files[0])
    return Film(
        path=folder,
        stream=0,
        width=first.width,
        height=first.height,
        aspect=Fraction(1),
        orientation=orientation_of(first),
        time_base=1 / rate,
        rate=rate,
        count=len(files),
        coding=coding_of(first),
    )


def _pictures(film: Film, first: int = 0) -> Iterator[tuple[int, Any]]:
    for index, path in enumerate(pictures_in(film.path)[first:], first):
        frame = picture(path)
        coding = coding_of(frame)
        if (frame.width, frame.height) != (film.width, film.height):
            raise ColorizerError(
                f"{path} has {frame.width}x{frame.height} pixels, the first frame"
                f" {film.width}x{film.height}; bring all frames to one size"
            )
        if coding.bits != film.coding.bits:
            raise ColorizerError(
                f"{path} has {coding.bits} bits, the first frame {film.coding.bits}; bring all"
                " frames to one depth"
            )
        if coding != film.coding:
            frame = frame.reformat(format=film.coding.source)
        frame.duration = 1
        yield index, frame
