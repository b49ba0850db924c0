"""The container of a colored film, and its streams, made after those of the original."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from colorizer.extras import extra
from colorizer.film.codecs import Encoding, add_video, describe
from colorizer.film.findings import Findings
from colorizer.film.source import Film, is_cover

__all__ = ["Container", "is_written_anew", "packets_in"]

av: Any = extra("av", "video")

_QUICKTIME = {".mp4", ".mov", ".m4v"}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_OUTDATED = ("BPS", "NUMBER_OF_", "_STATISTICS", "DURATION", "ENCODER")  # of the old coding


class Container:
    """Makes the streams of a colored film, and reads the packets of the original for them.

    Args:
        film: the original.
        path: of the result; its extension selects the kind.
        target: how frames are coded.

    Attributes:
        film, path, target: the same.
        kept: indices of the film's streams that the result has, beside its pictures.
        quicktime: whether it is of that family.
        own_tags: whether tags of any name are written, as QuickTime's own.
    """

    def __init__(self, film: Film, path: Path, target: Encoding) -> None:
        self.film, self.path, self.target = film, path, target
        self.kept: list[int] = []
        self.quicktime = path.suffix.lower() in _QUICKTIME
        self.own_tags = False

    def held(self) -> AbstractContextManager[Any]:
        """The original, opened for all that is not colored; None of a folder of frames."""
        if self.film.is_folder:
            return nullcontext()
        return av.open(self.film.path, metadata_errors="replace")

    def create(self, path: Path) -> Any:
        """An output container, by the extension of its name, without random numbers in it."""
        options = {"fflags": "+bitexact"}
        if self.quicktime:
            own = "+use_metadata_tags" if self.own_tags else ""
            options["movflags"] = f"+faststart{own}"
        return av.open(path, "w", container_options=options)

    def streams(
        self,
        container: Any,
        held: Any,
        kept: Sequence[int],
        coded: tuple[Any, Findings] | None,
    ) -> tuple[dict[int, Any], Any]:
        """Make the streams of the result, in the film's order, with its tags and chapters.

        Args:
            coded: the stream of a coded segment, and the times; None to make one that can encode.

        Returns:
            Index in the film -> stream, of all others; and that of the pictures.
        """
        film = self.film
        if held is None:
            return {}, self._pictures(container, coded)
        made: dict[int, Any] = {}
        video = None
        for stream in held.streams:
            if stream.index == film.stream:
                new = video = self._pictures(container, coded)
                new.metadata.update(_tags_of_pictures(held, stream))
            elif stream.index in kept and self.is_attached(stream):
                self._attach(container, stream)
                continue
            elif stream.index in kept:
                new = made[stream.index] = container.add_stream_from_template(stream, opaque=True)
                if stream.type == "audio" and "channels" in stream.layout.name:  # as PCM of AVI
                    new.codec_context.layout = _LAYOUTS.get(stream.channels, stream.layout.name)
                new.metadata.update(stream.metadata)
            else:
                continue
            new.disposition = stream.disposition
        container.metadata.update(held.metadata)
        container.set_chapters(held.chapters())
        return made, video

    def others(self, held: Any) -> Iterator[Any]:
        """All packets but those of the pictures, with mended times that never go back."""
        if held is None:
            return
        others = [held.streams[i] for i in self.kept]
        wanted = [s for s in others if s.type != "attachment" and not self.is_attached(s)]
        if not wanted:
            return
        packets = held.demux(wanted)
        if self.film.timeline is not None:
            packets = self.film.timeline.mended(packets)
        last: dict[int, int] = {}
        for packet in packets_in(packets):
            if packet.dts is None:
                packet.dts = packet.pts
            if packet.dts is None and is_cover(packet.stream):
                packet.dts = packet.pts = 0
            if packet.dts is None:
                continue
            index = packet.stream_index
            apart = 1 if packet.stream.type in ("audio", "video") else 0
            if index in last and packet.dts < last[index] + apart:
                packet.dts = last[index] + apart
                packet.pts = max(packet.dts, packet.dts if packet.pts is None else packet.pts)
            last[index] = packet.dts
            yield packet

    def is_attached(self, stream: Any) -> bool:
        """Whether a picture on the cover becomes an attachment, as Matroska has it."""
        return self.path.suffix.lower() == ".mkv" and is_cover(stream)

    def _pictures(self, container: Any, coded: tuple[Any, Findings] | None) -> Any:
        film = self.film
        if coded is None:
            new = add_video(container, film, self.target, film.rate)
        else:
            template, findings = coded
            rate = findings.rate(film)
            if rate is None and self.quicktime:  # where it is of the timecode only
                rate = film.rate
            new = container.add_stream_from_template(template)
            # AVI counts frames
            new.time_base = 1 / film.rate if self.path.suffix.lower() == ".avi" else film.time_base
            describe(new.codec_context, film, rate)
        if self.target.codec == "hevc" and self.quicktime:
            new.codec_context.codec_tag = "hvc1"  # the only one that Apple plays
        if film.orientation.matrix is not None:
            new.set_display_matrix(film.orientation.matrix)
        return new

    def _attach(self, container: Any, stream: Any) -> None:
        with self.held() as held:
            packet = next(packets_in(held.demux(held.streams[stream.index])))
        kind = {"png": "png", "mjpeg": "jpeg"}.get(stream.name, stream.name)
        name = stream.metadata.get("filename", f"cover.{kind.replace('jpeg', 'jpg')}")
        mime = stream.metadata.get("mimetype", f"image/{kind}")
        container.add_attachment(name, mime, bytes(packet))


def is_written_anew(stream: Any, held: Any) -> bool:
    """Whether a stream only holds what is told otherwise: chapters, or the timecode of the first
    frame."""
    if stream.type != "data":
        return False
    if "timecode" in stream.metadata:
        return True
    return stream.name == "bin_data" and bool(held.chapters()) and "mov" in held.format.name


def _tags_of_pictures(held: Any, stream: Any) -> dict[str, str]:
    """Those of the film's pictures that are true of the colored ones too, and the timecode."""
    tags = {
        key: value
        for key, value in stream.metadata.items()
        if not key.upper().startswith(_OUTDATED)
    }
    codes = [s.metadata["timecode"] for s in held.streams if "timecode" in s.metadata]
    if codes and not any(key.lower() == "timecode" for key in tags):
        tags["timecode"] = codes[0]
    return tags


def packets_in(found: Iterator[Any]) -> Iterator[Any]:
    """As they are, up to where a damaged film can be read."""
    while True:
        try:
            packet = next(found, None)
        except av.FFmpegError:  # told when the frames were read
            return
        if packet is None:
            return
        if packet.size:
            yield packet
