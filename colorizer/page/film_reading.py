"""A film of the page is read: where its shots are, and a frame of each as a photo."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from colorizer.color.lab import lightness_of, srgb_to_light
from colorizer.film.decoding import Heard
from colorizer.film.findings import Findings
from colorizer.film.key_frames import KeyFrame, key_frame, key_frames
from colorizer.film.painter import Painter
from colorizer.film.progress import progress
from colorizer.film.shots import look_through
from colorizer.film.source import Film, frames
from colorizer.film.titles import are_titles
from colorizer.film.tracking import Tracker
from colorizer.page.reel import Reel, ShownShot
from colorizer.page.studio import Studio

__all__ = ["TIMES", "choose_frame", "read_shots"]

TIMES = "times.npy"
"""Beside a film, when its frames are shown."""

MOST = 20  # damaged places that are told


def read_shots(key: str, reel: Reel, studio: Studio) -> None:
    """Find the shots of a film, and put a frame of each among the photos.

    Args:
        key: of the film.
        reel: the film, which gets its shots and times.
        studio: where the photos go.

    Raises: ColorizerError as `look_through`, or where there is no room.
    """
    studio.forget_of(key)  # of a reading that was stopped
    heard = Heard()
    findings = _look(reel.film, Painter(reel.film, studio.engine), heard)
    shots = _shots(reel.film, findings)
    room = studio.folder.place("frames")
    side = reel.film.upright
    deep = 1 if reel.film.coding.bits == 8 else 2
    studio.folder.promise(room, round(side[0] * side[1]) * deep * len(shots))
    try:
        with progress(len(shots), "key frames") as bar:
            for number, frame in enumerate(key_frames(reel.film, [one.key for one in shots])):
                photo, title = _keep(key, reel, frame, studio), are_titles([_lightness(frame)])
                shots[number] = replace(shots[number], photo=photo, title=title)
                bar.update()
    finally:
        studio.folder.remove(room)
    np.save(reel.file.with_name(TIMES), findings.pts)
    more = [f"{len(heard.damage) - MOST} more places are damaged"][: len(heard.damage) > MOST]
    reel.notes += (*(f"damaged: {place}" for place in heard.damage[:MOST]), *more)
    reel.pts, reel.shots = findings.pts, shots


def choose_frame(key: str, reel: Reel, studio: Studio, number: int, frame: int) -> None:
    """Let another frame stand for a shot, with all that was said of the one before.

    Args:
        key: of the film.
        reel: the film, which is read.
        studio: where the photos are.
        number: of the shot, from 0 on.
        frame: one of its frames, by its number in the film.

    Raises: ColorizerError where it cannot be read, or there is no room.
    """
    shot = reel.shots[number]
    found = key_frame(reel.film, frame, int(reel.pts[frame]))
    photo = _keep(key, reel, found, studio)
    if state := studio.check(shot.photo).state:
        studio.keep(photo, state)
    reel.shots[number] = replace(shot, key=frame, photo=photo)
    studio.forget(shot.photo)


def _look(film: Film, painter: Painter, heard: Heard) -> Findings:
    with progress(film.count or None, "reading") as bar:

        def counted() -> Iterator[Any]:
            for frame in frames(film, heard):
                yield frame
                bar.update()

        tracker = Tracker((), float(film.rate))
        return look_through(film, counted(), painter, tracker, palettes=False, keep_color=True)


def _shots(film: Film, findings: Findings) -> list[ShownShot]:
    """The shots of a film; the frame that stands for each is in its middle, and no flash."""
    aside, tick = set(findings.aside.tolist()), float(film.time_base)
    times = [*findings.pts.tolist(), findings.end]
    found = []
    starts = [*findings.starts.tolist(), len(findings.pts)]
    for number, (first, last) in enumerate(pairwise(starts)):
        middle = (first + last) // 2
        own = [index for index in range(first, last) if index not in aside] or [middle]
        after = bisect_left(own, middle)
        key = min(own[max(0, after - 1) : after + 1], key=lambda index: abs(index - middle))
        found.append(
            ShownShot(
                first=first,
                count=last - first,
                time=(times[first] - times[0]) * tick,
                seconds=(times[last] - times[first]) * tick,
                dissolve=int(findings.fades[number]),
                in_color=bool(findings.kept[number]),
                key=key,
            )
        )
    return found


def _lightness(frame: KeyFrame) -> np.ndarray:
    most = np.iinfo(frame.gray.dtype).max
    return lightness_of(srgb_to_light(frame.gray / most)).astype(np.float32)


def _keep(key: str, reel: Reel, frame: KeyFrame, studio: Studio) -> str:
    """Put a frame among the photos; its key."""
    import pyvips

    file = studio.folder.place(f"{reel.file.stem}-{frame.index:06d}.png")
    kind = "b-w" if frame.gray.dtype == np.uint8 else "grey16"
    picture = pyvips.Image.new_from_array(frame.gray).copy(interpretation=kind)
    picture.pngsave(str(file), compression=3)
    if frame.own is not None:
        own = pyvips.Image.new_from_array(frame.own).copy(interpretation="srgb")
        own.jpegsave(str(file.with_name("own.jpg")), Q=90)
    return str(studio.add(file, of=key)["id"])
