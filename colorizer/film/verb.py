"""`colorizer video`: a film, or a folder of films, done and told."""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from colorizer.film.colorize import colorize_film
from colorizer.film.films import color_films, holds_films
from colorizer.options import FilmFolderOptions, FilmOptions

__all__ = ["color"]


def color(
    source: str, output: str, model: str, options: FilmOptions, many: FilmFolderOptions
) -> int:
    """Color a film or a folder of films, print what became of it, and give the exit status.

    Raises:
        UsageError, ColorizerError: as `colorize_film` and `color_films` have them.
    """
    try:
        if Path(source).is_dir() and holds_films(Path(source)):
            return _films(Path(source), Path(output), model, options, many)
        many.only((), "one film")
        return _film(source, output, model, options)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last whole segment", file=sys.stderr)
        return 130


def _film(source: str, output: str, model: str, options: FilmOptions) -> int:
    result = colorize_film(source, output, model, **vars(options))
    _tell(result.notes, "note: ")
    _tell(result.damages(), "")
    counts = [f"{result.frames} frame{'s' * (result.frames != 1)}"]
    if result.shots:
        counts.append(f"{len(result.shots)} shot{'s' * (len(result.shots) != 1)}")
    print(f"{', '.join(counts)}, {sum(result.seconds.values()):.0f} s")
    print(result.path)
    return 1 if result.damage else 0


def _films(
    folder: Path, out: Path, model: str, options: FilmOptions, many: FilmFolderOptions
) -> int:
    counts: Counter[str] = Counter()
    damaged = 0
    for row in color_films(folder, out, model, options, many):
        counts[row.status] += 1
        if row.status == "failed":
            print(f"failed: {row.reason}", file=sys.stderr)
        elif row.status == "colored":
            _tell(row.notes, f"{row.path}: ")
            damaged += any(note.startswith("damaged: ") for note in row.notes)
            print(f"{row.path}: {row.size}, {row.seconds:.0f} s", flush=True)
    if not counts:
        print("note: nothing to do: none of the films is in this share", file=sys.stderr)
    others = f", {counts['not a film']} no films" if counts["not a film"] else ""
    worn = f" ({damaged} damaged)" if damaged else ""
    print(
        f"{counts['colored']} colored{worn}, {counts['skipped']} done before, {counts['failed']}"
        f" failed{others}"
    )
    return 1 if counts["failed"] or damaged else 0


def _tell(sentences: Iterable[str], before: str) -> None:
    for sentence in sentences:
        print(f"{before}{sentence}", file=sys.stderr)
