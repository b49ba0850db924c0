"""The packets of a film, read once: when they are, how long, and a digest of what they hold.

A capture counts from anywhere, and begins anew where two were joined. Times are mended before
anything is decoded, for all streams alike, as `ffmpeg -c copy` does.
"""

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from colorizer.extras import extra

__all__ = ["CAPTURES", "Timeline", "Track", "read_timeline"]

av: Any = extra("av", "video")

CAPTURES = {"mpegts", "mpeg", "mpegtsraw"}
"""FFmpeg's names of the containers whose times begin anywhere, and may begin anew."""

_BACK, _AHEAD = 0.1, 10.0  # seconds, by which a time jumps: the thresholds of ffmpeg
_NEAR = 5.0  # seconds between the places to which two streams jump at once


@dataclass
class Track:
    """What the packets of one stream say; times are in its ticks, as the container has them.

    Attributes:
        kind: audio, subtitle, video, data.
        time_base: seconds in a tick.
        starts: (N,) presentation times; of AVI, when packets are decoded.
        lengths: (N,) durations, 0 where unknown.
        jumps: numbers of the packets at which times begin anew.
        offsets: what is added to times up to there and from there on, one more than `jumps`.
    """

    kind: str
    time_base: Fraction
    starts: array = field(default_factory=lambda: array("q"))
    lengths: array = field(default_factory=lambda: array("q"))
    jumps: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [0])
    _order: array = field(default_factory=lambda: array("q"), repr=False)  # decoding times
    _seen: array = field(default_factory=lambda: array("q"), repr=False)  # pictures read before
    _digest: Any = field(default_factory=hashlib.sha256, repr=False)

    @property
    def count(self) -> int:
        """Of packets."""
        return len(self.starts)

    @property
    def digest(self) -> str:
        """Of the bytes of all packets."""
        return self._digest.hexdigest()

    @property
    def begin(self) -> float:
        """The first mended presentation time, in seconds; 0 without packets."""
        found = (t + self.offset(n) for n, t in enumerate(self.starts[:64]))
        return float(min(found, default=0) * self.time_base)

    @property
    def end(self) -> float:
        """Where the last packet ends, in seconds; 0 without packets."""
        first = max(0, self.count - 64)
        found = (
            self.starts[n] + self.lengths[n] + self.offset(n) for n in range(first, self.count)
        )
        return float(max(found, default=0) * self.time_base)

    def offset(self, number: int) -> int:
        """What is added to the times of a packet."""
        return self.offsets[bisect_right(self.jumps, number)]

    def add(self, packet: Any, guessed: bool, seen: int) -> None:
        """Take note of a packet; `guessed`: its presentation time is; `seen`: pictures before."""
        self._digest.update(packet)
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = self._order[-1] + self.lengths[-1] if self._order else 0
        self._order.append(dts)
        self.starts.append(dts if guessed or packet.pts is None else packet.pts)
        self.lengths.append(packet.duration or 0)
        self._seen.append(seen)

    def find_jumps(self) -> list[int]:
        """Numbers of the packets before which time goes back, or far ahead."""
        back, ahead = (round(limit / self.time_base) for limit in (_BACK, _AHEAD))
        order = self._order
        steps = ((n, order[n] - order[n - 1]) for n in range(1, len(order)))
        return [n for n, step in steps if step < -back or step > ahead]

    def gap(self, number: int) -> Fraction:
        """Seconds by which a packet comes before the end of the one that it follows."""
        before = self._order[number - 1]
        usual = before - self._order[number - 2] if number > 1 else 0
        length = self.lengths[number - 1] or max(0, usual)
        return (before + length - self._order[number]) * self.time_base

    def place(self, number: int) -> float:
        """Decoding time of a packet as the container has it, in seconds."""
        return float(self._order[number] * self.time_base)

    def first_after(self, pictures: int) -> int | None:
        """The first packet that was read after so many pictures."""
        return next((n for n, seen in enumerate(self._seen) if seen > pictures), None)


@dataclass
class Timeline:
    """All tracks of a film.

    Attributes:
        tracks: index of a stream -> what its packets say.
        notes: sentences on what was mended.
    """

    tracks: dict[int, Track]
    notes: tuple[str, ...] = ()

    def mended(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Packets of any streams, from the first on, with the times that the film should have."""
        counts = dict.fromkeys(self.tracks, 0)
        for packet in packets:
            track = self.tracks.get(packet.stream_index)
            if track is not None and packet.size:
                offset = track.offset(counts[packet.stream_index])
                counts[packet.stream_index] += 1
                if offset:
                    packet.pts = None if packet.pts is None else packet.pts + offset
                    packet.dts = None if packet.dts is None else packet.dts + offset
            yield packet


def read_timeline(
    path: Path,
    main: int,
    shifted: bool = False,
    step: Callable[[float], None] | None = None,
) -> Timeline:
    """Read all packets of a film, up to where it is damaged.

    Args:
        path: of the film.
        main: index of the stream whose jumps count.
        shifted: whether a capture is made to begin at 0.
        step: told which share of the file is read.
    """
    with av.open(path, metadata_errors="replace") as container:
        tracks = {
            s.index: Track(s.type, Fraction(s.time_base or 1))
            for s in container.streams
            if s.type != "attachment"
        }
        capture, guessed = container.format.name in CAPTURES, container.format.name == "avi"
        packets = container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # told when the frames are read
                break
            if packet is None:
                break
            if packet.size and packet.stream_index in tracks:
                tracks[packet.stream_index].add(packet, guessed, tracks[main].count)
                if step and packet.pos and container.size > 0:
                    step(packet.pos / container.size)
        start = Fraction(container.start_time or 0, av.time_base)
    notes = _join(tracks, main) if capture else ()
    if capture and shifted:
        for track in tracks.values():
            track.offsets = [o - round(start / track.time_base) for o in track.offsets]
    return Timeline(tracks, notes)


def _join(tracks: dict[int, Track], main: int) -> tuple[str, ...]:
    """Let each part of a joined capture begin where all streams of the one before have ended."""
    lead = tracks[main]
    jumps = lead.find_jumps()
    if not jumps:
        return ()
    landings = [lead.place(n) for n in jumps]
    parts: dict[int, list[int | None]] = {main: [*jumps]}
    for index, track in tracks.items():
        if index != main and track.kind in ("audio", "video"):
            parts[index] = _matched(track, landings)
        elif index != main:
            parts[index] = [track.first_after(n) for n in jumps]
    offset = Fraction(0)
    for k in range(len(jumps)):
        begun = {index: n for index, ns in parts.items() if (n := ns[k]) is not None}
        steady = [i for i, n in begun.items() if n and tracks[i].kind in ("audio", "video")]
        offset += max(tracks[i].gap(begun[i]) for i in steady)
        for index, n in begun.items():
            tracks[index].jumps.append(n)
            tracks[index].offsets.append(round(offset / tracks[index].time_base))
    places = ", ".join(f"frame {n}" for n in jumps[:3])
    more = f" and {len(jumps) - 3} more" if len(jumps) > 3 else ""
    return (f"its times begin anew at {places}{more}; they go on there without a gap",)


def _matched(track: Track, landings: list[float]) -> list[int | None]:
    """The packets that begin the parts; None where a stream has none in a part."""
    taken: list[int | None] = [None] * len(landings)
    after = 0
    for n in track.find_jumps():
        near = [k for k in range(after, len(landings)) if abs(landings[k] - track.place(n)) < _NEAR]
        if near:
            taken[near[0]] = n
            after = near[0] + 1
    return taken
