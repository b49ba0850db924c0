"""The films of a page: read once for their shots, looked at, and colored, one at a time each."""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from colorizer.errors import ColorizerError, UsageError
from colorizer.film.codecs import choose
from colorizer.film.colorize import colorize_film
from colorizer.film.film_file import FilmFile
from colorizer.film.progress import WorkStoppedError, watched
from colorizer.film.source import Film, open_film
from colorizer.page.downloads import Make
from colorizer.page.film_formats import FILM_FORMATS
from colorizer.page.film_reading import TIMES, choose_frame, read_shots
from colorizer.page.kept import note
from colorizer.page.lanes import BusyError, Lane
from colorizer.page.photo import UnknownPhotoError, about
from colorizer.page.recipe import shot_of, write_recipe
from colorizer.page.reel import Course, Reel, ShownShot
from colorizer.page.shot_files import packed, played
from colorizer.page.studio import Studio
from colorizer.support.told import shown

__all__ = ["Cinema"]

WAITING = 100  # films that may wait to be read, and to be colored
PATIENCE = 30.0  # seconds, at the end
_FIELDS = ("", "deinterlace", "progressive")


class Cinema:
    """The films of a page; what is no coroutine may be called from several threads.

    Args:
        studio: holds the key frames as photos.
        previews: where photos are drawn; films wait for them.
    """

    def __init__(self, studio: Studio, previews: Lane) -> None:
        self.studio, self.folder, self.previews = studio, studio.folder, previews
        self._reels: dict[str, Reel] = {}
        self._readings, self._works = Lane(WAITING), Lane(WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._noting = threading.Lock()

    # Coming and going -------------------------------------------------------------------------

    def add(self, file: Path, fields: str = "") -> str:
        """Take a file of the private folder for a film; on failure it is removed.

        Args:
            file: from `PrivateFolder.place`.
            fields: of `_FIELDS`: what is done with frames that are marked as interlaced.

        Returns:
            Its key, with which it is to be read.

        Raises:
            ColorizerError: it cannot be colored.
        """
        try:
            if fields not in _FIELDS:
                raise UsageError(f"fields are {shown(fields)}; accepted: {', '.join(_FIELDS[1:])}")
            film = _opened(file, fields)
            format, notes = _first_that_takes(film)
            reel = Reel(file, film, format, fields, (*film.notes, *notes))
        except Exception as error:
            self.folder.remove(file)
            raise about(file, error) from error
        reel.number = self.studio.next_number()
        self._reels[file.parent.name] = reel
        self._note(file.parent.name)
        return file.parent.name

    def take(self, key: str, file: Path, known: Mapping[str, Any]) -> None:
        """Go on with a film that an earlier start has left.

        Raises: ColorizerError where it, or what is known of it, was damaged meanwhile.
        """
        try:
            fields = str(known["fields"])
            reel = Reel(file, _opened(file, fields), str(known["format"]), fields)
            reel.notes, reel.number = tuple(known["notes"]), self.studio.next_number()
            reel.is_removed = known["is_removed"] is True
            if known["shots"]:
                reel.shots = [ShownShot(**shot) for shot in known["shots"]]
                reel.pts = np.load(file.with_name(TIMES))
            made = reel.outputs / Path(str(known["result"])).name
            if made.is_file():
                reel.result, reel.result_notes = made, tuple(known["result_notes"])
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise ColorizerError(f"what is known of {file.name} was damaged") from error
        self._reels[key] = reel
        self._note(key)

    def films(self) -> list[dict[str, Any]]:
        """What the page knows of all films, in the order in which they came."""
        found = [(k, reel) for k, reel in list(self._reels.items()) if not reel.is_removed]
        return [reel.told(key) for key, reel in sorted(found, key=lambda one: one[1].number)]

    def check(self, key: str) -> Reel:
        """The film of a key; raises UnknownPhotoError."""
        reel = self._reels.get(key)
        if reel is None or reel.is_removed:
            raise UnknownPhotoError("this film is no longer here; add it again", key)
        return reel

    def remove(self, key: str) -> None:
        """Take a film away; `restore` brings it back as long as there is room."""
        if (reel := self._reels.get(key)) is not None:
            reel.is_removed = True
            self._stop(reel)
            self._note(key)

    def restore(self, key: str) -> None:
        """Bring a removed film back; raises UnknownPhotoError."""
        reel = self._reels.get(key)
        if reel is None:
            raise UnknownPhotoError("this film is no longer here; add it again", key)
        reel.is_removed = False
        self._note(key)

    def forget_one(self) -> bool:
        """Free the room of a removed film, if there is one."""
        for key, reel in list(self._reels.items()):
            if reel.is_removed and not reel.is_busy:
                del self._reels[key]
                self.studio.forget_of(key)
                note(self.folder, key, None)
                self.folder.remove(reel.file)
                return True
        return False

    @property
    def is_empty(self) -> bool:
        """Whether there are no films, so that nothing is lost when nobody asks for long."""
        return all(reel.is_removed for reel in self._reels.values())

    async def close(self) -> None:
        """End all that goes on; what is being joined gets a while."""
        for reel in self._reels.values():
            self._stop(reel)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)

    # Reading ----------------------------------------------------------------------------------

    def read(self, key: str) -> None:
        """Begin to read a film for its shots, in its turn; nothing if it is read already."""
        reel = self.check(key)
        going = reel.reading is not None and not (reel.reading.error or reel.reading.is_stopped)
        if not (reel.shots or going):
            reel.reading = Course()
            self._enter(self._readings, reel, reel.reading, lambda: self._read(key, reel))

    def read_all(self) -> None:
        """Begin to read all films that are not."""
        for key, reel in self._reels.items():
            if not reel.is_removed:
                self.read(key)

    def _read(self, key: str, reel: Reel) -> None:
        read_shots(key, reel, self.studio)
        reel.reading = None
        self._note(key)

    def choose(self, key: str, photo: Any, frame: Any) -> None:
        """Let another frame stand for a shot.

        Args:
            key: of a film that is read, and not at work.
            photo: the frame that stands for it now.
            frame: the number of the other one.

        Raises: UsageError, UnknownPhotoError, ColorizerError as `choose_frame`.
        """
        reel = self._read_film(key)
        number = reel.number_of(photo)
        shot = reel.shots[number]
        last = shot.first + shot.count - 1
        if type(frame) is not int or not shot.first <= frame <= last:
            raise UsageError(f"the frame is {shown(frame)}; the shot has {shot.first} to {last}")
        if reel.is_busy:
            raise UsageError(f"{reel.file.name} is at work; stop it first, or wait for its end")
        try:
            choose_frame(key, reel, self.studio, number, frame)
        except ColorizerError as error:
            raise about(reel.file, error) from error
        self._note(key)

    # Coloring ---------------------------------------------------------------------------------

    def work(self, key: str, said: Any, format: Any) -> Callable[[], None]:
        """Check what a film is to be colored like; what is returned begins it, in its turn.

        Args:
            key: of a film that is read.
            said: of each shot, as for `write_recipe`.
            format: of `FILM_FORMATS`.

        Raises:
            UsageError: wrong settings, a container that does not take the film, or one that is at
                work. UnknownPhotoError: a film or palette that is not here.
        """
        reel = self._read_film(key)
        listed = self._checked(reel, said)
        if format not in FILM_FORMATS:
            raise UsageError(
                f"the format is {shown(format)}; accepted are {', '.join(FILM_FORMATS)}"
            )
        try:
            _check_format(reel.film, format)
        except ColorizerError as error:
            raise about(reel.file, error) from error

        def begin() -> None:
            if reel.is_busy:
                raise UsageError(f"{reel.file.name} is at work already; stop it first")
            reel.format, reel.work = format, Course()
            self._note(key)
            self._enter(self._works, reel, reel.work, lambda: self._color(key, reel, listed))

        return begin

    def stop(self, key: str) -> None:
        """End the work on a film; what is whole of it stays."""
        self._stop(self.check(key))

    def _color(self, key: str, reel: Reel, said: Sequence[Mapping[str, Any]]) -> None:
        suffix, codec, _ = FILM_FORMATS[reel.format]
        path = reel.outputs / f"{reel.file.stem}-colored{suffix}"
        reel.outputs.mkdir(exist_ok=True)
        self.folder.promise(path, reel.file.stat().st_size)  # as much again, or so
        try:
            recipe = write_recipe(reel.recipe, reel, self.studio, said)
            result = colorize_film(
                reel.file,
                path,
                self.studio.engine.network.folder.path,
                shots=recipe.shots,
                reference=recipe.references,
                codec=codec,
                overwrite=True,
                threads=self.studio.engine.options.threads,
                **_options(reel.fields),
            )
        finally:
            self.folder.settle(path)
        if reel.result not in (None, path):
            reel.result.unlink(missing_ok=True)
        reel.result_notes = tuple(map(reel.plain, (*result.notes, *result.damages())))
        reel.result, reel.work = path, None
        self._note(key)

    # Files to look at -------------------------------------------------------------------------

    def preview(self, key: str, said: Mapping[str, Any]) -> Make:
        """What makes some seconds of a shot, as `Downloads.begin` takes it.

        Args:
            said: of the shot `id` (its key frame), `settings`, `hints` and `keep`.

        Raises: UsageError, UnknownPhotoError as `work`.
        """
        return played(self._read_film(key), said, self.studio, self.previews)

    def pack(self, key: str, said: Any) -> Make:
        """What makes a ZIP of what is said of the shots, as the command line takes it.

        Raises: UsageError, UnknownPhotoError as `work`.
        """
        reel = self._read_film(key)
        return packed(reel, self._checked(reel, said), self.studio)

    # ------------------------------------------------------------------------------------------

    def _read_film(self, key: str) -> Reel:
        reel = self.check(key)
        if not reel.shots:
            raise UsageError(f"{reel.file.name} is still being read; wait until its shots are here")
        return reel

    def _checked(self, reel: Reel, said: Any) -> list[Mapping[str, Any]]:
        if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
            raise UsageError("what is said of a film is a list of its shots")
        if len(said) != len(reel.shots):
            raise UsageError(f"{len(said)} shots are told of, and the film has {len(reel.shots)}")
        for one, shot in zip(said, reel.shots, strict=True):
            shot_of(one, self.studio, shot)
        return said

    def _enter(self, lane: Lane, reel: Reel, course: Course, act: Callable[[], None]) -> None:
        """Do something in its turn; what goes wrong is told by the course."""

        def tell(what: str, done: int, total: int | None) -> bool:
            course.tell(what, done, total)
            self.previews.give_way()
            return course.is_stopped

        def run() -> None:
            with watched(tell):
                if course.is_stopped:
                    raise WorkStoppedError("it was stopped")
                act()

        async def enter() -> None:
            try:
                await lane.run(run)
            except WorkStoppedError:
                reel.reading = None if reel.reading is course else reel.reading
                reel.work = None if reel.work is course else reel.work
            except (ColorizerError, BusyError) as error:
                course.error = reel.plain(str(error))
            except Exception as error:  # there is nobody else to tell
                traceback.print_exc(file=sys.stderr)
                kind = type(error).__name__
                course.error = f"this went wrong inside ({kind}); the terminal tells more"

        task = asyncio.create_task(enter())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _stop(reel: Reel) -> None:
        for course in (reel.reading, reel.work):
            if course is not None:
                course.is_stopped = True

    def _note(self, key: str) -> None:
        """What the next start must know of a film."""
        reel = self._reels[key]
        told: dict[str, Any] = {"name": reel.file.name, "number": reel.number, "is_film": True}
        told |= {"format": reel.format, "fields": reel.fields, "notes": reel.notes}
        told |= {"shots": [vars(part) for part in reel.shots], "is_removed": reel.is_removed}
        told |= {"result": reel.result and reel.result.name, "result_notes": reel.result_notes}
        with self._noting:
            note(self.folder, key, told)


def _options(fields: str) -> dict[str, bool]:
    return {fields: True} if fields else {}


def _opened(file: Path, fields: str) -> Film:
    return open_film(file, **_options(fields))


def _first_that_takes(film: Film) -> tuple[str, list[str]]:
    """The format that a film is made as unless another one is chosen; and what it cannot hold."""
    own = film.path.suffix.lower().removeprefix(".").replace("m4v", "mp4")
    first = own if own in FILM_FORMATS else "mkv"
    refused = None
    for format in dict.fromkeys((first, "mkv", "lossless")):
        try:
            return format, _check_format(film, format)
        except UsageError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _check_format(film: Film, format: str) -> list[str]:
    """Sentences on what a format does not hold; raises UsageError where it does not take a film."""
    suffix, codec, _ = FILM_FORMATS[format]
    path = film.path.with_name(f"{film.path.stem}-colored{suffix}")
    return FilmFile(film, path, choose(film, path, codec, None)).check()
