"""The shots of a film as a person wants them: cuts, and how each shot is colored."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.film.findings import Findings
from colorizer.film.source import Film
from colorizer.inference.steered import SteeredModel
from colorizer.support.nearest import did_you_mean
from colorizer.support.told import read_json_file, shown

__all__ = ["REPORTED", "STEERED", "Listed", "Shot", "listed", "read_shots", "relisted"]

STEERED = (
    *("palette", "vividness", "temperature", "variant", "quality"),
    *("natural", "warmth", "tint", "shadows", "highlights"),
)
"""What may be told of one shot, as of the whole film."""

REPORTED = (
    *("film", "frames", "frames_per_second", "shots", "seconds", "steadiness", "notes", "damage"),
)
"""What a report holds."""

_NAMES = ("frame", "time", "dissolve", "keep", *STEERED)
LATEST = 10**9  # frame, or second, of the longest film
LONGEST = 1000  # frames of a dissolve


@dataclass(frozen=True)
class Shot:
    """One shot.

    Attributes:
        frame: the number of its first frame, from 0 on; None where only a time is told.
        time: of that frame, in seconds from the start of the film; None where only a frame is.
        dissolve: frames over which it comes in, half of them before its first.
        keep: whether the colors that it has go through; None leaves that to `--keep-color`.
        options: of `STEERED`, by name.
    """

    frame: int | None = None
    time: float | None = None
    dissolve: int = 0
    keep: bool | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def palette(self) -> Any:
        """The photo whose colors it prefers, or None."""
        return self.options.get("palette")

    def told(self, frame: int, time: float) -> dict[str, Any]:
        """As a report lists it, to be read again."""
        own = {"dissolve": self.dissolve} if self.dissolve else {}
        own |= {} if self.keep is None else {"keep": self.keep}
        return {"frame": frame, "time": round(time, 3), **own, **self.options}


def read_shots(source: Any) -> tuple[Shot, ...]:
    """Read a list of shots.

    Args:
        source: the path of a JSON file, or what it holds: a list of shots, or a report, which has
            one under `shots`. Each shot has `"frame": n` (from 0 on), `"time": seconds`, or both,
            and what `Shot` and `STEERED` name. A palette is found beside the file.

    Raises:
        UsageError: a wrong name or value; the message says of which shot. ColorizerError: an
            unreadable file.
    """
    name, folder = "shots", Path()
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        name, folder = str(source), path.parent
        source = read_json_file(path)
    if isinstance(source, dict):
        _check_names(source, REPORTED, name)
        source = source.get("shots")
    if not isinstance(source, list | tuple) or not source:
        raise UsageError(f"{name}: accepted is a list of shots, or a report that holds one")
    found = tuple(_shot(one, f"{name}: shot {n}", folder) for n, one in enumerate(source, 1))
    first = found[0]
    if first.frame or (first.frame is None and first.time):
        at = f"frame {first.frame}" if first.frame else f"{first.time} s"
        raise UsageError(f"{name}: shot 1 begins at {at}; the first begins at frame 0")
    return found


def _shot(entry: Any, where: str, folder: Path) -> Shot:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} is {shown(entry)}; accepted is an object with `frame` or `time`")
    _check_names(entry, _NAMES, where)
    frame, time, keep = entry.get("frame"), entry.get("time"), entry.get("keep")
    if frame is None and time is None:
        raise UsageError(f"{where}: needs `frame` or `time`")
    for key, value, kinds, accepted, most in (
        ("frame", frame, int, "whole numbers from 0 on", LATEST),
        ("time", time, int | float, "seconds from 0 on", LATEST),
        ("dissolve", entry.get("dissolve"), int, f"0 to {LONGEST} frames", LONGEST),
    ):
        good = isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value <= most
        if value is not None and not good:
            raise UsageError(f"{where}: {key} is {shown(value)}; accepted are {accepted}")
    if keep is not None and not isinstance(keep, bool):
        raise UsageError(f"{where}: keep is {shown(keep)}; accepted are true and false")
    options = {key: entry[key] for key in STEERED if key in entry}
    if keep and options:
        raise UsageError(f"{where}: keep leaves its colors alone; leave out {', '.join(options)}")
    palette = options.get("palette")
    if isinstance(palette, str):
        options["palette"] = str((folder / palette).resolve())
    elif palette is not None:
        raise UsageError(f"{where}: palette is {shown(palette)}; accepted is the path of a photo")
    return Shot(frame, time, entry.get("dissolve") or 0, keep, options)


@dataclass(frozen=True)
class Listed:
    """A list of shots that fits a film.

    Attributes:
        shots: themselves.
        models: what looks at each.
        name: of the list, for messages.
    """

    shots: tuple[Shot, ...]
    models: tuple[SteeredModel, ...]
    name: str

    def places(self, seconds: np.ndarray) -> list[int]:
        """The first frame of each.

        Args:
            seconds: (N,), when the frames are shown, from the first one on.

        Raises:
            UsageError: a shot is beyond the film, or not behind the one before it; its time and its
                frame are of two places.
        """
        step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1.0
        last = f"{len(seconds) - 1} at {seconds[-1]:.3f} s"
        places: list[int] = []
        for number, shot in enumerate(self.shots, 1):
            where = f"{self.name}: shot {number}"
            frame = shot.frame
            if frame is None:
                frame = int(np.searchsorted(seconds, (shot.time or 0.0) - step / 2))
            if frame >= len(seconds):
                at = f"frame {frame}" if shot.frame is not None else f"{shot.time} s"
                raise UsageError(f"{where} begins at {at}; the last frame of the film is {last}")
            if shot.frame is not None and shot.time is not None:
                true = float(seconds[frame])
                if abs(true - shot.time) > max(step, 0.002):
                    raise UsageError(
                        f"{where}: frame {frame} is shown at {true:.3f} s, not at {shot.time} s;"
                        " leave one of the two out"
                    )
            if places and frame <= places[-1]:
                raise UsageError(
                    f"{where} begins at frame {frame}, the one before it at {places[-1]}; list them"
                    " in order"
                )
            places.append(frame)
        return places


def listed(source: Any, model: SteeredModel) -> Listed:
    """Read a list of shots, as `read_shots`, and steer a model for each.

    Raises: UsageError, ColorizerError: as `read_shots`, and where the model, or a palette, does not
        allow what is told of a shot.
    """
    name = str(source) if isinstance(source, str | os.PathLike) else "shots"
    shots = read_shots(source)
    return Listed(shots, tuple(_steered_by_shot(model, shots, name)), name)


def relisted(findings: Findings, film: Film, shots: Listed | None) -> list[dict[str, Any]]:
    """The shots as a report has them, and as `--shots` takes them again."""
    told = []
    for number, (start, time) in enumerate(
        zip(findings.starts.tolist(), findings.seconds(film), strict=True)
    ):
        one = Shot() if shots is None else shots.shots[number]
        if findings.kept[number]:
            one = replace(one, keep=True)
        one = replace(one, dissolve=int(findings.fades[number]))
        told.append(one.told(start, time))
    return told


def _steered_by_shot(model: SteeredModel, shots: Sequence[Shot], name: str) -> list[SteeredModel]:
    """The model as each shot steers it.

    Raises: UsageError, ColorizerError: an option that is out of range, or that the model or the
        palette does not allow; the message says of which shot.
    """
    found = []
    for number, shot in enumerate(shots, 1):
        try:
            found.append(model.with_options(**shot.options) if shot.options else model)
        except ColorizerError as error:
            raise type(error)(f"{name}: shot {number}: {error}") from error
    return found


def _check_names(entry: dict[str, Any], known: Sequence[str], where: str) -> None:
    for name in entry:
        if name not in known:
            hint = did_you_mean(str(name), known) or f"; accepted: {', '.join(known)}"
            raise UsageError(f"{where}: there is no {shown(name)}{hint}")
