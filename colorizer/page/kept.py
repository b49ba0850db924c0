"""Work that outlives the page: with `--keep`, photos and what was said of them wait.

Each photo lies in a folder of its own; beside it a file of the same key says what the page told.
"""

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from colorizer.page.working_folder import LOCK, PREFIX, PrivateFolder

__all__ = ["DAYS", "Left", "expire", "left_in", "note", "state_folder"]

DAYS = 30
"""After which work that was left is removed, by the next start of any page."""

MOST = 3  # folders that wait, the newest


def state_folder() -> Path:
    """Where work is kept: this user's own folder for such things."""
    return platformdirs.user_state_path("colorizer", appauthor=False) / "page"


def note(folder: PrivateFolder, key: str, told: dict[str, Any] | None) -> None:
    """Write what is known of a photo, if its folder outlives the page; None takes it back."""
    if not folder.keeps:
        return
    path = folder.path / f"{key}.json"
    if told is None:
        path.unlink(missing_ok=True)
        return
    work = path.with_suffix(".new")
    work.write_text(json.dumps(told), encoding="utf-8")
    os.replace(work, path)


def expire(parent: Path) -> None:
    """Remove what is too old, too much, or without any photo, and is not in use."""
    folders = sorted(_idle(parent), key=_age)
    for number, folder in enumerate(folders):
        if number >= MOST or _age(folder) > DAYS * 86400 or not any(folder.glob("*.json")):
            shutil.rmtree(folder, ignore_errors=True)


def left_in(parent: Path) -> "Left | None":
    """The newest work that was left, if there is some."""
    folders = [folder for folder in _idle(parent) if any(folder.glob("*.json"))]
    for folder in sorted(folders, key=_age):
        with suppress(Timeout):  # another start has taken it just now
            return Left(folder)
    return None


class Left:
    """Work that another start of the page has left.

    Args:
        path: its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / LOCK, blocking=False, thread_local=False)
        self._lock.acquire()  # no other page takes it meanwhile

    def told(self) -> dict[str, Any]:
        """How many photos and films there are, and when something was said last, since 1970."""
        found = [known for _, _, known in self._photos()]
        films = sum(bool(known.get("is_film")) for known in found)
        others = sum(bool(known.get("lends") or known.get("of")) for known in found)
        photos = len(found) - films - others
        return {"photos": photos, "films": films, "when": time.time() - _age(self.path)}

    def take(self, folder: PrivateFolder) -> list[tuple[str, Path, dict[str, Any]]]:
        """Move the photos to a running page's folder; key, file and what is known of each."""
        moved = []
        for key, file, known in self._photos():
            os.replace(file.parent, folder.path / key)
            moved.append((key, folder.path / key / file.name, known))
        self.drop()
        return moved

    def drop(self) -> None:
        """Remove it all."""
        self.release()
        shutil.rmtree(self.path, ignore_errors=True)

    def release(self) -> None:
        """Leave it for another start."""
        self._lock.release()

    def _photos(self) -> list[tuple[str, Path, dict[str, Any]]]:
        """In the order in which they came."""
        found = []
        for path in self.path.glob("*.json"):
            with suppress(OSError, ValueError):  # half written when the machine went down
                known = json.loads(path.read_text(encoding="utf-8"))
                file = self.path / path.stem / str(known["name"])
                if file.parent.parent == self.path and file.is_file():
                    found.append((path.stem, file, known))
        return sorted(found, key=lambda one: one[2].get("number", 0))


def _idle(parent: Path) -> list[Path]:
    """Folders of pages of this user that no page has in use."""
    found = []
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue
            with FileLock(folder / LOCK, blocking=False):
                found.append(folder)
    return found


def _age(folder: Path) -> float:
    """Seconds since something was said last."""
    times = [path.stat().st_mtime for path in (folder, *folder.glob("*.json"))]
    return time.time() - max(times)
