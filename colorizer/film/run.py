"""Color a film: read it once for its shots, once more for its colors, and join the result."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from colorizer.errors import ColorizerError, UsageError
from colorizer.film.codecs import choose
from colorizer.film.coloring import Meter, color_segments
from colorizer.film.hints import Said, Tracker, hints_at, read_film_hints
from colorizer.film.mux import FilmFile
from colorizer.film.painter import Painter, Seen
from colorizer.film.parts import Parts
from colorizer.film.pictures import FrameFolder
from colorizer.film.shots import Plan, look_through
from colorizer.film.source import Film, Frame, frames, open_film
from colorizer.film.steady import Steady
from colorizer.film.versions import versions
from colorizer.inference.network import Network
from colorizer.inference.priors import palette_prior
from colorizer.options import DEFAULT_MODEL, MAX_PIXELS, FilmOptions
from colorizer.support.files import write_whole
from colorizer.support.machine import cores

__all__ = ["Result", "colorize_film", "make_painter", "workers_of"]

_ANY = {"overwrite": False, "report": None, "threads": None, "preview": False}
"""Options that no byte of the result depends on."""


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
    steadiness: dict[str, float | None] | None = None


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
    _check_places(Path(source), path, chosen.overwrite)
    film = open_film(Path(source), rate=chosen.rate, deinterlace=chosen.deinterlace)
    network = Network(model, threads=1)
    try:
        if chosen.preview:
            return _preview(film, path, network, chosen)
        return _color(film, path, network, chosen)
    except OSError as error:
        raise ColorizerError(
            f"{path} cannot be written: {error.strerror or error}; what is whole is kept, and the"
            " same command goes on from there"
        ) from error


def _color(film: Film, path: Path, network: Network, options: FilmOptions) -> Result:
    sink = _sink(film, path, options)
    notes = [*film.notes, *sink.check(path)]
    painter, base = make_painter(film, network, options)
    said = () if options.hints is None else read_film_hints(options.hints)
    identity = {
        "film": [str(film.path.resolve()), _stamp(film.path)],
        "weights": network.weights_sha256,
        "options": vars(options) | _ANY,
        "hints": repr(said),
        "versions": versions(),
    }
    parts = Parts(path, identity)
    if parts.renewed:
        notes.append("an unfinished result of other settings was thrown away")
    begun = perf_counter()
    plan = parts.plan()
    if plan is None:
        plan = _look_through(film, painter, network, options, base, said)
        sink.check_times(plan)
        parts.keep_plan(plan)
    notes += plan.notes
    if plan.colored:
        notes.append(f"{film} has colors of its own; they are replaced")
    looked = perf_counter()

    def see(frame: Frame) -> Seen:
        prior, index = plan.prior(frame.index), frame.index
        hints = hints_at(said, plan.hints, index)
        return painter.see(frame, base if prior is None else prior, hints, plan.hints_begin(index))

    meter = Meter(options.report is not None)
    color_segments(
        film,
        plan,
        see,
        parts,
        sink,
        steady=Steady(options.steady),
        workers=workers_of(options),
        meter=meter,
    )
    colored = perf_counter()
    notes += sink.join(parts.segments(len(plan.pts)), plan, _mark(network, options))
    parts.remove()
    seconds = {
        "looking": looked - begun,
        "coloring": colored - looked,
        "joining": perf_counter() - colored,
    }
    result = Result(
        path=path,
        frames=len(plan.pts),
        shots=tuple(((plan.pts[plan.starts] - plan.pts[0]) * float(film.time_base)).tolist()),
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        notes=tuple(notes),
        damage=plan.damage,
        steadiness=meter.numbers(),
    )
    if options.report is not None:
        _write_report(Path(options.report), film, result)
    return result


def _preview(film: Film, path: Path, network: Network, options: FilmOptions) -> Result:
    from colorizer.film.preview import write_preview

    if not path.suffix:
        raise UsageError(f"a preview is a film; give {path} an extension, such as .mp4")
    painter, base = make_painter(film, network, options)
    begun = perf_counter()
    count = write_preview(film, path, painter, base, options, workers_of(options))
    return Result(path, count, (), {"preview": perf_counter() - begun}, film.notes)


def _look_through(
    film: Film,
    painter: Painter,
    network: Network,
    options: FilmOptions,
    base: np.ndarray | None,
    said: tuple[Said, ...],
) -> Plan:
    typical = network.training_prior() if network.has_prior and options.steady else None
    damage: list[str] = []
    found = tqdm(frames(film, damage), "looking", film.count or None, unit="frame", disable=None)
    tracker = Tracker(said, float(film.rate))
    return look_through(found, painter, typical, base, damage, tracker, float(film.time_base))


def make_painter(
    film: Film, network: Network, options: FilmOptions
) -> tuple[Painter, np.ndarray | None]:
    """Who colors the frames of a film, and the factors on color bins that count in all of it.

    Raises: UsageError where the model takes no temperature or palette.
    """
    for able, value, what in (
        (network.has_temperature, options.temperature, "temperature"),
        (network.has_prior, options.palette, "palette"),
    ):
        if value is not None and not able:
            raise UsageError(
                f"the model {network.name} predicts no distribution, so it takes no {what};"
                " leave it out, or choose a model with the head `distribution`"
            )
    base = None
    if options.palette is not None:
        base = palette_prior(options.palette, network.training_prior(), MAX_PIXELS)

    def predict(L: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
        return network(L, temperature=options.temperature, prior=prior)

    features = None
    if options.hints is not None:
        if not network.has_features:
            raise UsageError(
                f"the model {network.name} takes no hints; choose one with the head `distribution`,"
                " or make its folder anew with `colorizer export FOLDER FOLDER`"
            )
        features = network.features
    size = options.size or network.size
    return Painter(film, predict, size, options.vividness, features), base


def workers_of(options: FilmOptions) -> int:
    """Frames in work at a time."""
    return options.threads or cores()


def _sink(film: Film, path: Path, options: FilmOptions) -> FilmFile | FrameFolder:
    if path.suffix:
        return FilmFile(film, path, choose(film, path, options.codec, options.crf))
    if options.codec or options.crf is not None:
        raise UsageError(f"{path} is a folder of PNG frames, which takes no codec and no crf")
    return FrameFolder(film, path)


def _check_places(source: Path, path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder; make it first")
    if not path.exists():
        return
    if source.exists() and path.samefile(source):
        raise UsageError(f"{path} is the film itself; give the output another name")
    if path.is_dir() and any(path.iterdir()):
        raise UsageError(f"{path} is a folder with files in it; give one that is new or empty")
    if path.is_file() and not overwrite:
        raise UsageError(f"{path} exists; give another name, or add --overwrite to replace it")


def _stamp(path: Path) -> list[int]:
    """Size and time of a file, or of all files of a folder."""
    found = [path] if path.is_file() else sorted(path.iterdir())
    stats = [entry.stat() for entry in found]
    return [len(found), sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)]


def _mark(network: Network, options: FilmOptions) -> str:
    told = ", ".join(options.noted())
    return (
        f"colors are a model's guess: Colorizer {versions()['colorizer']}, {network.name}"
        f" (weights sha256 {network.weights_sha256[:12]}{', ' + told if told else ''})"
    )


def _write_report(path: Path, film: Film, result: Result) -> None:
    report = {
        "film": film.path.name,
        "frames": result.frames,
        "frames_per_second": float(film.rate),
        "shots": [round(time, 3) for time in result.shots],
        "seconds": result.seconds,
        "steadiness": result.steadiness,
        "notes": result.notes,
        "damage": result.damage,
    }
    write_whole(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
