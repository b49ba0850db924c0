"""One picture from standard input, or to standard output: `colorizer colorize - -o -`."""

import sys
from pathlib import Path

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.folders.run import check_replaceable
from colorizer.pictures.formats import becoming, identified
from colorizer.pictures.save import check_destination

__all__ = ["is_piped", "pipe"]

STREAM = "-"


def is_piped(paths: list[str], out: str | None) -> bool:
    """Whether standard input or output is meant; raises UsageError if with several pictures."""
    if STREAM not in (*paths, out):
        return False
    if len(paths) > 1:
        raise UsageError(f"- stands for one picture; these are {len(paths)}")
    if out is None:
        raise UsageError("of a picture from standard input, name the output: -o FILE, or -o -")
    return True


def pipe(
    path: str, out: str, colorizer: Colorizer, format: str | None, overwrite: bool
) -> tuple[str, ...]:
    """Color one picture; returns what a user should read.

    Args:
        path, out: a file, or "-".
        format: extension of what goes to standard output; None keeps that of the picture.

    Raises:
        UsageError, ColorizerError: as for `Colorizer.colorize_bytes`; standard output is a screen.
    """
    if out == STREAM and sys.stdout.isatty():
        raise UsageError("a picture is nothing for a screen; direct it: -o - > FILE")
    if path == STREAM:
        data = sys.stdin.buffer.read()
        if not data:
            raise ColorizerError("there is nothing at standard input")
    else:
        data = _read(Path(path))
    if out == STREAM:
        extension = format or becoming(identified(data))
        found, notes = colorizer.colorize_bytes(data, extension)
        sys.stdout.buffer.write(found)
        sys.stdout.buffer.flush()
        return notes
    destination = check_destination(out)
    if not overwrite:
        check_replaceable(destination)
    return colorizer.colorize_file(data, destination)


def _read(path: Path) -> bytes:
    identified(path)  # says what is wrong with it
    try:
        return path.read_bytes()
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}") from error
