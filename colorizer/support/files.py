"""Files and folders that appear whole or not at all, and stay after a power failure.

What is unfinished lies under a hidden name beside what it will become, locked for as long as its
process lives; so that the rest of a killed run can be told from the work of a running one.
"""

import hashlib
import os
import platform
import shutil
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which moves no file that is open
    fcntl = None

__all__ = [
    "commit",
    "remove_stale",
    "sha256",
    "temporary",
    "whole",
    "whole_folder",
    "write_whole",
]

_PREFIX = ".colorizer-"
_DAY = 86_400  # seconds


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def temporary(destination: Path, suffix: str = "", folder: bool = False) -> Iterator[Path]:
    """A new hidden file, or folder, in the folder of the destination, removed at the end.

    Raises:
        OSError: no space, no permission.
    """
    path = destination.with_name(f"{_PREFIX}{_machine()}-{uuid.uuid4().hex}{suffix}")
    handle = None
    try:
        if folder:
            path.mkdir()
        else:
            path.touch(exist_ok=False)
        if fcntl is not None:
            handle = os.open(path, os.O_RDONLY)
            _lock(handle)
        yield path
    finally:
        if handle is not None:
            os.close(handle)
        if folder:
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def whole(destination: Path) -> Iterator[Path]:
    """A temporary file to write, which becomes the destination if nothing is raised.

    Raises:
        OSError: as for `temporary`.
    """
    with temporary(destination, destination.suffix) as path:
        yield path
        if destination.exists():
            path.chmod(destination.stat().st_mode & 0o777)
        commit(path, destination)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, as `whole`; text as UTF-8."""
    with whole(path) as work:
        work.write_bytes(content if isinstance(content, bytes) else content.encode())


@contextmanager
def whole_folder(destination: Path, last: str = "") -> Iterator[Path]:
    """A temporary folder to fill with files, which becomes the destination if nothing is raised.

    Of a destination that exists, the files are replaced and others left alone; the one called
    `last`, without which the folder counts as none, is gone meanwhile and comes last. Where one of
    them cannot be replaced, those of before are put back.

    Raises:
        OSError: as for `temporary`; or a file that is in use elsewhere.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with temporary(destination, folder=True) as work:
        yield work
        umask = os.umask(0)
        os.umask(umask)
        for path in work.iterdir():
            path.chmod(0o666 & ~umask)  # safetensors files are for the owner only
            _sync(path)
        if not destination.exists():
            work.rename(destination)
            _sync_folder(destination.parent)
            return
        with temporary(destination, folder=True) as aside:
            _exchange(work, destination, aside, last)
        _sync_folder(destination)


def _exchange(work: Path, destination: Path, aside: Path, last: str) -> None:
    """Move files of one folder into another, and what was there under their names aside."""
    names = sorted((path.name for path in work.iterdir()), key=lambda name: name == last)
    undo: list[tuple[Path, Path]] = []
    try:
        # What makes the folder whole goes first and comes last.
        for name in sorted(names, key=lambda name: name != last):
            if (destination / name).exists():
                (destination / name).rename(aside / name)
                undo.append((aside / name, destination / name))
        for name in names:
            (work / name).replace(destination / name)
            undo.append((destination / name, work / name))
    except BaseException:
        for path, place in reversed(undo):
            path.replace(place)
        raise


def commit(path: Path, destination: Path) -> None:
    """Give a finished file its name, once its bytes are on the disk: no power failure leaves less.

    Raises:
        OSError: no space, no permission.
    """
    _sync(path)
    path.replace(destination)
    _sync_folder(destination.parent)


def remove_stale(folder: Path) -> None:
    """Remove what killed runs have left in a folder; what a running one writes stays.

    Locks tell of the processes of this machine alone: what another one has left, and where there
    are no locks, is removed when nothing was written to it for a day.
    """
    own = f"{_PREFIX}{_machine()}-"
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # gone meanwhile, or not ours: no reason to stop
            old = time.time() - path.stat().st_mtime > _DAY
            if not old and (fcntl is None or not path.name.startswith(own)):
                continue
            handle = os.open(path, os.O_RDONLY) if fcntl is not None else None
            try:
                if handle is None or _lock(handle):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                if handle is not None:
                    os.close(handle)


@cache
def _machine() -> str:
    """What tells it from others that see the same disk."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _lock(handle: int) -> bool:
    """Lock a file or folder if it is free; False if it is not, or if its disk knows no locks."""
    assert fcntl is not None  # who asks has seen to it
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a renaming outlast a power failure, where folders can be synchronized."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse
            os.fsync(handle)
    finally:
        os.close(handle)
