"""Color a film: read it once for its shots, once more for its colors, and join the result."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.film.checks import check_options, check_places
from colorizer.film.codecs import choose
from colorizer.film.decoding import Heard
from colorizer.film.excerpt import write_preview
from colorizer.film.film_file import FilmFile
from colorizer.film.findings import Findings
from colorizer.film.frame_folder import FrameFolder
from colorizer.film.painter import Painter
from colorizer.film.progress import progress
from colorizer.film.references import Backward, Carried, read_references, spread
from colorizer.film.segments import color_segments
from colorizer.film.shot_list import Listed, listed, relisted
from colorizer.film.shots import look_through
from colorizer.film.source import Film, FilmFrame, frames, open_film
from colorizer.film.steadiness import Meter
from colorizer.film.steady import Steady
from colorizer.film.timeline import read_timeline
from colorizer.film.tracking import Said, Tracker, hints_at, read_film_hints
from colorizer.film.unfinished import Unfinished, open_unfinished
from colorizer.film.watch import View
from colorizer.inference.steered import SteeredModel
from colorizer.options import DEFAULT_MODEL, FilmOptions, SteeringOptions
from colorizer.support.files import write_whole
from colorizer.support.machine import cores
from colorizer.version import __version__

__all__ = ["MARK", "Result", "colorize_film", "steered"]

MARK = "colors are a model's guess: Colorizer"
"""What the tag `comment` of every colored film begins with, or goes on with."""

_ANY = dict.fromkeys(
    ("drop", "overwrite", "preview", "report", "threads", "hints", "reference", "shots")
)
"""Options that no byte of a segment depends on, or only by what is in the files that they name."""

_CAPTURED = {".ts", ".m2ts", ".mts"}
"""Extensions of films whose times may begin anywhere."""

_PACKAGES = ("av", "numpy", "onnxruntime", "opencv-python-headless")


@dataclass(frozen=True)
class Result:
    """What came of a film.

    Attributes:
        path: the colored film.
        frames: how many.
        shots: the times at which they begin, in seconds.
        seconds: of this run, by stage.
        notes: sentences that a user should read.
        damage: a sentence for each place that could not be read, and is left out.
        steadiness: the numbers of the report, by name; empty without one.
    """

    path: Path
    frames: int
    shots: tuple[float, ...]
    seconds: dict[str, float]
    notes: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    steadiness: dict[str, float | int | None] | None = None

    def damages(self) -> list[str]:
        """The damage as sentences to print: of many places the first."""
        told = [f"damaged: {place}" for place in self.damage[:20]]
        more = len(self.damage) - len(told)
        return [*told, f"damaged: {more} more places"] if more else told


def colorize_film(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    **options: Any,
) -> Result:
    """Color a film into one that has all else of it: times, sound, subtitles, chapters.

    Args:
        source: a film that FFmpeg reads, or a folder of frames.
        destination: its extension selects the container; without one it is a folder of frames.
            It appears whole, or not at all; a run that was killed is gone on with.
        model: name of a shipped model, or path of a model folder.
        options: as `FilmOptions` has them, by name.

    Raises:
        UsageError: an option out of range, or a container that cannot hold the film.
        ColorizerError: the film cannot be read or colored, or the result not be written.
    """
    chosen = FilmOptions.of(options)
    path = Path(destination)
    check_options(chosen, path)
    check_places(Path(source), path, chosen.overwrite)
    film = open_film(
        Path(source),
        rate=chosen.rate,
        deinterlace=chosen.deinterlace,
        progressive=chosen.progressive,
    )
    painter = Painter(film, steered(model, chosen))
    if chosen.preview:
        begun = perf_counter()
        with _writing(path):
            count = write_preview(film, path, painter, chosen, workers_of(chosen))
        return Result(path, count, (), {"preview": perf_counter() - begun}, film.notes)
    return _color(film, path, painter, chosen)


def steered(model: str | os.PathLike[str], options: FilmOptions) -> SteeredModel:
    """The model that looks at frames, each in one thread, as the options steer it.

    Raises: UsageError where the model takes no temperature, palette, variant or hints.
    """
    shared = {f.name: getattr(options, f.name) for f in fields(SteeringOptions)}
    found = SteeredModel(model, threads=1, **shared)
    if options.hints is not None:
        found.require_features("hints")
    return found


def workers_of(options: FilmOptions) -> int:
    """Frames in work at a time."""
    return options.threads or cores()


def _color(film: Film, path: Path, painter: Painter, options: FilmOptions) -> Result:
    sink = _sink(film, path, options)
    with _writing(path):
        notes = [*film.notes, *sink.check()]
    said = () if options.hints is None else read_film_hints(options.hints)
    shots = None if options.shots is None else listed(options.shots, painter.model)
    identity = {
        "film": _held(film.path),
        "weights": painter.model.weights_sha256,
        "options": vars(options) | _ANY | {"palette": _held(options.palette)},
        "hints": repr(said),
        "reference": _named(options.reference),
        "shots": None
        if shots is None
        else [vars(one) | {"palette": _held(one.palette)} for one in shots.shots],
        "versions": _versions(),
    }
    with _writing(path), open_unfinished(path, identity) as parts:
        check_places(film.path, path, options.overwrite)  # another run may just have ended
        if parts.renewed:
            notes.append("an unfinished result of other settings was thrown away")
        return _work(film, path, painter, options, sink, parts, said, shots, notes)


def _work(
    film: Film,
    path: Path,
    painter: Painter,
    options: FilmOptions,
    sink: FilmFile | FrameFolder,
    parts: Unfinished,
    said: tuple[Said, ...],
    shots: Listed | None,
    notes: list[str],
) -> Result:
    begun = perf_counter()
    if not film.is_folder:
        film = _timed(film, path)
        sink.film = film
        notes += film.timeline.notes if film.timeline else ()
    findings, references = parts.findings(), None
    if options.reference is not None and findings is not None:
        references = read_references(Path(options.reference), film, len(findings.pts))
    if findings is None:
        try:
            if options.reference is not None:
                count = len(_seconds(film))
                references = read_references(Path(options.reference), film, count)
            backward = (
                None if references is None else Backward(references, parts.references, painter)
            )
            findings = _look_through(film, painter, options, said, shots, backward)
            sink.check_times(findings)
        except ColorizerError:
            parts.clear()  # the same would be found again
            raise
        parts.keep_findings(findings)
    notes += findings.notes
    if findings.colored:
        notes.append(f"{film} has colors of its own; they are replaced (--keep-color leaves them)")
    looked = perf_counter()

    def see(view: View) -> tuple[np.ndarray, np.ndarray | None]:
        index = view.frame.index
        hints = hints_at(said, findings.hints, index)
        if view.told is not None and painter.model.can_hint:
            likened = spread(view.told, painter)
            hints = replace(hints, points=likened.points + hints.points)
        model = None if shots is None else shots.models[findings.shot(index)]
        return painter.see(
            view.calm, findings.prior(index), hints, findings.hints_begin(index), model
        )

    meter = Meter(options.report is not None)
    steady = Steady(options.steady)
    workers = workers_of(options)
    color_segments(
        film,
        findings,
        painter,
        see,
        parts,
        sink,
        steady=steady,
        workers=workers,
        meter=meter,
        references=None if references is None else Carried(references, parts.references, painter),
    )
    colored = perf_counter()
    check_places(film.path, path, options.overwrite)
    mark = _mark(painter.model, options)
    notes += sink.join(parts.segments(len(findings.pts)), findings, mark, parts.result)
    parts.clear()
    seconds = {
        "looking": looked - begun,
        "coloring": colored - looked,
        "joining": perf_counter() - colored,
    }
    result = Result(
        path=path,
        frames=len(findings.pts),
        shots=tuple(findings.seconds(film)),
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        notes=tuple(dict.fromkeys(notes)),
        damage=findings.damage,
        steadiness=meter.numbers(),
    )
    if options.report is not None:
        _write_report(Path(options.report), film, result, relisted(findings, film, shots))
    return result


def _timed(film: Film, path: Path) -> Film:
    """The film with the times of all its packets, as the result should have them."""
    shifted = path.suffix.lower() not in _CAPTURED
    with progress(100, "reading", unit="%") as bar:
        read = [0]

        def step(share: float) -> None:
            more = int(share * 100) - read[0]
            if more > 0:
                bar.update(more)
                read[0] += more

        return replace(film, timeline=read_timeline(film.path, film.stream, shifted, step))


def _look_through(
    film: Film,
    painter: Painter,
    options: FilmOptions,
    said: tuple[Said, ...],
    shots: Listed | None,
    backward: Backward | None,
) -> Findings:
    starts = None if shots is None else shots.places(_seconds(film))
    heard = Heard()
    tracker = Tracker(said, float(film.rate))
    with progress(film.count or None, "looking") as bar:
        found = _counted(frames(film, heard), bar)
        findings = look_through(
            film,
            found,
            painter,
            tracker,
            palettes=options.steady > 0,
            shots=shots,
            starts=starts,
            keep_color=options.keep_color,
            backward=backward,
        )
    notes = findings.notes
    if film.deinterlace and not heard.interlaced:
        notes += (
            f"no frame of {film} is marked as interlaced, so none was changed; if its frames are"
            " of two fields all the same, mark them first (ffmpeg -vf setfield=tff)",
        )
    return replace(findings, damage=tuple(heard.damage), notes=notes)


def _seconds(film: Film) -> np.ndarray:
    """When the frames are shown, as the container says before any is decoded."""
    if film.timeline is None:
        return np.arange(film.count) / float(film.rate)
    track = film.timeline.tracks[film.stream]
    times = [start + track.offset(number) for number, start in enumerate(track.starts)]
    return np.sort(np.array(times) - min(times)) * float(track.time_base)


def _counted(found: Iterator[FilmFrame], bar: Any) -> Iterator[FilmFrame]:
    for frame in found:
        yield frame
        bar.update()


def _sink(film: Film, path: Path, options: FilmOptions) -> FilmFile | FrameFolder:
    if path.suffix:
        target = choose(film, path, options.codec, options.crf)
        return FilmFile(film, path, target, options.drop or ())
    if options.codec or options.crf is not None:
        raise UsageError(f"{path} is a folder of PNG frames, which takes no codec and no crf")
    return FrameFolder(film, path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ColorizerError(
            f"{path} cannot be written: {error.strerror or error}; what is whole is kept, and the"
            " same command goes on from there"
        ) from error


def _stamp(path: Path) -> list[int]:
    """Size and time of a file, or of all files of a folder."""
    found = [path] if path.is_file() else sorted(path.iterdir())
    stats = [entry.stat() for entry in found]
    return [
        len(found),
        sum(s.st_size for s in stats),
        max((s.st_mtime_ns for s in stats), default=0),
    ]


def _named(folder: Any) -> list[list[Any]] | None:
    """The files of a folder, by name."""
    if folder is None or not Path(folder).is_dir():
        return None
    return [[path.name, _stamp(path)] for path in sorted(Path(folder).iterdir()) if path.is_file()]


def _held(place: Any) -> Any:
    """A file or folder by its name and stamp, wherever it was moved to; else the value itself."""
    if isinstance(place, str | os.PathLike):
        with suppress(OSError):
            return [Path(place).name, _stamp(Path(place))]
    return place


def _versions() -> dict[str, str]:
    """Of what the bytes of a film depend on, beside itself and the options."""
    found = {"colorizer": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            found[name] = "unknown"
    return found


def _mark(model: SteeredModel, options: FilmOptions) -> str:
    told = ", ".join([f"size {model.size}", *options.noted()])
    return (
        f"{MARK} {__version__}, {model.model_name}"
        f" (weights sha256 {model.weights_sha256[:12]}, {told})"
    )


def _write_report(path: Path, film: Film, result: Result, shots: list[dict[str, Any]]) -> None:
    report = {
        "film": film.path.name,
        "frames": result.frames,
        "frames_per_second": float(film.rate),
        "shots": shots,
        "seconds": result.seconds,
        "steadiness": result.steadiness,
        "notes": result.notes,
        "damage": result.damage,
    }
    try:
        write_whole(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ColorizerError(
            f"{result.path} is whole, but the report {path} cannot be written: {error.strerror}"
        ) from error
