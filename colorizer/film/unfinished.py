"""The folder of a film in work: what is whole in it is not done again, and it has one owner."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import UsageError
from colorizer.film.findings import Findings
from colorizer.film.steady import Steady
from colorizer.support.files import write_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

__all__ = ["SEGMENT", "Unfinished", "open_unfinished"]

SEGMENT = 120
"""Frames of a segment, which is what a run that is killed loses at most."""

_LOCK = "lock"


@contextmanager
def open_unfinished(destination: Path, identity: dict[str, Any]) -> Iterator["Unfinished"]:
    """The unfinished work on a film, as this run's alone.

    Args:
        destination: of the film; the folder is called `.NAME.colorizer-parts`.
        identity: all that the bytes of the result depend on; what is of another is thrown away.

    Raises:
        UsageError: another run has it. OSError: no space, no permission.
    """
    folder = destination.with_name(f".{destination.name}.colorizer-parts")
    handle = _lock(folder, destination)
    try:
        yield Unfinished(folder, identity)
    finally:
        empty = all(path.name == _LOCK for path in folder.iterdir())
        if empty and fcntl is not None:  # while it is locked, so that nobody's work is removed
            shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)
        if empty and fcntl is None:
            shutil.rmtree(folder, ignore_errors=True)


class Unfinished:
    """Finished segments of a film, and what the next one starts from.

    Args:
        folder: where they lie, locked.
        identity: as for `open_unfinished`.

    Attributes:
        renewed: whether parts of another identity were found, and thrown away.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        told = json.dumps(identity, indent=1, sort_keys=True, default=str)
        mark = self.folder / "identity.json"
        known = mark.read_text(encoding="utf-8") if mark.is_file() else None
        self.renewed = known is not None and known != told
        if known != told:
            self.clear()
            write_whole(mark, told)

    @property
    def done(self) -> int:
        """How many segments are whole, from the first on."""
        count = 0
        while self._state(count).is_file() and self.segment(count).exists():
            count += 1
        return count

    @property
    def result(self) -> Path:
        """Where a folder of frames comes together, before it takes its name."""
        return self.folder / "result"

    @property
    def references(self) -> Path:
        """Where what references tell of earlier frames is kept."""
        return self.folder / "references"

    def segment(self, index: int) -> Path:
        """Where a whole segment lies."""
        return self.folder / f"segment-{index:06d}"

    def segments(self, frames: int) -> list[Path]:
        """All segments of a film of so many frames."""
        return [self.segment(index) for index in range(-(-frames // SEGMENT))]

    def work(self, index: int) -> Path:
        """Where a segment is written before it is whole; what lay there is removed."""
        path = self._work(index)
        _remove(path)
        return path

    def finish(self, index: int, steady: Steady, numbers: Mapping[str, np.ndarray]) -> None:
        """Count a segment as whole.

        Args:
            index: of the segment.
            steady: the memory from which the next one starts.
            numbers: what a report needs from it.
        """
        work = self.folder / "state.tmp"
        with work.open("wb") as file:
            memory = {} if steady.L is None else {"L": steady.L, "ab": steady.ab}
            if steady.told is not None:
                memory |= {"told": steady.told.ab, "weight": steady.told.weight}
            np.savez(file, owed=steady.owed, **memory, **numbers)  # ty: ignore[invalid-argument-type]
        work.replace(self._state(index))
        _remove(self.segment(index))
        self._work(index).replace(self.segment(index))  # only now it counts
        if index:
            self._state(index - 1).write_bytes(b"")  # the film needs only the last

    def memory(self, index: int) -> dict[str, np.ndarray]:
        """What was told of the last whole segment: L and ab, if any, and the numbers."""
        with np.load(self._state(index)) as held:
            return dict(held)

    def findings(self) -> Findings | None:
        """What the first reading found, if it is done."""
        path = self.folder / "findings.npz"
        return Findings.load(path) if path.is_file() else None

    def keep_findings(self, findings: Findings) -> None:
        """Keep what the first reading found."""
        findings.save(self.folder / "findings.npz")

    def clear(self) -> None:
        """Remove all parts, the order such that what is left never counts as whole."""
        (self.folder / "identity.json").unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                _remove(path)

    def _work(self, index: int) -> Path:
        return self.folder / f"work-{index:06d}"

    def _state(self, index: int) -> Path:
        return self.folder / f"state-{index:06d}.npz"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(folder: Path, destination: Path) -> int:
    """A handle of the folder's lock, which ends with the process at the latest."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # the other run has just ended
            continue
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # ty: ignore[missing-attribute]
        except OSError as error:
            os.close(handle)
            raise UsageError(
                f"another run is at work on {destination}; wait for it, or give another name"
            ) from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(folder / _LOCK)):
                return handle
        os.close(handle)
