"""Colors that a user sets on a frame, carried along the flow to both ends of its shot."""

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import UsageError
from colorizer.film import flow
from colorizer.inference.hints import Hint, Hints, Region, read_hints
from colorizer.support.told import read_json_file, shown

__all__ = ["REACH", "Said", "Tracker", "hints_at", "read_film_hints"]

REACH = 720
"""Frames over which a hint is carried back, at most."""

LATEST = 10**9  # frame, or second, of the longest film
TRUST = 0.25  # of the flow, below which a place is lost
KEPT = 0.5  # share of the places of a stroke that must be left

Places = np.ndarray  # (N, 2): x, y as shares of the upright picture


@dataclass(frozen=True)
class Said:
    """A hint, or a region that is left alone, on one frame.

    Attributes:
        what: a `Hint` or a `Region`.
        frame: its number, from 0 on; None where a time is told.
        time: in seconds from the start of the film.
    """

    what: Hint | Region
    frame: int | None = None
    time: float | None = None

    def moved(self, places: Places) -> Hint | Region:
        """The same elsewhere."""
        found = tuple(map(tuple, places.tolist()))
        if isinstance(self.what, Hint):
            return replace(self.what, places=found)
        return replace(self.what, corners=found)

    @property
    def places(self) -> Places:
        """Where it is on its frame."""
        what = self.what
        return np.array(what.places if isinstance(what, Hint) else what.corners, float)


def read_film_hints(source: Any) -> tuple[Said, ...]:
    """Read hints for a film.

    Args:
        source: the path of a JSON file, or what it holds: hints as `read_hints` takes them, each
            with `"frame": n` (from 0 on) or `"time": seconds` beside.

    Raises:
        UsageError: a wrong value; the message says which hint. ColorizerError: an unreadable file.
    """
    name = "hints"
    if isinstance(source, str | os.PathLike):
        name, source = str(source), read_json_file(Path(source))
    entries = source.get("hints") if isinstance(source, dict) else source
    if not isinstance(entries, list | tuple) or not all(isinstance(one, dict) for one in entries):
        raise UsageError(f"{name}: accepted is a list of hints, or a JSON file that holds one")
    head = {"version": 1}
    if isinstance(source, dict):
        head = {key: value for key, value in source.items() if key != "hints"}
    said = []
    for number, entry in enumerate(entries, 1):
        when = {key: entry[key] for key in ("frame", "time") if key in entry}
        if len(when) != 1:
            raise UsageError(f"{name}: hint {number}: needs either `frame` or `time`")
        ((key, value),) = when.items()
        if not _is_time(value, key == "frame"):
            accepted = "whole numbers" if key == "frame" else "seconds"
            raise UsageError(
                f"{name}: hint {number}: {key} is {shown(value)}; accepted are {accepted} from 0 on"
            )
        rest = {k: v for k, v in entry.items() if k not in when}
        try:
            read = read_hints({**head, "hints": [rest]})
        except UsageError as error:
            text = str(error).replace("hints: hint 1", f"{name}: hint {number}", 1)
            raise UsageError(text) from error
        said.append(Said((*read.points, *read.regions)[0], **when))
    return tuple(said)


class Tracker:
    """Follows hints through the shots of a film, while it is read for the first time.

    Args:
        said: what is said of its frames.
        rate: frames in a second.

    Attributes:
        found: number of a frame -> what is said there: index in `said`, and its places.
    """

    def __init__(self, said: Sequence[Said], rate: float) -> None:
        self.said = said
        self.found: dict[int, list[tuple[int, Places]]] = {}
        self._rate = rate
        self._waiting = set(range(len(said)))
        self._active: dict[int, Places] = {}
        self._past: deque[tuple[int, np.ndarray]] = deque(maxlen=REACH)

    def add(self, index: int, time: float, grid: np.ndarray, cut: bool) -> None:
        """Look at the next frame.

        Args:
            index, time: of the frame, from the start of the film.
            grid: (h, w), its lightness, upright.
            cut: whether it begins a shot.
        """
        if not self.said:
            return
        if cut:
            self._past.clear()
            self._active.clear()
        elif self._active:
            self._active = _follow(self._active, self._past[-1][1], grid)
        starts = [i for i in self._waiting if self._is_at(self.said[i], index, time)]
        self._waiting.difference_update(starts)
        new = {i: self.said[i].places for i in starts}
        self._note(index, self._active | new)
        before, current = dict(new), grid
        for earlier, past in reversed(self._past):
            if not before:
                break
            before = _follow(before, current, past)
            self._note(earlier, before)
            current = past
        self._active |= new
        self._past.append((index, grid.astype(np.float16)))

    def lost(self) -> list[str]:
        """A sentence for each hint whose frame never came."""
        return [
            f"hint {i + 1} is of a time that the film does not reach" for i in sorted(self._waiting)
        ]

    def _is_at(self, said: Said, index: int, time: float) -> bool:
        if said.frame is not None:
            return said.frame == index
        return said.time is not None and time >= said.time - 0.5 / self._rate

    def _note(self, index: int, places: dict[int, Places]) -> None:
        if places:
            self.found.setdefault(index, []).extend(places.items())


def hints_at(said: Sequence[Said], found: dict[int, list[tuple[int, Places]]], index: int) -> Hints:
    """What is said of a frame, as the hints of a picture; later ones lie over earlier ones."""
    here = [said[i].moved(places) for i, places in sorted(found.get(index, ()), key=lambda p: p[0])]
    return Hints(
        tuple(one for one in here if isinstance(one, Hint)),
        tuple(one for one in here if isinstance(one, Region)),
    )


def _follow(active: dict[int, Places], before: np.ndarray, now: np.ndarray) -> dict[int, Places]:
    """Where places of one frame are in another; without what is lost."""
    before, now = before.astype(np.float32), now.astype(np.float32)
    height, width = now.shape
    way, back = flow.find(before, now), flow.find(now, before)
    trust = flow.agreement(before, now, way, back)
    moved = {}
    for i, places in active.items():
        at = places * (width, height) - 0.5
        column = np.rint(at[:, 0]).astype(int).clip(0, width - 1)
        row = np.rint(at[:, 1]).astype(int).clip(0, height - 1)
        there = (at + way[row, column] + 0.5) / (width, height)
        good = (trust[row, column] > TRUST) & ((there > 0) & (there < 1)).all(1)
        if good.mean() > KEPT:
            moved[i] = there.clip(0, 1)
    return moved


def _is_time(value: Any, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return 0 <= value <= LATEST  # also not: nan
