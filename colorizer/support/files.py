"""Files and folders that appear whole or not at all, and stay after a power failure."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["sha256", "whole_folder"]


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole_folder(destination: Path, last: str = "") -> Iterator[Path]:
    """A temporary folder to fill, which becomes the destination if nothing is raised.

    Of a destination that exists, the files are replaced and others left alone; the one called
    `last`, without which the folder counts as none, is gone meanwhile and comes last.

    Raises:
        OSError: no space, no permission.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        yield work
        umask = os.umask(0)
        os.umask(umask)
        work.chmod(0o777 & ~umask)  # temporary folders, and safetensors files, are the owner's only
        for path in work.iterdir():
            path.chmod(0o666 & ~umask)
            _sync(path)
        if not destination.exists():
            work.rename(destination)
            return
        if last:
            (destination / last).unlink(missing_ok=True)
        for path in sorted(work.iterdir(), key=lambda path: path.name == last):
            path.replace(destination / path.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
