"""Join colored segments and all else that a film holds into one file, and check the result."""

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.film.codecs import Target, VideoWriter, add_video, describe
from colorizer.film.extra import require_av
from colorizer.film.shots import Plan
from colorizer.film.source import Film, sentence
from colorizer.support.files import temporary, whole

__all__ = ["FilmFile", "verify"]

_FASTSTART = {".mp4", ".mov", ".m4v"}
_EVEN = 0.02  # of a frame, by which times may differ in a container that has a fixed rate


class FilmFile:
    """Writes a film into one file, with all that the original holds beside its pictures.

    Args:
        film: what is colored, and where the other streams, chapters and tags come from.
        path: its extension selects the container.
        target: how frames are coded.

    Attributes:
        chroma: pixels of luma for one of chroma, across and down.
    """

    def __init__(self, film: Film, path: Path, target: Target) -> None:
        self._film, self._path, self._target = film, path, target
        self.chroma = target.across, target.down

    def check(self, path: Path) -> list[str]:
        """Find out before the work whether the file can hold it all, by writing its first bytes.

        Returns:
            Sentences on what is left out.

        Raises:
            UsageError: an unknown extension, or one whose container cannot hold a stream.
        """
        av = require_av()
        notes = []
        if self._film.coding.has_alpha:
            notes.append(f"{self._film} has transparency, which is left out")
        with temporary(path, path.suffix) as trial:
            try:
                with self._held() as held, _create(trial) as container:
                    notes += self._streams(container, held, None)[1]
                    container.start_encoding()
            except (av.FFmpegError, ValueError) as error:
                raise UsageError(
                    f"{path.suffix} cannot hold {self._target.codec} with all else that is in"
                    f" {self._film} ({sentence(error)}); give the output the extension .mkv"
                ) from error
        return notes

    def check_times(self, plan: Plan) -> None:
        """Raise UsageError where the container knows one rate only, and the film has many."""
        place = (plan.pts - plan.pts[0]) * float(self._film.time_base * self._film.rate)
        apart = np.abs(place - np.rint(place)).max()  # AVI may leave out whole frames
        if self._path.suffix.lower() == ".avi" and apart > _EVEN:
            raise UsageError(
                f"{self._film} shows its frames for different times, which .avi cannot; give the"
                " output the extension .mkv"
            )

    def writer(self, work: Path, first: int) -> VideoWriter:
        """Of a segment."""
        return VideoWriter(work, self._film, self._target)

    def join(self, segments: Sequence[Path], plan: Plan, mark: str) -> list[str]:
        """Write the film from its whole segments, and read it again.

        Args:
            segments: in order.
            plan: the times.
            mark: a sentence for the tag `comment`.

        Returns:
            Sentences on what the container has wrapped in another way.

        Raises:
            ColorizerError: FFmpeg cannot write it, or the times are not kept.
            OSError: the disk is full, or no permission.
        """
        with whole(self._path) as work:
            try:
                self._write(segments, work, mark)
            except ValueError as error:  # of FFmpeg's own errors, those that are no OSError
                raise ColorizerError(
                    f"{self._path} cannot be written: {sentence(error)}"
                ) from error
            return verify(self._film, work, plan.pts)

    def _write(self, segments: Sequence[Path], path: Path, mark: str) -> None:
        av, film = require_av(), self._film
        with self._held() as held, _create(path) as container:
            with av.open(segments[0], format="nut") as first:
                streams, _ = self._streams(container, held, first.streams.video[0])
            if held is not None:
                container.metadata.update(held.metadata)
                container.set_chapters(held.chapters())
            key = next((k for k in container.metadata if k.lower() == "comment"), "comment")
            own = container.metadata.get(key)
            container.metadata[key] = f"{own}; {mark}" if own else mark
            others = _other_packets(held, [i for i in streams if i != film.stream])
            for _, index, packet in heapq.merge(
                ((_seconds(packet), film.stream, packet) for packet in _colored(segments)),
                ((_seconds(packet), packet.stream_index, packet) for packet in others),
                key=lambda item: item[0],
            ):
                packet.stream = streams[index]
                container.mux_one(packet)

    def _held(self) -> AbstractContextManager[Any]:
        """The original, opened for all that is not colored; None of a folder of frames."""
        if self._film.path.is_dir():
            return nullcontext()
        return require_av().open(self._film.path, metadata_errors="replace")

    def _streams(
        self, container: Any, held: Any, template: Any
    ) -> tuple[dict[int, Any], list[str]]:
        """Make the streams of the result in the film's order: index in the film -> stream.

        Args:
            template: the stream of a coded segment; None to make one that could encode.
        """
        film = self._film
        made, notes = {}, []
        for stream in [None] if held is None else held.streams:
            if stream is None or stream.index == film.stream:
                if template is None:
                    new = add_video(container, film, self._target)
                else:
                    new = container.add_stream_from_template(template)
                    new.time_base = film.time_base
                    describe(new.codec_context, film)
                    if self._target.codec == "hevc" and self._path.suffix in _FASTSTART:
                        new.codec_context.codec_tag = "hvc1"  # the only one that Apple plays
                if film.rotation:
                    new.set_display_rotation(film.rotation)
            else:
                try:
                    new = container.add_stream_from_template(stream, opaque=True)
                except ValueError:
                    if stream.type != "data":
                        raise
                    notes.append(f"the data stream {stream.index} is left out")
                    continue
            if stream is not None:
                new.metadata.update(stream.metadata)
                new.disposition = stream.disposition
            made[film.stream if stream is None else stream.index] = new
        return made, notes


def verify(film: Film, path: Path, pts: np.ndarray) -> list[str]:
    """Read a colored film again: its times are those of the film, and its other packets too.

    Returns:
        Sentences on what a container has wrapped in another way.

    Raises:
        ColorizerError: the times of the frames are not those of the film.
    """
    (times, tick), copies = _packets_of(path)
    originals = [] if film.path.is_dir() else _packets_of(film.path, film.stream)[1]
    if len(times) != len(pts):
        raise ColorizerError(f"{path.suffix} holds {len(times)} of {len(pts)} frames of {film}")
    found, expected = np.sort(times) * float(tick), pts * float(film.time_base)
    apart = np.abs((found - found[0]) - (expected - expected[0])).max()
    if apart > 1.01 * float(tick):  # each of two times is rounded to a tick
        raise ColorizerError(
            f"{path.suffix} does not keep the times of {film}: they are off by up to"
            f" {apart * 1000:.1f} ms; give the output the extension .mkv"
        )
    changed = [
        kind
        for (kind, digest), (_, other) in zip(originals, copies, strict=False)
        if digest != other
    ]
    return [f"the {kind} is the same, wrapped as {path.suffix} wants it" for kind in changed]


def _create(path: Path) -> Any:
    """An output container, by the extension of its name, without random numbers in it."""
    options = {"fflags": "+bitexact"}
    if path.suffix.lower() in _FASTSTART:
        options["movflags"] = "+faststart"
    return require_av().open(path, "w", container_options=options)


def _colored(segments: Sequence[Path]) -> Iterator[Any]:
    av = require_av()
    for segment in segments:
        with av.open(segment, format="nut") as container:
            for packet in container.demux(video=0):
                if packet.size:
                    packet.dts = packet.pts  # no frame is coded before one that is shown earlier
                    yield packet


def _other_packets(held: Any, indices: Sequence[int]) -> Iterator[Any]:
    """As they are, up to where a damaged film can be read."""
    if held is None:
        return
    av = require_av()
    wanted = [held.streams[i] for i in indices if held.streams[i].type != "attachment"]
    if not wanted:
        return
    packets = held.demux(wanted)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # told when the frames were read
            return
        if packet is None:
            return
        if packet.size == 0:
            continue
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.dts is not None:
            yield packet


def _seconds(packet: Any) -> float:
    return float(packet.dts * packet.time_base)


def _packets_of(path: Path, stream: int | None = None) -> tuple[tuple[list[int], Any], list]:
    """Times of the pictures, with their tick, and of each other stream a digest of its packets."""
    av = require_av()
    with av.open(path, metadata_errors="replace") as container:
        video = container.streams.video[0] if stream is None else container.streams[stream]
        others = {
            s.index: (f"{s.type} stream {s.index}", hashlib.sha256())
            for s in container.streams
            if s.index != video.index and s.type in ("audio", "subtitle")
        }
        times = []
        packets = container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                break
            if packet is None:
                break
            if packet.stream_index == video.index and packet.size:
                guessed = packet.pts is None or container.format.name == "avi"
                times.append(packet.dts if guessed else packet.pts)
            elif packet.stream_index in others:
                others[packet.stream_index][1].update(bytes(packet))
    digests = [(kind, digest.hexdigest()) for kind, digest in others.values()]
    return (times, video.time_base), digests
