"""Hidden files beside what they will become: moved there whole, or gone, even after a kill."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, which moves no file that is open
    fcntl = None

__all__ = ["remove_stale", "temporary", "whole"]

_PREFIX = ".colorizer-"


@contextmanager
def temporary(destination: Path, suffix: str) -> Iterator[Path]:
    """A new hidden file in the folder of the destination, removed at the end.

    It is locked meanwhile: a lock dies with its process, so that others see what is left behind.

    Raises:
        OSError: no space, no permission.
    """
    path = destination.with_name(f"{_PREFIX}{uuid.uuid4().hex}{suffix}")
    try:
        if fcntl is None:
            yield path
        else:
            with path.open("xb") as file:
                _lock(file)
                yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def whole(destination: Path) -> Iterator[Path]:
    """A temporary file to write, which becomes the destination if nothing is raised.

    Its bytes are on the disk before it has the name, so that a power failure leaves no husk that
    would pass for a result.

    Raises:
        OSError: as for `temporary`.
    """
    with temporary(destination, destination.suffix) as path:
        yield path
        if destination.exists():
            path.chmod(destination.stat().st_mode & 0o777)
        with path.open("r+b") as file:
            os.fsync(file.fileno())
        path.replace(destination)


def remove_stale(folder: Path) -> None:
    """Remove what killed runs have left in a folder; what a running one writes stays."""
    if fcntl is None:
        return
    for path in folder.glob(f"{_PREFIX}*"):
        try:
            with path.open("r+b") as file:
                if _lock(file):
                    path.unlink()
        except OSError:  # gone meanwhile, or not ours: no reason to stop
            continue


def _lock(file: BinaryIO) -> bool:
    """Lock a file if it is free; False if it is not, or if its disk knows no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
