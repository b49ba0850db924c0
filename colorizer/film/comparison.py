"""A colored film beside its original: what differs is an error, or is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError
from colorizer.extras import extra
from colorizer.film.findings import Findings
from colorizer.film.orientation import Orientation, orientation_of
from colorizer.film.source import Film, is_cover
from colorizer.film.timeline import Track, read_timeline

__all__ = ["compare", "lost_marks", "shown"]

av: Any = extra("av", "video")

_APART = 0.03  # seconds, by which a track may begin elsewhere against the pictures
_CHANGED = {"encoder", "comment", "major_brand", "minor_version", "compatible_brands"}
_TECHNICAL = {"handler_name", "vendor_id", "encoder", "duration", "language", "alpha_mode"}
_OF_A_SIDE = ("bps", "number_of_", "_statistics", "duration", "encoder", "variant_bitrate")


def compare(film: Film, kept: Sequence[int], path: Path, findings: Findings) -> list[str]:
    """Read a colored film again: times, lengths, packets of other streams, tags, chapters.

    Args:
        film: the original.
        kept: its streams that should be there, beside the pictures.
        path: of the result.
        findings: the times.

    Returns:
        Sentences on what differs.

    Raises:
        ColorizerError: the times of the frames are not those of the film.
    """
    with av.open(path, metadata_errors="replace") as container:
        main = _main(container)
    if main is None:
        raise ColorizerError(f"{path.suffix} holds no picture of {film}")
    found = read_timeline(path, main).tracks
    pictures = found.pop(main)
    _check_times(film, pictures, findings, path.suffix)
    notes = []
    ends = findings.end * float(film.time_base)
    begins = float(findings.pts[0]) * float(film.time_base)
    length, kept_length = ends - begins, pictures.end - pictures.begin
    told = pictures.lengths[-1] > 0  # Matroska leaves out how long the last one is shown
    if told and abs(length - kept_length) > max(_APART, 1.1 * float(1 / film.rate)):
        notes.append(
            f"the pictures last {kept_length:.3f} s in {path.suffix}, and {length:.3f} s in {film}"
        )
    if film.timeline is not None:
        originals = {i: film.timeline.tracks[i] for i in kept if i in film.timeline.tracks}
        notes += _tracks(originals, found, begins - pictures.begin, path.suffix)
    return notes + ([] if film.is_folder else lost_marks(film, kept, path))


def shown(path: Path, codec: str, others: int) -> Orientation | None:
    """How the first frame of a written film is turned; None where not all of it can be read."""
    with av.open(path, metadata_errors="replace") as container:
        main = _main(container)
        if main is None or container.streams[main].codec_context.name.lower() not in _names(codec):
            return None
        if len(container.streams) < 1 + others:
            return None
        frame = next(container.decode(container.streams[main]), None)
        return None if frame is None else orientation_of(frame)


def lost_marks(film: Film, kept: Sequence[int], path: Path) -> list[str]:
    """Sentences on tags, chapters and marks of streams that a written film has not."""
    with (
        av.open(film.path, metadata_errors="replace") as old,
        av.open(path, metadata_errors="replace") as new,
    ):
        there = {_plain(key) for key in new.metadata} | _CHANGED
        lost = [key for key in old.metadata if _plain(key) not in there]
        pairs = [(old.streams[film.stream], new.streams[_main(new) or 0])]
        pairs += _paired([old.streams[i] for i in kept], new.streams, pairs[0][1].index)
        marks = []
        for a, b in pairs:
            there = {_plain(key) for key in b.metadata} | _TECHNICAL
            for key, value in _tags(a).items():
                if _plain(key) not in there and value:
                    lost.append(f"{key} of stream {a.index}")
            spoken = a.metadata.get("language", "und")
            if spoken != "und" and b.metadata.get("language", "und") == "und":
                marks.append(f"the language of stream {a.index} ({spoken})")
            gone = int(a.disposition) & ~int(b.disposition) & ~1  # all but `default`
            if gone:
                names = type(a.disposition)(gone).name
                marks.append(f"the mark {str(names).lower()} of stream {a.index}")
        if any("timecode" in s.metadata for s in old.streams) and not any(
            key.lower() == "timecode" for s in new.streams for key in s.metadata
        ):
            marks.append("the timecode")
        chapters = len(old.chapters()) - len(new.chapters())
        if chapters > 0:
            marks.append(f"{chapters} chapters")
    suffix = path.suffix
    notes = [f"{', '.join(marks)}: not kept by {suffix}"] if marks else []
    lost = [key for key in dict.fromkeys(lost) if not key.startswith("timecode")]
    return notes + ([f"these tags are not kept by {suffix}: {', '.join(lost)}"] if lost else [])


def _check_times(film: Film, pictures: Track, findings: Findings, suffix: str) -> None:
    times, pts = pictures.starts, findings.pts
    if len(times) != len(pts):
        raise ColorizerError(f"{suffix} holds {len(times)} of {len(pts)} frames of {film}")
    found, expected = np.sort(times) * float(pictures.time_base), pts * float(film.time_base)
    apart = np.abs((found - found[0]) - (expected - expected[0])).max()
    if apart > 1.01 * float(pictures.time_base):  # each of two times is rounded to a tick
        raise ColorizerError(
            f"{suffix} does not keep the times of {film}: they are off by up to"
            f" {apart * 1000:.1f} ms; give the output the extension .mkv"
        )


def _tracks(
    originals: dict[int, Track], found: dict[int, Track], shift: float, suffix: str
) -> list[str]:
    notes = []
    remaining = list(found.values())
    for index, track in originals.items():
        what = f"{track.kind} stream {index}"
        if not track.count:
            continue
        other = next((t for t in remaining if t.kind == track.kind and t.count), None)
        if other is None:
            notes.append(f"the {what} is not in the result")
            continue
        remaining.remove(other)
        if other.count != track.count:
            notes.append(f"the {what} has {other.count} packets, and had {track.count}")
        elif other.digest != track.digest:
            notes.append(f"the {what} is the same, wrapped as {suffix} wants it")
        apart = other.begin - (track.begin - shift)
        if abs(apart) > _APART:
            way = "later" if apart > 0 else "earlier"
            notes.append(f"the {what} begins {abs(apart) * 1000:.0f} ms {way} against the pictures")
    return notes


def _main(container: Any) -> int | None:
    return next((s.index for s in container.streams.video if not is_cover(s)), None)


def _names(codec: str) -> set[str]:
    return {codec, f"lib{codec}", {"vp9": "libvpx-vp9"}.get(codec, codec)}


def _paired(old: Sequence[Any], new: Any, main: int) -> list[tuple[Any, Any]]:
    """Each stream with the one of its kind at the same place."""
    remaining = [s for s in new if s.index != main]
    pairs = []
    for stream in old:
        other = next((s for s in remaining if s.type == stream.type), None)
        if other is not None:
            remaining.remove(other)
            pairs.append((stream, other))
    return pairs


def _plain(key: str) -> str:
    """The name of a tag as it is in all containers: Matroska has ARCHIVE_NUMBER."""
    return key.lower().replace(" ", "_")


def _tags(stream: Any) -> dict[str, str]:
    return {k: v for k, v in stream.metadata.items() if not k.lower().startswith(_OF_A_SIDE)}
