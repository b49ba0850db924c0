"""The private folder of a running page: what was dropped, and what was made of it."""

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from colorizer.errors import ColorizerError
from colorizer.page.names import safe_name

__all__ = ["LOCK", "PREFIX", "PrivateFolder"]

PREFIX = "colorizer-page-"
LOCK = "in-use"
_LONGEST = 240  # bytes of the name of a result, which is longer than that of its photo


class PrivateFolder:
    """A folder that only this user can enter; gone at exit, or at the next start after a kill.

    Args:
        most: bytes that all files in it may take together.
        parent: where it is made; the system's folder for temporary files by default.
        keeps: whether it stays at exit, if anything in it is noted; see `kept`.

    Attributes:
        path: of the folder.
        make_room: removes something that nobody needs; False if there is no such thing.
    """

    def __init__(self, most: int, parent: Path | None = None, *, keeps: bool = False) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        self.keeps = keeps
        if keeps:
            parent.mkdir(0o700, parents=True, exist_ok=True)
        else:
            _sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # mode 0700
        self.most = most
        self.make_room: Callable[[], bool] = lambda: False
        self._promised: dict[Path, int] = {}
        self._promising = threading.Lock()
        self._lock = FileLock(self.path / LOCK, blocking=False, thread_local=False)
        self._lock.acquire()

    def place(self, name: str) -> Path:
        """A path for a new file of this name, in a folder of its own."""
        folder = self.path / secrets.token_hex(8)
        folder.mkdir()
        return folder / safe_name(name, _LONGEST)

    def promise(self, file: Path, size: int) -> None:
        """Keep room for a file that is being written, until `settle`.

        Args:
            file: from `place`.
            size: bytes that it will have, as far as that is known by now.

        Raises:
            ColorizerError: all files would take more than the folder may hold.
        """
        while True:
            with self._promising:
                others = sum(n for other, n in self._promised.items() if other != file)
                if self._settled() + others + size <= self.most:
                    self._promised[file] = size
                    return
            if not self.make_room():
                raise ColorizerError(
                    "the photos and films of this page would take more than"
                    f" {self.most // 2**20:,} MB; remove some first"
                )

    def settle(self, file: Path) -> None:
        """The file is written, or given up: it counts by its size from now on."""
        with self._promising:
            self._promised.pop(file, None)

    def remove(self, file: Path) -> None:
        """Remove a file from `place`, with its folder."""
        self.settle(file)
        shutil.rmtree(file.parent, ignore_errors=True)

    def close(self) -> None:
        """Remove everything, or leave it for the next start."""
        self._lock.release()
        if not (self.keeps and any(self.path.glob("*.json"))):
            shutil.rmtree(self.path, ignore_errors=True)

    def _settled(self) -> int:
        """Bytes of all files but those being written."""
        writing = {file.parent for file in self._promised}
        size = 0
        for parent, _, names in os.walk(self.path):
            for name in names if Path(parent) not in writing else ():
                with suppress(FileNotFoundError):  # removed meanwhile
                    size += (Path(parent) / name).stat().st_size
        return size


def _sweep(parent: Path) -> None:
    """Remove what killed pages of this user have left."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):  # another user's, gone meanwhile, or still in use
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue
            lock = FileLock(folder / LOCK, blocking=False)
            lock.acquire()
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)
