"""What lies in a folder of a disk, at any depth; the one way to walk through it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "walk"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a folder that is not entered.

    Attributes:
        path: of it.
        siblings: the names of all files beside it.
        passed: why it is passed by: it is hidden, or a link to a folder.
        failed: why it could not be looked into.
    """

    path: Path
    siblings: frozenset[str] = frozenset()
    passed: str = ""
    failed: str = ""


def walk(folder: Path, without: Path | None = None, links: bool = True) -> Iterator[Entry]:
    """All files at any depth, sorted in each folder; nothing is passed over but `without`.

    Args:
        without: a folder that is not entered, nor mentioned.
        links: enter folders that links lead to, each folder once.
    """
    own = None if without is None else without.resolve()
    failures: list[OSError] = []
    seen = {_identity(folder)}
    for parent, folders, names in os.walk(folder, onerror=failures.append, followlinks=links):
        here = Path(parent)
        yield from _failed(failures)
        entered = []
        for name in sorted(folders):
            path = here / name
            if name.startswith("."):
                yield Entry(path, passed="a hidden folder")
            elif own is not None and path.resolve() == own:
                continue
            elif not links and path.is_symlink():
                yield Entry(path, passed="a link to a folder")
            elif (identity := _identity(path)) in seen:
                yield Entry(path, passed="a link to a folder that is entered already")
            else:
                seen.add(identity)
                entered.append(name)
        folders[:] = entered
        siblings = frozenset(names)
        for name in sorted(names):
            yield Entry(here / name, siblings, "hidden" if name.startswith(".") else "")
    yield from _failed(failures)


def _failed(failures: list[OSError]) -> Iterator[Entry]:
    while failures:
        error = failures.pop()
        name = error.filename
        yield Entry(Path(name), failed=f"the folder {name} cannot be read: {error.strerror}")


def _identity(folder: Path) -> tuple[int, int] | Path:
    """What is the same for two ways to one folder."""
    try:
        found = folder.stat()
    except OSError:
        return folder
    return (found.st_dev, found.st_ino) if found.st_ino else folder.resolve()
