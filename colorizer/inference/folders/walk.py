"""What lies in a folder: each entry is a picture, or is named with the reason why it is none."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from colorizer.errors import ColorizerError
from colorizer.pictures.formats import SUFFIXES, format_of
from colorizer.pictures.metadata.mark import is_marked
from colorizer.pictures.save import is_markless
from colorizer.pictures.source import head_of

__all__ = ["SUFFIX", "Entry", "walk"]

SUFFIX = "-colored"


@dataclass(frozen=True)
class Entry:
    """Something in a folder.

    Attributes:
        path: of it.
        passed: why it is no picture to color; empty if it is one.
        failed: why it could not be looked at.
    """

    path: Path
    passed: str = ""
    failed: str = ""


def walk(folder: Path, target: Path | None) -> Iterator[Entry]:
    """All entries at any depth, sorted; nothing is passed over in silence but what is in `target`.

    Folders that links lead to are entered too, each folder once.

    Args:
        target: where results go.
    """
    own = None if target is None else target.resolve()
    failures: list[OSError] = []
    seen = {_identity(folder)}
    for parent, folders, names in os.walk(folder, onerror=failures.append, followlinks=True):
        here = Path(parent)
        yield from _failed(failures)
        entered = []
        for name in sorted(folders):
            path = here / name
            if name.startswith("."):
                yield Entry(path, "a hidden folder")
            elif own is None or path.resolve() != own:
                identity = _identity(path)
                if identity in seen:
                    yield Entry(path, "a link to a folder that is entered already")
                else:
                    seen.add(identity)
                    entered.append(name)
        folders[:] = entered
        known = set(names)
        for name in sorted(names):
            yield _file(here / name, known)
    yield from _failed(failures)


def _failed(failures: list[OSError]) -> Iterator[Entry]:
    while failures:
        error = failures.pop()
        name = error.filename
        yield Entry(Path(name), failed=f"the folder {name} cannot be read: {error.strerror}")


def _file(path: Path, known: set[str]) -> Entry:
    if path.name.startswith("."):
        return Entry(path, "hidden")
    original = _original(path, known)
    if original and (is_markless(path) or is_marked(path)):
        return Entry(path, f"what was made of {original}")
    if path.suffix.lower() in SUFFIXES:
        return Entry(path)
    if path.exists() and not path.is_file():
        return Entry(path, "a device or a pipe")
    try:
        return Entry(path, "" if format_of(head_of(path)) else "no picture of a known format")
    except ColorizerError as error:
        return Entry(path, failed=str(error))


def _original(path: Path, names: set[str]) -> str:
    """The file in the same folder of which a file is the result, by its name; "" if none is."""
    match = re.fullmatch(rf"(.*){SUFFIX}(-[0-9]+)?", path.stem, re.DOTALL)
    if not match:
        return ""
    if match[1] + path.suffix in names:
        return match[1] + path.suffix
    return next((name for name in names if name == match[1] or Path(name).stem == match[1]), "")


def _identity(folder: Path) -> tuple[int, int] | Path:
    """What is the same for two ways to one folder."""
    try:
        found = folder.stat()
    except OSError:
        return folder
    return (found.st_dev, found.st_ino) if found.st_ino else folder.resolve()
