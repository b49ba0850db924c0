"""A film as one file: colored segments, joined with all else that the original holds."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.film.codecs import Encoding, VideoWriter, make_frame
from colorizer.film.comparison import compare, lost_marks, shown
from colorizer.film.container import Container, is_written_anew, packets_in
from colorizer.film.decoding import listening, sentence
from colorizer.film.findings import Findings
from colorizer.film.source import Film, is_cover
from colorizer.support.files import temporary, whole

__all__ = ["DROPS", "FilmFile"]

av: Any = extra("av", "video")

DROPS = {"audio": "audio", "subtitles": "subtitle", "data": "data", "attachments": "attachment"}
"""What `--drop` takes: FFmpeg's name of the kind of stream."""

_EVEN = 0.02  # of a frame, by which times may differ in a container that has a fixed rate
_SHORT = 8  # frames, and packets of each stream, of the film that is tried before the work
_TRIED = 2000  # packets that are read for it, at most
_MPEG = {".vob", ".mpg", ".mpeg", ".m2v", ".dat"}


@dataclass
class _RefusedError(Exception):
    """What a container does not take, in FFmpeg's words."""

    words: str


class FilmFile(Container):
    """Writes a film into one file, with all that the original holds beside its pictures.

    Args:
        film: what is colored, and where the other streams, chapters and tags come from.
        path: its extension selects the container.
        target: how frames are coded.
        drop: kinds of streams that are left out, as in `DROPS`.

    Attributes:
        film: the same; one with a timeline takes its place before the work.
        chroma: pixels of luma for one of chroma, across and down.
    """

    def __init__(self, film: Film, path: Path, target: Encoding, drop: Sequence[str] = ()) -> None:
        super().__init__(film, path, target)
        self._dropped = {DROPS[kind] for kind in drop}
        self.chroma = target.across, target.down

    def check(self) -> list[str]:
        """Find out before the work whether the file can hold it all, by writing a short one.

        Returns:
            Sentences on what is left out, or lost.

        Raises:
            UsageError: an unknown extension, or one whose container cannot hold a stream.
        """
        if self.path.suffix.lower() in _MPEG:
            raise UsageError(
                f"{self.path.suffix} holds pictures of MPEG-2 only, which are not written; give"
                " the output the extension .mkv"
            )
        notes = []
        if self.film.coding.has_alpha:
            notes.append(f"{self.film} has transparency, which is left out")
        if self.chroma == (1, 1) and self.target.codec in ("h264", "hevc"):
            notes.append(
                f"{self.film} has an odd size, so it is coded in 4:4:4, which not every player"
                " shows; --codec vp9 is shown by more"
            )
        with self.held() as held:
            streams = (
                [] if held is None else [s for s in held.streams if s.index != self.film.stream]
            )
            left = {s.index for s in streams if s.type in self._dropped}
            left |= {s.index for s in streams if is_written_anew(s, held)}
            for stream in streams:
                spare = stream.type in ("data", "unknown") or is_cover(stream)
                if spare and stream.index not in left and self._problem(held, [stream.index]):
                    left.add(stream.index)
                    what = "cover" if is_cover(stream) else "data"
                    notes.append(
                        f"the {what} of stream {stream.index} is left out: {self.path.suffix} does"
                        " not take it"
                    )
            self.kept = [s.index for s in streams if s.index not in left]
            problem = self._problem(held, self.kept)
            if problem:
                raise UsageError(self._told(held, problem))
            lost = self._lost(held)
            if lost and self.quicktime:  # QuickTime's own tags may have any name
                self.own_tags = True
                try:
                    now = self._lost(held)
                except _RefusedError:
                    now = lost
                self.own_tags = len(now) < len(lost)
                lost = now if self.own_tags else lost
        return notes + lost

    def check_times(self, findings: Findings) -> None:
        """Raise UsageError where the container knows one rate only, and the film has many."""
        place = (findings.pts - findings.pts[0]) * float(self.film.time_base * self.film.rate)
        apart = np.abs(place - np.rint(place)).max()  # AVI may leave out whole frames
        if self.path.suffix.lower() == ".avi" and apart > _EVEN:
            raise UsageError(
                f"{self.film} shows its frames for different times, which .avi cannot; give the"
                " output the extension .mkv"
            )

    def writer(self, work: Path, first: int, findings: Findings) -> VideoWriter:
        """What writes a segment into the file `work`."""
        return VideoWriter(work, self.film, self.target, findings.rate(self.film))

    def join(
        self, segments: Sequence[Path], findings: Findings, mark: str, work: Path
    ) -> list[str]:
        """Write the film from its whole segments, and compare it with the original.

        Args:
            segments: in order.
            findings: the times.
            mark: a sentence for the tag `comment`.
            work: unused; a file is written beside the destination.

        Returns:
            Sentences on what differs.

        Raises:
            ColorizerError: FFmpeg cannot write it, or the times are not kept.
            OSError: the disk is full, or no permission.
        """
        with whole(self.path) as path:
            said: list[str] = []
            try:
                with listening(said):
                    self._write(segments, path, mark, findings)
            except ValueError as error:  # of FFmpeg's own errors, those that are no OSError
                words = said[-1] if said else sentence(error)
                raise ColorizerError(f"{self.path} cannot be written: {words}") from error
            return compare(self.film, self.kept, path, findings)

    def _problem(self, held: Any, kept: Sequence[int]) -> str | None:
        """Why a short film with these streams cannot be written, or read again; None if it can."""
        with temporary(self.path, self.path.suffix) as trial:
            try:
                self._try(held, kept, trial)
            except _RefusedError as refused:
                return refused.words
        return None

    def _try(self, held: Any, kept: Sequence[int], trial: Path) -> None:
        said: list[str] = []
        try:
            with listening(said), self.create(trial) as container:
                streams, video = self.streams(container, held, kept, None)
                pictures = [p for frame in self._grays() for p in video.encode(frame)]
                pictures += video.encode()
                others = list(self._firsts(kept))
                for packet in others:
                    packet.stream = streams[packet.stream_index]
                for packet in sorted([*pictures, *others], key=_seconds):
                    container.mux_one(packet)
            found = shown(trial, self.target.codec, len(kept))
        except (av.FFmpegError, ValueError, IndexError) as error:
            raise _RefusedError(said[-1] if said else sentence(error)) from error
        if found is None:
            raise _RefusedError("what was written cannot be read again")
        if found.turns != self.film.orientation.turns or (
            found.mirrored != self.film.orientation.mirrored
        ):
            raise _RefusedError("it cannot tell players to turn or mirror the picture")

    def _firsts(self, kept: Sequence[int]) -> Iterator[Any]:
        """Some packets of each stream, where they come early enough, with times from 0 on."""
        wanted = dict.fromkeys(kept, _SHORT)
        if not wanted:
            return
        begun: dict[int, int] = {}
        with self.held() as held:
            for stream in held.streams:
                if stream.type == "attachment" or self.is_attached(stream):
                    wanted.pop(stream.index, None)
            for packet in itertools.islice(packets_in(held.demux()), _TRIED):
                index = packet.stream_index
                if wanted.get(index):
                    wanted[index] -= 1
                    time = packet.dts if packet.dts is not None else packet.pts or 0
                    start = begun.setdefault(index, time)
                    if time >= start:
                        packet.dts = packet.pts = time - start
                        yield packet
                if not any(wanted.values()):
                    return

    def _grays(self) -> Iterator[Any]:
        film, target = self.film, self.target
        kind = np.uint8 if film.coding.bits == 8 else np.uint16
        gray = np.full((film.height, film.width), 2 ** (film.coding.bits - 1), kind)
        chroma = gray[: -(-film.height // target.down), : -(-film.width // target.across)]
        frame = make_frame((gray, chroma, chroma), target.format)
        for number in range(_SHORT):
            frame.time_base = film.time_base
            frame.pts = round(number / (film.rate * film.time_base))
            yield frame

    def _told(self, held: Any, problem: str) -> str:
        """The sentence that says which stream is refused, and what helps."""
        suffix = self.path.suffix
        other = "" if suffix == ".mkv" else "give the output the extension .mkv"
        alone = self._problem(held, [])
        if alone:
            if "not find" in alone or "determine" in alone or "output format" in alone:
                return f"{suffix} is no film that can be written ({alone}); {other}"
            other = other or "choose another --codec, such as ffv1"
            return f"{suffix} does not take {self.target.codec} of {self.film} ({alone}); {other}"
        kinds = {kind: drop for drop, kind in DROPS.items()}
        for index in self.kept:
            words = self._problem(held, [index])
            if words:
                stream = held.streams[index]
                drop = (
                    f"leave it out by --drop {kinds[stream.type]}" if stream.type in kinds else ""
                )
                ways = " or ".join(way for way in (other, drop) if way) or "leave it out first"
                name = getattr(stream, "name", None)
                what = f"{stream.type} stream {index}{f' ({name})' if name else ''}"
                return f"{suffix} does not take the {what} of {self.film} ({words}); {ways}"
        ways = other or "leave out what it does not take by --drop"
        return f"{suffix} does not take all that is in {self.film} ({problem}); {ways}"

    def _lost(self, held: Any) -> list[str]:
        """Sentences on tags, chapters and marks that a short film has lost."""
        if held is None:
            return []
        with temporary(self.path, self.path.suffix) as trial:
            self._try(held, self.kept, trial)
            return lost_marks(self.film, self.kept, trial)

    def _write(self, segments: Sequence[Path], path: Path, mark: str, findings: Findings) -> None:
        film = self.film
        with self.held() as held, self.create(path) as container:
            with av.open(segments[0], format="nut") as first:
                template = first.streams.video[0]
                streams, video = self.streams(container, held, self.kept, (template, findings))
            self._mark(container, mark)
            others = self.others(held)
            for _, index, packet in heapq.merge(
                (
                    (_seconds(packet), film.stream, packet)
                    for packet in _colored(segments, findings, film)
                ),
                ((_seconds(packet), packet.stream_index, packet) for packet in others),
                key=lambda item: item[0],
            ):
                packet.stream = video if index == film.stream else streams[index]
                container.mux_one(packet)

    @staticmethod
    def _mark(container: Any, mark: str) -> None:
        key = next((k for k in container.metadata if k.lower() == "comment"), "comment")
        own = container.metadata.get(key)
        container.metadata[key] = f"{own}; {mark}" if own else mark


def _colored(segments: Sequence[Path], findings: Findings, film: Film) -> Iterator[Any]:
    """The packets of all segments, each as long as its frame is shown."""
    ends = [*findings.pts[1:].tolist(), findings.end]
    number = 0
    for segment in segments:
        with av.open(segment, format="nut") as container:
            for packet in container.demux(video=0):
                if packet.size:
                    packet.time_base = film.time_base
                    # no frame is coded before one that is shown earlier
                    packet.dts = packet.pts = int(findings.pts[number])
                    packet.duration = ends[number] - packet.pts
                    number += 1
                    yield packet


def _seconds(packet: Any) -> Fraction:
    return packet.dts * packet.time_base
