"""The folder of a film in work: what is whole in it is not done again."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.film.shots import Plan
from colorizer.film.steady import Steady
from colorizer.support.files import write_whole

__all__ = ["SEGMENT", "Parts"]

SEGMENT = 120
"""Frames of a segment, which is what a run that is killed loses at most."""


class Parts:
    """Finished segments of a film, beside its destination, and what the next one starts from.

    Args:
        destination: of the film; the folder is called `.NAME.colorizer-parts`.
        identity: all that the bytes of the result depend on; parts of another are thrown away.

    Attributes:
        folder: where they lie.
        renewed: whether parts of another identity were found, and thrown away.
    """

    def __init__(self, destination: Path, identity: dict[str, Any]) -> None:
        self.folder = destination.with_name(f".{destination.name}.colorizer-parts")
        told = json.dumps(identity, indent=1, sort_keys=True, default=str)
        mark = self.folder / "identity.json"
        known = mark.read_text(encoding="utf-8") if mark.is_file() else None
        self.renewed = known is not None and known != told
        if known != told:
            self.remove()
            self.folder.mkdir()
            write_whole(mark, told)

    @property
    def done(self) -> int:
        """How many segments are whole, from the first on."""
        count = 0
        while self._state(count).is_file() and self.segment(count).exists():
            count += 1
        return count

    def segment(self, index: int) -> Path:
        """Where a whole segment lies."""
        return self.folder / f"segment-{index:06d}"

    def segments(self, frames: int) -> list[Path]:
        """All segments of a film of so many frames."""
        return [self.segment(index) for index in range(-(-frames // SEGMENT))]

    def work(self, index: int) -> Path:
        """Where a segment is written before it is whole; what lay there is removed."""
        path = self._work(index)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        return path

    def finish(self, index: int, steady: Steady) -> None:
        """Count a segment as whole, with the memory from which the next one starts."""
        self._work(index).replace(self.segment(index))
        work = self.folder / "state.tmp"
        with work.open("wb") as file:
            np.savez(file, L=steady.L, ab=steady.ab)  # ty: ignore[invalid-argument-type]
        work.replace(self._state(index))
        if index:
            self._state(index - 1).write_bytes(b"")  # the film needs only the last

    def memory(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """L and ab after a whole segment, the last one."""
        with np.load(self._state(index)) as held:
            return held["L"], held["ab"]

    def plan(self) -> Plan | None:
        """What the first reading found, if it is done."""
        path = self.folder / "plan.npz"
        return Plan.load(path) if path.is_file() else None

    def keep_plan(self, plan: Plan) -> None:
        plan.save(self.folder / "plan.npz")

    def remove(self) -> None:
        """All of it."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _work(self, index: int) -> Path:
        return self.folder / f"work-{index:06d}"

    def _state(self, index: int) -> Path:
        return self.folder / f"state-{index:06d}.npz"
