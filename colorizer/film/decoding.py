"""Decoded frames of a film's pictures, whatever is wrong with its packets."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from colorizer.extras import extra

__all__ = ["Heard", "decoded", "deinterlaced", "is_interlaced", "listening", "sentence"]

av: Any = extra("av", "video")


@dataclass
class Heard:
    """What the first reading of a film tells beside its frames.

    Attributes:
        damage: a sentence for each place that cannot be decoded.
        interlaced: how many frames are marked as made of two fields.
    """

    damage: list[str] = field(default_factory=list)
    interlaced: int = 0


def decoded(
    container: Any,
    stream: Any,
    heard: Heard | None,
    packets: Callable[[Iterator[Any]], Iterator[Any]] = iter,
) -> Iterator[Any]:
    """Decoded frames; a damaged packet costs its frame only, not those after it.

    AVI tells when packets are decoded, not when frames are shown: there the frames, which come in
    the order in which they are shown, take the times of the packets in order.

    Args:
        container, stream: as PyAV has them.
        heard: filled with what is found; None: nothing is told.
        packets: what is done with the packets on their way, such as mending their times.
    """
    found = packets(container.demux(stream))
    # In one thread: so damage is concealed in the same way each time, and what the decoder says
    # of it can be heard.
    stream.codec_context.thread_count = 1
    times: list[int] = []
    shift = None
    timed = container.format.name != "avi"
    while True:
        packet, frames, said = None, [], []
        try:
            with listening(said if heard is not None else None):
                packet = next(found, None)
                if packet is not None:
                    if packet.size and not timed:
                        heapq.heappush(times, packet.dts)
                    frames = packet.decode()
        except av.FFmpegError as error:
            stopped = "" if packet else "; what comes after it cannot be read"
            said.append(f"{sentence(error)}{stopped}")
            if packet and packet.dts in times:
                times.remove(packet.dts)
                heapq.heapify(times)
        if heard is not None:
            said += ["a frame is damaged" for frame in frames if frame.is_corrupt]
            heard.damage += (f"{words}{_when(packet)}" for words in dict.fromkeys(said))
            heard.interlaced += sum(is_interlaced(frame, stream) for frame in frames)
        if packet is None:
            return
        for frame in frames:
            if times:
                time = heapq.heappop(times)
                if shift is None:
                    shift = frame.dts - time if frame.dts is not None else 0
                frame.pts = time + shift
            yield frame


def is_interlaced(frame: Any, stream: Any) -> bool:
    """Whether a frame, or the container of all of them, says that it is made of two fields."""
    return frame.interlaced_frame or stream.codec_context.field_order > 1


def deinterlaced(found: Iterator[Any], stream: Any) -> Iterator[Any]:
    """One frame of each pair of fields, at the same time (bwdif); whole frames stay as they are."""
    graph = av.filter.Graph()
    ends = graph.add_buffer(template=stream), graph.add("buffersink")
    which = "all" if stream.codec_context.field_order > 1 else "interlaced"
    graph.link_nodes(ends[0], graph.add("bwdif", f"mode=send_frame:deint={which}"), ends[1])
    graph.configure()
    times: list[tuple[Any, Any, Any]] = []

    def pull() -> Iterator[Any]:
        while True:
            try:
                frame = graph.vpull()
            except (BlockingIOError, av.error.EOFError):
                return
            frame.pts, frame.time_base, frame.duration = times.pop(0)
            yield frame

    for frame in found:
        times.append((frame.pts, frame.time_base, frame.duration))
        graph.vpush(frame)
        yield from pull()
    graph.vpush(None)
    yield from pull()


@contextmanager
def listening(heard: list[str] | None) -> Iterator[None]:
    """Collect what FFmpeg calls an error in this thread, without stopping for it."""
    if heard is None:
        yield
        return
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=True) as said:
            yield
    finally:
        av.logging.set_level(before)
        heard.extend(text.strip() for _, _, text in said)


def sentence(error: Exception) -> str:
    """What FFmpeg says of an error, without its number."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def _when(packet: Any) -> str:
    time = None if packet is None else packet.pts if packet.pts is not None else packet.dts
    return "" if time is None else f" at {float(time * packet.time_base):.2f} s"
