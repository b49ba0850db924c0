"""Open a film and read its frames, one after another, with the times that it gives them."""

import heapq
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.film.coding import Coding, chroma_of, coding_of, luma
from colorizer.film.extra import require_av

if TYPE_CHECKING:
    import av

__all__ = [
    "PICTURES",
    "Film",
    "Frame",
    "clip",
    "frames",
    "open_film",
    "pictures_in",
    "rgb_frames",
    "sentence",
]

PICTURES = {
    *(".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dpx", ".webp", ".pgm", ".ppm", ".exr"),
}
"""Extensions of what counts as a frame in a folder of frames."""

_OFTEN = 12  # one frame in so many is looked at for colors of its own
_HDR = {16: "PQ", 18: "HLG"}
_INTERLACED = "it is interlaced; add --deinterlace, or deinterlace it first (ffmpeg -vf bwdif)"


@dataclass(frozen=True)
class Film:
    """What is known of a film before its frames are read.

    Attributes:
        path: a file, or a folder of frames.
        stream: index of the video stream; of a folder 0.
        width, height: of the coded frames, in pixels.
        aspect: of one pixel, width by height.
        rotation: degrees counterclockwise by which a player turns the frames: 0, 90, 180, 270.
        matrix: the display matrix as nine whole numbers, to be written again; None for none.
        time_base: seconds in a tick of the presentation times.
        rate: frames in a second, on average.
        count: of frames, as the container says or by its length; 0 for unknown.
        coding: what the numbers of the frames mean.
        deinterlace: whether fields are made into frames.
    """

    path: Path
    stream: int
    width: int
    height: int
    aspect: Fraction
    rotation: int
    time_base: Fraction
    rate: Fraction
    count: int
    coding: Coding
    deinterlace: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def upright(self) -> tuple[float, float]:
        """Width and height as seen: pixels squared, turned upright."""
        seen = (self.width * float(self.aspect), float(self.height))
        return seen if self.rotation % 180 == 0 else seen[::-1]

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: from 0 on.
        pts: its presentation time, in ticks of the film.
        luma: (H, W).
        chroma: mean distance of its own colors from gray, in steps of 8 bits; 0 where not looked.
    """

    index: int
    pts: int
    luma: np.ndarray
    chroma: float = 0.0


def open_film(path: Path, *, rate: float | None = None, deinterlace: bool = False) -> Film:
    """Look at a film, or at a folder of frames.

    Args:
        path: a file that FFmpeg reads, or a folder of pictures, which are taken by name.
        rate: of a folder, frames in a second; None is 24. Films keep their own times.
        deinterlace: make frames of fields, where the film is interlaced.

    Raises:
        ColorizerError: it cannot be read, has no video, or is of a kind that is not colored
            rightly: HDR, wide color, interlaced.
        UsageError: there is no such file.
    """
    if not path.exists():
        raise UsageError(f"no such film: {path}")
    if path.is_dir():
        return _open_folder(path, rate or 24.0)
    if rate is not None:
        raise UsageError("--rate is for a folder of frames; a film keeps its own times")
    av = require_av()
    try:
        with av.open(path, metadata_errors="replace") as container:
            return _describe(container, path, deinterlace)
    except av.FFmpegError as error:
        raise ColorizerError(f"{path} cannot be read as a film: {sentence(error)}") from error


def frames(film: Film, damage: "list[str] | None" = None) -> Iterator[Frame]:
    """The frames in order; what cannot be decoded is left out.

    Args:
        film: from `open_film`.
        damage: filled with a sentence for each place that cannot be decoded; None is the quicker
            second reading.

    Raises: ColorizerError when frames change their size or kind.
    """
    decoded = _pictures(film) if film.path.is_dir() else _decoded(film, damage)
    last = None
    for index, (pts, frame) in enumerate(decoded):
        if (frame.width, frame.height) != (film.width, film.height):
            raise ColorizerError(
                f"{film}: frame {index} has {frame.width}x{frame.height} pixels, the first"
                f" {film.width}x{film.height}; cut the film where its size changes"
            )
        if last is not None and pts <= last:  # as damaged files have it
            pts = last + 1
        last = pts
        looked_at = damage is not None and index % _OFTEN == 0
        chroma = chroma_of(frame, film.coding) if looked_at else 0.0
        yield Frame(index, pts, luma(frame, film.coding), chroma)


def rgb_frames(film: Film) -> Iterator[np.ndarray]:
    """The frames as a player shows them, in the order of `frames`: (H, W, 3) uint8, as coded."""
    found = _pictures(film) if film.path.is_dir() else _decoded(film, None)
    for _, frame in found:
        yield frame.to_ndarray(format="rgb24")


def clip(film: Film, where: float, count: int) -> Iterator[Frame]:
    """Some frames from a place in a film: the first that come after the nearest key frame there.

    Args:
        film: whose frames they are.
        where: the place, as a share of the film's length, 0..1.
        count: at most so many.
    """
    if film.path.is_dir():
        first = min(int(where * film.count), max(0, film.count - count))
        found = _pictures(film, first)
    else:
        found = _decoded(film, None, where)
    for index, (pts, frame) in enumerate(itertools.islice(found, count)):
        if (frame.width, frame.height) == (film.width, film.height):
            yield Frame(index, pts, luma(frame, film.coding))


def pictures_in(folder: Path) -> list[Path]:
    """The frames of a folder, by name; hidden files and subfolders are no frames."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    return sorted(path for path in found if not path.name.startswith("."))


def sentence(error: Exception) -> str:
    """What FFmpeg says of an error, without its number."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def _describe(container: "av.container.InputContainer", path: Path, deinterlace: bool) -> Film:
    pictured = [s for s in container.streams.video if not _is_cover(s)]
    if not pictured:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise ColorizerError(f"{path} has no video stream, only {kinds}; give a film")
    stream = pictured[0]
    rate = Fraction(stream.average_rate or stream.guessed_rate or 24)
    length = (container.duration or 0) / 1_000_000  # seconds
    notes = []
    if len(pictured) > 1:
        notes.append(f"{path} has {len(pictured)} video streams; the first is colored")
    first = next(_tolerant(container, stream, None), None)
    if first is None:
        raise ColorizerError(f"{path} has no frame that can be decoded")
    _check_kind(first, stream, path)
    if _is_interlaced(first, stream) and not deinterlace:
        raise ColorizerError(f"{path} cannot be colored: {_INTERLACED}")
    return Film(
        path=path,
        stream=stream.index,
        width=first.width,
        height=first.height,
        aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        rotation=round(first.rotation / 90) * 90 % 360,
        time_base=Fraction(stream.time_base),  # ty: ignore[no-matching-overload] - it has one
        rate=rate,
        count=stream.frames or round(length * rate),
        coding=coding_of(first),
        deinterlace=deinterlace and _is_interlaced(first, stream),
        notes=tuple(notes),
    )


def _check_kind(frame: Any, stream: Any, path: Path) -> None:
    transfer = frame.color_trc or stream.color_trc
    if transfer in _HDR:
        raise ColorizerError(
            f"{path} is HDR ({_HDR[transfer]}), which is not colored rightly; make it SDR first"
            " (ffmpeg -vf zscale=t=linear,tonemap=hable,zscale=t=bt709:m=bt709:p=bt709)"
        )
    if (frame.color_primaries or stream.color_primaries) == 9 or frame.colorspace in (9, 10):
        raise ColorizerError(
            f"{path} has the wide colors of BT.2020, which are not colored rightly; convert it"
            " first (ffmpeg -vf colorspace=bt709)"
        )


def _is_cover(stream: Any) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _is_interlaced(frame: Any, stream: Any) -> bool:
    return frame.interlaced_frame or stream.codec_context.field_order > 1


def _tolerant(container: Any, stream: Any, damage: list[str] | None) -> Iterator[Any]:
    """Decoded frames; a damaged packet costs its frame only, not those after it.

    AVI tells when packets are decoded, not when frames are shown: there the frames, which come in
    the order in which they are shown, take the times of the packets in order.
    """
    av = require_av()
    packets = container.demux(stream)
    # In one thread: so damage is concealed in the same way each time, and what the decoder says
    # of it can be heard.
    stream.codec_context.thread_count = 1
    times: list[int] = []
    shift = None
    timed = container.format.name != "avi"
    while True:
        packet, decoded, heard = None, [], []
        try:
            with _listening(heard if damage is not None else None):
                packet = next(packets, None)
                if packet is not None:
                    if packet.size and not timed:
                        heapq.heappush(times, packet.dts)
                    decoded = packet.decode()
        except av.FFmpegError as error:
            stopped = "" if packet else "; what comes after it cannot be read"
            heard.append(f"{sentence(error)}{stopped}")
            if packet and not timed:
                times.remove(packet.dts)
                heapq.heapify(times)
        if damage is not None:
            heard += ["a frame is damaged" for frame in decoded if frame.is_corrupt]
            damage.extend(f"{words}{_when(packet)}" for words in dict.fromkeys(heard))
        if packet is None:
            return
        for frame in decoded:
            if times:
                time = heapq.heappop(times)
                if shift is None:
                    shift = frame.dts - time if frame.dts is not None else 0
                frame.pts = time + shift
            yield frame


@contextmanager
def _listening(heard: list[str] | None) -> Iterator[None]:
    """Collect what FFmpeg calls an error in this thread, without stopping for it."""
    if heard is None:
        yield
        return
    av = require_av()
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=True) as said:
            yield
    finally:
        av.logging.set_level(before)
        heard.extend(text.strip() for _, _, text in said)


def _when(packet: Any) -> str:
    time = None if packet is None else packet.pts if packet.pts is not None else packet.dts
    return "" if time is None else f" at {float(time * packet.time_base):.2f} s"


def _decoded(film: Film, damage: list[str] | None, where: float = 0) -> Iterator[tuple[int, Any]]:
    av = require_av()
    try:
        with av.open(film.path, metadata_errors="replace") as container:
            stream = container.streams[film.stream]
            if where and container.duration:
                container.seek(int((container.start_time or 0) + where * container.duration))
            found = _tolerant(container, stream, damage)
            if film.deinterlace:
                found = _deinterlaced(found, stream)
            tick = 1 / (film.rate * film.time_base)
            for index, frame in enumerate(found):
                pts = frame.pts if frame.pts is not None else frame.dts
                yield round(index * tick) if pts is None else pts, frame
    except av.FFmpegError as error:
        raise ColorizerError(f"{film} cannot be read: {sentence(error)}") from error


def _deinterlaced(found: Iterator[Any], stream: Any) -> Iterator[Any]:
    """One frame of each pair of fields, at the same time (bwdif)."""
    av = require_av()
    graph = av.filter.Graph()
    ends = graph.add_buffer(template=stream), graph.add("buffersink")
    graph.link_nodes(ends[0], graph.add("bwdif", "mode=send_frame:deint=all"), ends[1])
    graph.configure()
    times: list[tuple[Any, Any]] = []

    def pull() -> Iterator[Any]:
        while True:
            try:
                frame = graph.vpull()
            except (BlockingIOError, av.error.EOFError):
                return
            frame.pts, frame.time_base = times.pop(0)
            yield frame

    for frame in found:
        times.append((frame.pts, frame.time_base))
        graph.vpush(frame)
        yield from pull()
    graph.vpush(None)
    yield from pull()


def _open_folder(folder: Path, rate: float) -> Film:
    files = pictures_in(folder)
    if not files:
        raise ColorizerError(f"{folder} holds no pictures; give a film, or a folder of frames")
    first = _picture(files[0])
    speed = Fraction(rate).limit_denominator(1001)
    return Film(
        path=folder,
        stream=0,
        width=first.width,
        height=first.height,
        aspect=Fraction(1),
        rotation=0,
        time_base=1 / speed,
        rate=speed,
        count=len(files),
        coding=coding_of(first),
    )


def _pictures(film: Film, first: int = 0) -> Iterator[tuple[int, Any]]:
    for index, path in enumerate(pictures_in(film.path)[first:], first):
        frame = _picture(path)
        if coding_of(frame) != film.coding:
            frame = frame.reformat(format=film.coding.source)
        yield index, frame


def _picture(path: Path) -> Any:
    av = require_av()
    try:
        # The name could hold a pattern; the bytes of one picture cannot.
        with path.open("rb") as file, av.open(file) as container:
            return next(container.decode(video=0))
    except (av.FFmpegError, OSError, StopIteration, IndexError) as error:
        raise ColorizerError(f"{path} cannot be read as a picture: {sentence(error)}") from error
