"""A film that was dropped: what is known of it, of its shots, and of the work on it."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.film.source import Film
from colorizer.page.photo import UnknownPhotoError, unplaced

__all__ = ["Course", "Reel", "ShownShot"]


@dataclass
class Course:
    """How far a long work is.

    Attributes:
        what: is done, such as "coloring"; "waiting" for its turn.
        done, total: steps; None where nobody knows how many there are.
        is_stopped: whether it is to end.
        error: why it has ended without a result.
    """

    what: str = "waiting"
    done: int = 0
    total: int | None = None
    is_stopped: bool = False
    error: str = ""
    _begun: float = field(default_factory=time.monotonic)
    _first: int = 0

    def tell(self, what: str, done: int, total: int | None) -> None:
        """What `watched` tells."""
        if what != self.what:
            self._begun, self._first = time.monotonic(), done
        self.what, self.done, self.total = what, done, total

    def told(self) -> dict[str, Any]:
        """What the page knows of it; `left` in seconds, None for unknown."""
        made, left = self.done - self._first, None
        if self.total and made > 0:
            left = (time.monotonic() - self._begun) / made * max(0, self.total - self.done)
        told = {"what": self.what, "done": self.done, "total": self.total, "left": left}
        return told | {"stopping": self.is_stopped, "error": self.error}


@dataclass(frozen=True)
class ShownShot:
    """One shot.

    Attributes:
        first, count: its first frame, from 0 on, and how many it has.
        time, seconds: when it begins, and how long it is.
        dissolve: frames over which it comes in.
        in_color: whether it has colors of its own.
        title: whether it looks like a title, which stays gray unless something is said of it.
        key: the frame that stands for it.
        photo: that frame as a photo of the page.
    """

    first: int
    count: int
    time: float
    seconds: float
    dissolve: int
    in_color: bool
    key: int
    photo: str = ""
    title: bool = False


@dataclass
class Reel:
    """A film that was dropped.

    Attributes:
        file: in the private folder, under the name that the user knows.
        film: what is known before it is read.
        format: of `FILM_FORMATS`, the first that takes it.
        fields: "deinterlace" or "progressive", if the user has said so of its fields.
        notes: sentences to show.
        number: its place in the order in which photos and films came.
        shots: its shots; empty until it is read.
        pts: (N,) int64, the presentation times of its frames, in ticks of the film.
        reading, work: how far they are; None if they do not go on, nor have failed.
        result: the colored film.
        result_notes: sentences on what it lacks, or differs in.
        is_removed: whether it waits to be brought back.
    """

    file: Path
    film: Film
    format: str
    fields: str = ""
    notes: tuple[str, ...] = ()
    number: int = 0
    shots: list[ShownShot] = field(default_factory=list)
    pts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    reading: Course | None = None
    work: Course | None = None
    result: Path | None = None
    result_notes: tuple[str, ...] = ()
    is_removed: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether it is read or colored, or waits for it."""
        return any(one is not None and not one.error for one in (self.reading, self.work))

    @property
    def unfinished(self) -> bool:
        """Whether a stopped work has left parts to go on with."""
        return any(self.outputs.glob(".*.colorizer-parts/state-*"))

    @property
    def outputs(self) -> Path:
        """The folder of results."""
        return self.file.parent / "made"

    @property
    def recipe(self) -> Path:
        """The folder of what is said of its shots, as the command line takes it."""
        return self.file.parent / f"{self.file.stem}-shots"

    def number_of(self, photo: Any) -> int:
        """The number of a shot, from 0 on, by the photo that stands for it.

        Raises: UnknownPhotoError.
        """
        number = next((n for n, one in enumerate(self.shots) if one.photo == photo), None)
        if number is None:
            raise UnknownPhotoError("this shot is no longer here; load the page anew")
        return number

    def plain(self, sentence: str) -> str:
        """A sentence in the words of the page, which names files and not where they lie."""
        for folder in (self.recipe / "references", self.recipe, self.outputs):
            sentence = sentence.replace(f"{folder}{os.sep}", "")
        return unplaced(sentence, self.file)

    def told(self, key: str) -> dict[str, Any]:
        """What the page knows of it."""
        width, height = map(round, self.film.upright)
        # First what is taken away when shots and result are there, so that one of both is told.
        reading, work = (one and one.told() for one in (self.reading, self.work))
        return {
            "id": key,
            "name": self.file.name,
            "width": width,
            "height": height,
            "rate": float(self.film.rate),
            "frames": len(self.pts) or self.film.count,
            "bits": self.film.coding.bits,
            "fields": self.fields,
            "format": self.format,
            "notes": [self.plain(note) for note in self.notes],
            "shots": [vars(part) for part in self.shots],
            "reading": reading,
            "work": work,
            "unfinished": self.unfinished,
            "result": self.result
            and {
                "name": self.result.name,
                "bytes": self.result.stat().st_size,
                "notes": list(self.result_notes),
            },
        }
