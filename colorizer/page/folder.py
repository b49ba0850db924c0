"""The private folder of a running page: what was dropped, and what was made of it."""

import os
import re
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from colorizer.errors import ColorizerError

__all__ = ["PrivateFolder"]

_PREFIX = "colorizer-page-"
_LOCK = "in-use"


class PrivateFolder:
    """A folder that only this user can enter; gone at exit, or at the next start after a kill.

    Args:
        most: bytes that all files in it may take together.
        parent: where it is made; the system's folder for temporary files by default.

    Attributes:
        path: of the folder.
    """

    def __init__(self, most: int, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        _sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))  # mode 0700
        self.most = most
        self._lock = FileLock(self.path / _LOCK, blocking=False)
        self._lock.acquire()

    def place(self, name: str) -> Path:
        """A path for a new file of this name, in a folder of its own."""
        folder = self.path / secrets.token_hex(8)
        folder.mkdir()
        return folder / _safe(name)

    def check_room(self, more: int) -> None:
        """Raise ColorizerError if `more` bytes would be too many."""
        if self.size() + more > self.most:
            raise ColorizerError(
                f"the photos of this page would take more than {self.most // 2**20:,} MB; remove"
                " some first"
            )

    def size(self) -> int:
        """Bytes of all files."""
        return sum(
            (Path(parent) / name).stat().st_size
            for parent, _, names in os.walk(self.path)
            for name in names
        )

    def remove(self, file: Path) -> None:
        """Remove a file from `place`, with its folder."""
        shutil.rmtree(file.parent, ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what killed pages of this user have left."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError, Timeout):  # another user's, gone meanwhile, or still in use
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue
            lock = FileLock(folder / _LOCK, blocking=False)
            lock.acquire()
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)


def _safe(name: str) -> str:
    """A file name that means nothing to any system, and still tells a reader which photo it is."""
    name = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", name.strip())[-120:].lstrip(". ")
    return name or "photo"
