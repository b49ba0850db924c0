"""Downloads: photos in color at full size, made one after another, measured, and canceled."""

import asyncio
import secrets
import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from colorizer.errors import ColorizerError, UsageError
from colorizer.page.lanes import BusyError, Lane
from colorizer.page.photo import UnknownPhotoError, telling, unplaced
from colorizer.page.studio import MOST_PHOTOS, Studio
from colorizer.pictures.formats import WRITABLE
from colorizer.pictures.forms import FORMS
from colorizer.pictures.writing import measuring
from colorizer.support.told import shown

__all__ = ["FORMATS", "Downloads", "Job", "Make"]

FORMATS = {".tif": "TIFF", ".png": "PNG", ".jpg": "JPEG", ".webp": "WebP", ".avif": "AVIF"}
"""What photos can be downloaded as: extension and name."""

PACES = {".tif": 0.3, ".png": 0.35, ".jpg": 0.2, ".webp": 1.3, ".avif": 4.5}
"""Seconds a megapixel at first, of two cores; then what it took the last times."""

KEPT = 10  # results, for downloads that break off and go on
KEPT_JOBS = 100


@dataclass
class Job:
    """A download that is being made.

    Attributes:
        total: how many photos it is of.
        done: how many are made; a part is a share of the pixels of the next one.
        is_canceled: whether it is to stop.
        ended: what came of it: an error, or the file and notes.
    """

    total: int
    done: float = 0.0
    is_canceled: bool = False
    ended: dict[str, Any] = field(default_factory=dict)


Make = Callable[[Job], tuple[Path, list[str]]]
"""Makes a file of the private folder, and sentences to show."""


class Downloads:
    """The downloads of a page, and the files that they made.

    Args:
        studio: the photos.
        waiting: how many may wait for their turn.
        previews: where they are drawn; renders wait for them.

    Attributes:
        paces: seconds a megapixel, by extension.
    """

    def __init__(self, studio: Studio, waiting: int, previews: Lane) -> None:
        self.previews = previews
        self.studio, self.folder = studio, studio.folder
        self.lane = Lane(waiting)
        self.paces = dict(PACES)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._results: OrderedDict[str, Path] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = waiting
        self._lock = threading.Lock()

    def start(self, wanted: Any, extension: Any) -> str:
        """Begin to color photos at full size; the key is for `progress`.

        Args:
            wanted: for each photo `id`, and perhaps `settings`, `hints` and `format`.
            extension: of `FORMATS`, for those that have no format of their own.

        Raises:
            UsageError: no such list or format. UnknownPhotoError: a photo is not here.
            BusyError: too many wait.
        """
        if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
            raise UsageError("a download is of a list of photos")
        if not 0 < len(wanted) <= MOST_PHOTOS:
            raise UsageError(f"a download is of 1 to {MOST_PHOTOS} photos, not {len(wanted)}")
        for one in wanted:
            self.studio.check(str(one.get("id")))
            _check_format(one.setdefault("format", extension))
        return self.begin(len(wanted), partial(self._render, wanted))

    def begin(self, total: int, make: Make) -> str:
        """Begin to make a file in its turn; the key is for `progress`.

        Args:
            total: of its steps.
            make: makes it, tells the job how far it is, and asks it whether to stop.

        Raises:
            BusyError: too many wait.
        """
        if sum(not job.ended for job in self._jobs.values()) > self._waiting:
            raise BusyError("too many downloads wait; try again when one is done")
        key, job = secrets.token_hex(8), Job(total)
        self._jobs[key] = job
        while len(self._jobs) > KEPT_JOBS and next(iter(self._jobs.values())).ended:
            self._jobs.popitem(last=False)
        task = asyncio.create_task(self._work(job, make))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return key

    def progress(self, key: str) -> dict[str, Any]:
        """How far a download is; raises UnknownPhotoError."""
        job = self._job(key)
        return {"total": job.total, "done": job.done, **job.ended}

    def cancel(self, key: str) -> None:
        """End a download; raises UnknownPhotoError."""
        self._job(key).is_canceled = True

    def result(self, key: str) -> Path:
        """A file that a download made; raises UnknownPhotoError."""
        if key not in self._results:
            raise UnknownPhotoError("this file is no longer here; download it again")
        return self._results[key]

    def forget_one(self) -> bool:
        """Free the room of the result that was made first, if there is one."""
        with self._lock:
            if not self._results:
                return False
            _, file = self._results.popitem(last=False)
        self.folder.remove(file)
        return True

    async def run_one(self, one: Mapping[str, Any]) -> dict[str, Any]:
        """Make a download of a photo: its `file` (for `result`), `name` and `notes`.

        Raises:
            ColorizerError: the photo cannot be colored so. BusyError: too much waits.
        """
        _check_format(one.get("format"))
        return await self._run(partial(self._render, [one]), Job(1))

    async def _run(self, make: Make, job: Job) -> dict[str, Any]:
        file, notes = await self.lane.run(make, job)
        with self._lock:
            self._results[file.parent.name] = file
        while len(self._results) > KEPT:
            self.forget_one()
        return {"file": file.parent.name, "name": file.name, "notes": notes}

    async def _work(self, job: Job, make: Make) -> None:
        try:
            job.ended = await self._run(make, job)
            job.done = job.total
        except ColorizerError as error:
            job.ended = {"error": str(error)}
        except Exception as error:  # a job has nobody else to tell
            job.ended = {"error": f"this went wrong inside ({type(error).__name__})"}
            raise
        if job.is_canceled:
            job.ended |= {"error": "the download was canceled"}

    def _job(self, key: str) -> Job:
        if key not in self._jobs:
            raise UnknownPhotoError("this download is no longer here; start it again")
        return self._jobs[key]

    def _render(self, wanted: Sequence[Mapping[str, Any]], job: Job) -> tuple[Path, list[str]]:
        """The file, of several photos a ZIP; and sentences to show."""
        notes: list[str] = []
        made: list[Path] = []
        try:
            for number, one in enumerate(wanted):
                job.done = number
                try:
                    made.append(self._render_one(one, job, notes))
                except ColorizerError as error:
                    if len(wanted) == 1 or job.is_canceled:
                        raise
                    notes.append(str(error))
            if not made:
                raise ColorizerError("; ".join(notes))
            return (made.pop() if len(wanted) == 1 else self._zip(made)), notes
        finally:
            for path in made:
                self.folder.remove(path)

    def _render_one(self, one: Mapping[str, Any], job: Job, notes: list[str]) -> Path:
        photo = self.studio.check(str(one.get("id")))
        engine = self.studio.told_to(one.get("settings") or {}, one.get("hints"))
        engine = engine.with_options(salvage=photo.salvage)
        behind = FORMS[engine.options.result]
        path = self.folder.place(f"{photo.file.stem}{behind}{one['format']}")
        before = job.done

        def tell(share: float) -> bool:
            job.done = before + share
            self.previews.give_way()
            return job.is_canceled

        try:
            if job.is_canceled:
                raise ColorizerError("the download was canceled")
            picture = photo.preview.picture
            raw = picture.width * picture.height * picture.bits * 3 // 8
            if engine.options.result != "photo":
                raw *= 2
            self.folder.promise(path, raw if one["format"] in (".tif", ".png") else raw // 8)
            begun = time.monotonic()
            with telling(photo), measuring(tell):
                told = engine.colorize_file(photo.file, path)
            self._learn(one["format"], raw, time.monotonic() - begun)
            notes += [unplaced(note, photo.file) for note in told]
            self.folder.settle(path)
        except BaseException:
            self.folder.remove(path)
            raise
        return path

    def _learn(self, extension: str, raw: int, seconds: float) -> None:
        """Small files say nothing of the pace: what begins and ends a render takes longer."""
        if raw > 3 * 2**20:
            pace = self.paces[extension]
            self.paces[extension] = round(0.5 * pace + 0.5 * seconds / (raw / 3e6), 3)

    def _zip(self, files: list[Path]) -> Path:
        """Those files in one, each as often as it is there; they are removed on the way."""
        path = self.folder.place("colored.zip")
        names: set[str] = set()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed
            for file in files:
                name, count = file.name, 1
                while name.casefold() in names:
                    count += 1
                    name = f"{file.stem}-{count}{file.suffix}"
                names.add(name.casefold())
                archive.write(file, name)
                self.folder.remove(file)
        return path


def _check_format(extension: Any) -> None:
    known = isinstance(extension, str) and extension in FORMATS
    if not known or extension not in WRITABLE:
        raise UsageError(f"the format is {shown(extension)}; accepted are {', '.join(FORMATS)}")
