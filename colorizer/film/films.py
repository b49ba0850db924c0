"""A folder of films, one after another: what is done is passed over, what fails is told."""

import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import extra
from colorizer.film.colorize import MARK, colorize_film
from colorizer.film.frame_folder import is_picture
from colorizer.options import FilmFolderOptions, FilmOptions
from colorizer.places.place import place_of
from colorizer.places.table import Report, Row
from colorizer.support.shares import falls_to, share_of
from colorizer.support.tree import walk

__all__ = ["color_films", "holds_films", "is_colored_film"]

av: Any = extra("av", "video")

# Containers that can be written and hold our mark, which transport streams cannot.
_KEPT = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
_READ = (
    *(*_KEPT, ".ts", ".m2ts", ".mts", ".mpg", ".mpeg", ".vob"),
    *(".mxf", ".wmv", ".asf", ".flv", ".ogv", ".3gp", ".dv"),
)


def holds_films(folder: Path) -> bool:
    """Whether a folder is one of films, at any depth, and not of the frames of one.

    Raises:
        UsageError: it holds both.
    """
    films = next((e.path for e in walk(folder) if _is_film(e.path) and not e.passed), None)
    if films is None:
        return False
    frames = next((path for path in sorted(folder.iterdir()) if is_picture(path)), None)
    if frames is not None:
        raise UsageError(
            f"{folder} holds films ({films.name}) and pictures ({frames.name}); give a folder of"
            " films, or of the frames of one"
        )
    return True


def color_films(
    folder: Path, out: Path, model: str, options: FilmOptions, many: FilmFolderOptions
) -> Iterator[Row]:
    """Color all films of a folder into the same tree of another one, whose report tells of each.

    Args:
        folder: with films at any depth.
        out: a folder, which is made; a film of ours in it that is no older than its source is done.
        model: as for `colorize_film`.
        options: of each film.
        many: of all of them.

    Yields:
        What became of each film: colored, skipped (done before), failed, or "not a film"; of a
        colored one its notes, and what of it is damaged.

    Raises:
        UsageError: options of one film, or folders within each other.
        ColorizerError: the output cannot be written to.
    """
    work = "a folder of films"
    options.only(_ALL, work)
    if out.suffix:
        raise UsageError(f"{out} is the name of a film; {work} needs a folder to go to")
    if place_of(out).contains(place_of(folder)):
        raise UsageError(f"{out} contains the films; give another folder, also one within {folder}")
    suffix = "" if many.format is None else f".{many.format.lower().removeprefix('.')}"
    if suffix and suffix not in _KEPT:
        raise UsageError(f"cannot write {suffix}; accepted are {' '.join(_KEPT)}")
    share = share_of(many.shard)
    made: dict[Path, Path] = {}
    with Report(place_of(out), share) as report:
        for entry in walk(folder, out):
            name = entry.path.relative_to(folder).as_posix()
            passed = entry.passed or ("" if _is_film(entry.path) else "not named as a film")
            result = name if passed or entry.failed else _result(name, suffix)
            if not falls_to(result, share):  # films that would become one are in one share
                continue
            if entry.failed:
                row = Row(name, "failed", entry.failed)
            elif passed:
                row = Row(name, "not a film", passed)
            else:
                target = out / result
                other = made.setdefault(target, entry.path)
                if other != entry.path:
                    told = f"{other} and {entry.path} would become the same {target}; rename one"
                    row = Row(name, "failed", told)
                else:
                    row = _color(entry.path, target, name, model, options)
            report.add([row])
            yield row


_ALL = tuple(
    field.name
    for field in fields(FilmOptions)
    if field.name not in ("hints", "reference", "shots", "rate", "preview", "report")
)


def is_colored_film(path: Path) -> bool:
    """Whether a file is a film that we colored, by the mark among its tags."""
    try:
        with av.open(path, metadata_errors="replace") as container:
            return any(MARK in value for value in container.metadata.values())
    except (av.FFmpegError, OSError):
        return False


def _color(film: Path, target: Path, name: str, model: str, options: FilmOptions) -> Row:
    begun = time.perf_counter()
    try:
        if target.exists() and not options.overwrite:
            if not is_colored_film(target):
                raise ColorizerError(
                    f"{target} is there already and bears no mark of ours, so it is not replaced;"
                    " name another output, or say --overwrite"
                )
            if target.stat().st_mtime >= film.stat().st_mtime:
                return Row(name, "skipped", "done before")
            options = replace(options, overwrite=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        result = colorize_film(film, target, model, **vars(options))
    except (ColorizerError, OSError) as error:
        told = str(error) or type(error).__name__
        reason = told if str(film) in told else f"{film}: {told}"
        return Row(name, "failed", reason, "", time.perf_counter() - begun)
    size = f"{result.frames} frames"
    seconds = time.perf_counter() - begun
    return Row(name, "colored", "", size, seconds, (*result.notes, *result.damages()))


def _is_film(path: Path) -> bool:
    return path.suffix.lower() in _READ


def _result(name: str, suffix: str) -> str:
    path = PurePosixPath(name)
    kept = path.suffix if path.suffix.lower() in _KEPT else ".mkv"
    return str(path.with_suffix(suffix or kept))
