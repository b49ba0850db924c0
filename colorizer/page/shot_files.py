"""Files of a film's shots: some seconds of one to look at, and what is said of all."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from colorizer.film.painter import Painter
from colorizer.film.progress import watched
from colorizer.film.shot_preview import write_shot
from colorizer.inference.steered import SteeredModel
from colorizer.page.downloads import Job, Make
from colorizer.page.lanes import Lane
from colorizer.page.photo import about
from colorizer.page.recipe import reference_of, shot_of, write_recipe
from colorizer.page.reel import Reel
from colorizer.page.studio import Studio
from colorizer.support.machine import cores

__all__ = ["SECONDS", "packed", "played"]

SECONDS = 4.0
"""Of a shot, at most, that are looked at before the work."""

_LOOKING = 0.2  # share of the time that is spent before anything is colored
_DONE = 0.999  # share that is told until the file is whole


def played(reel: Reel, said: Mapping[str, Any], studio: Studio, previews: Lane) -> Make:
    """What makes some seconds of a shot, round its key frame.

    Args:
        reel: the film.
        said: of the shot `id` (its key frame), `settings`, `hints` and `keep`.
        studio: holds the key frame.
        previews: where photos are drawn, for which this waits.

    Raises: UsageError, UnknownPhotoError as `shot_of`.
    """
    number = reel.number_of(said.get("id"))
    own = reel.shots[number]
    shot = shot_of(said, studio, own)
    engine = studio.engine
    count = min(own.count, max(1, round(SECONDS * reel.film.rate)))
    first = min(max(own.first, own.key - count // 2), own.first + own.count - count)

    def make(job: Job) -> tuple[Path, list[str]]:
        def tell(what: str, done: int, total: int | None) -> bool:
            share = done / (total or 1)
            before, part = (0, _LOOKING) if what == "looking" else (_LOOKING, 1 - _LOOKING)
            job.done = min(before + share * part, _DONE)
            previews.give_way()
            return job.is_canceled

        path = studio.folder.place(f"{reel.file.stem}-shot-{number + 1}.webm")
        try:
            scratch = path.parent / "scratch"
            scratch.mkdir()
            references: dict[int, Path] = {}
            if said.get("hints") and not shot.keep:
                place = path.parent / "reference.png"
                if reference_of(own, studio, said, place):
                    references[own.key - first] = place
                else:
                    shot.options["vividness"] = 0
            painter = Painter(reel.film, SteeredModel(engine.network))
            workers = engine.options.threads or cores()
            shown = int(reel.pts[first]), count, shot, references
            with watched(tell):
                write_shot(reel.film, *shown, painter, path, scratch, workers)
        except BaseException as error:
            studio.folder.remove(path)
            if isinstance(error, Exception):
                raise about(reel.file, error) from error
            raise
        return path, []

    return make


def packed(reel: Reel, said: Sequence[Mapping[str, Any]], studio: Studio) -> Make:
    """What makes a ZIP of what is said of the shots, as `write_recipe` has it."""

    def make(job: Job) -> tuple[Path, list[str]]:
        def tell(what: str, done: int, total: int | None) -> bool:
            job.done = min(done / (total or 1), _DONE)
            return job.is_canceled

        path = studio.folder.place(f"{reel.recipe.name}.zip")
        try:
            folder = path.parent / reel.recipe.name
            with watched(tell):
                write_recipe(folder, reel, studio, said)
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # pictures are packed
                for file in sorted(folder.rglob("*")):
                    if file.is_file():
                        archive.write(file, file.relative_to(path.parent).as_posix())
        except BaseException:
            studio.folder.remove(path)
            raise
        return path, []

    return make
