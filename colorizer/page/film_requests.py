"""What is asked of a page's films, at which addresses."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from colorizer.errors import ColorizerError
from colorizer.extras import lacking
from colorizer.page.downloads import Downloads
from colorizer.page.film_formats import FILM_FORMATS
from colorizer.page.lanes import BusyError, Lane
from colorizer.page.names import safe_name
from colorizer.page.photo import UnknownPhotoError
from colorizer.page.receive import Limits, attached, receive, told_by
from colorizer.page.studio import Studio

if TYPE_CHECKING:
    from colorizer.page.cinema import Cinema

__all__ = ["FilmRequests"]

MODULES = ("av", "cv2")  # of the extra
LONGER = 8  # times as long as a photo's may the upload of a film take


class FilmRequests:
    """Answers what is asked of films; without the video extra each answer is that sentence.

    Args:
        studio: holds their key frames.
        downloads: makes what is looked at.
        limits: of what is taken.
        previews: where photos are drawn.
    """

    def __init__(
        self, studio: Studio, downloads: Downloads, limits: Limits, previews: Lane
    ) -> None:
        self.studio, self.downloads, self.previews = studio, downloads, previews
        most = studio.folder.most
        self.limits = replace(limits, upload=most, total=LONGER * limits.total)
        self.uploads = 0

    @cached_property
    def cinema(self) -> "Cinema":
        """The films; raises ColorizerError without the extra."""
        if lacks := lacking("video", *MODULES):
            raise ColorizerError(lacks)
        from colorizer.page.cinema import Cinema

        return Cinema(self.studio, self.previews)

    @property
    def begun(self) -> "Cinema | None":
        """The same, if there have been any."""
        return self.__dict__.get("cinema")

    def addresses(self) -> list[tuple[str, str, Any]]:
        """Path, method and handler of each."""
        return [
            ("/films", "GET", self.films),
            ("/films", "POST", self.upload),
            ("/films/{id}", "DELETE", self.remove),
            ("/films/{id}/restore", "POST", self.restore),
            ("/films/{id}/frame", "POST", self.choose),
            ("/films/{id}/preview", "POST", self.preview),
            ("/films/{id}/recipe", "POST", self.pack),
            ("/films/{id}/work", "POST", self.work),
            ("/films/{id}/work", "DELETE", self.stop),
            ("/films/{id}/result", "GET", self.result),
        ]

    def told(self) -> dict[str, Any]:
        """What the page knows before there is one: why there can be none, and what is made."""
        names = {key: name for key, (_, _, name) in FILM_FORMATS.items()}
        why_none = lacking("video", *MODULES)
        return {"why_none": why_none, "most": self.limits.upload, "formats": names}

    async def take_left(self) -> dict[str, Any]:
        """Go on with what an earlier start has left."""

        lost: list[str] = []

        def take(key: str, file: Path, known: dict[str, Any]) -> None:
            try:
                self.cinema.take(key, file, known)
            except ColorizerError:
                lost.append(key)
                raise

        told = await self.previews.run(self.studio.take_left, take)
        for key in lost:
            self.studio.forget_of(key)
        if self.begun:
            self.begun.read_all()
        return told

    async def films(self, request: Request) -> Response:
        return JSONResponse(self.begun.films() if self.begun else [])

    async def upload(self, request: Request) -> Response:
        """The body is the file; its name is in the query, and what is done with fields."""
        cinema = await anyio.to_thread.run_sync(lambda: self.cinema)
        if self.uploads >= self.limits.uploads:
            raise BusyError("too many films arrive at once; try again in a moment")
        file = self.studio.folder.place(safe_name(request.query_params.get("name", "film")))
        self.uploads += 1
        try:
            await receive(request, file, self.studio.folder, self.limits, "film")
            fields = request.query_params.get("fields", "")
            key = await self.previews.run(cinema.add, file, fields)
        except BaseException:
            self.studio.folder.remove(file)
            raise
        finally:
            self.uploads -= 1
        cinema.read(key)
        return JSONResponse(cinema.check(key).told(key), 201)

    async def remove(self, request: Request) -> Response:
        await anyio.to_thread.run_sync(self.cinema.remove, request.path_params["id"])
        return Response(status_code=204)

    async def restore(self, request: Request) -> Response:
        key = request.path_params["id"]
        self.cinema.restore(key)
        self.cinema.read(key)
        return JSONResponse(self.cinema.check(key).told(key))

    async def choose(self, request: Request) -> Response:
        """Let another frame stand for a shot."""
        key, told = request.path_params["id"], await told_by(request)
        asked = key, told.get("photo"), told.get("frame")
        await self.previews.run(self.cinema.choose, *asked)
        return JSONResponse(self.cinema.check(key).told(key))

    async def preview(self, request: Request) -> Response:
        """Begin to make some seconds of a shot; goes on as a download does."""
        key, told = request.path_params["id"], await told_by(request)
        make = await self.previews.run(self.cinema.preview, key, told)
        return JSONResponse({"id": self.downloads.begin(1, make)}, 202)

    async def pack(self, request: Request) -> Response:
        """Begin to make a ZIP of what is said of all shots; goes on as a download does."""
        key, told = request.path_params["id"], await told_by(request)
        make = await self.previews.run(self.cinema.pack, key, told.get("shots"))
        return JSONResponse({"id": self.downloads.begin(1, make)}, 202)

    async def work(self, request: Request) -> Response:
        """Begin to color a film, or go on; `films` tells how far it is."""
        key, told = request.path_params["id"], await told_by(request)
        asked = key, told.get("shots"), told.get("format")
        begin = await self.previews.run(self.cinema.work, *asked)
        begin()
        return JSONResponse(self.cinema.check(key).told(key), 202)

    async def stop(self, request: Request) -> Response:
        self.cinema.stop(request.path_params["id"])
        return Response(status_code=204)

    async def result(self, request: Request) -> Response:
        made = self.cinema.check(request.path_params["id"]).result
        if made is None:
            raise UnknownPhotoError("this film is not colored yet; start the work first")
        return attached(made)
