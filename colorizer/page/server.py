"""The page's server: addresses, and what is asked of the studio at each."""

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from colorizer.errors import ColorizerError, UsageError
from colorizer.page import STATIC
from colorizer.page.described import described
from colorizer.page.downloads import FORMATS, Downloads
from colorizer.page.film_requests import FilmRequests
from colorizer.page.guard import refusal
from colorizer.page.kept import DAYS
from colorizer.page.lanes import BusyError, Lane
from colorizer.page.lenders import LENT
from colorizer.page.names import safe_name
from colorizer.page.photo import UnknownPhotoError
from colorizer.page.receive import Limits, RefusedError, attached, receive, told_by
from colorizer.page.studio import Studio
from colorizer.pictures.forms import FORMS, LAYERS
from colorizer.support.told import read_json, shown

__all__ = ["create_app"]

TICK = 60.0  # seconds between looks at whether the page is idle
MOST_STATE = 2**18  # characters of what is kept of one photo
MOST_SEEN = 2**25  # pixels of a region
SHRINKS = {"thumbnail": 4, "small": 2}
HERE = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


def create_app(
    studio: Studio, limits: Limits | None = None, *, api_only: bool = False
) -> Starlette:
    """The application, without its guard; the folder of the studio is removed when it ends.

    Args:
        studio: what colors.
        limits: of what is taken.
        api_only: only what answers programs, and no page.
    """
    page = _Page(studio, limits or Limits())
    for_programs = (
        ("", "GET", page.described),
        ("/about", "GET", page.about),
        ("/colorize", "POST", page.colorize),
    )
    for_the_page = (
        ("/photos", "GET", page.photos),
        ("/photos", "POST", page.upload),
        ("/photos/{id}", "DELETE", page.remove),
        ("/photos/{id}/restore", "POST", page.restore),
        ("/photos/{id}/state", "PUT", page.keep),
        ("/photos/{id}/gray", "GET", page.gray),
        ("/photos/{id}/own", "GET", page.own),
        ("/photos/{id}/preview", "POST", page.preview),
        ("/photos/{id}/region", "POST", page.region),
        ("/photos/{id}/suggest", "POST", page.suggest),
        ("/left", "POST", page.take_left),
        ("/left", "DELETE", page.drop_left),
        ("/downloads", "POST", page.start),
        ("/downloads/{id}", "GET", page.progress),
        ("/downloads/{id}", "DELETE", page.cancel),
        ("/results/{id}", "GET", page.result),
        *page.films.addresses(),
    )
    routes: list[BaseRoute] = [
        Route(f"/api{path}", _answered(handler), methods=[method])
        for path, method, handler in (for_programs if api_only else for_programs + for_the_page)
    ]
    if not api_only:
        routes += [Route("/", page.index), Mount("/static", StaticFiles(directory=STATIC))]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(page.watch())
        try:
            yield
        finally:
            watch.cancel()
            if page.films.begun:
                await page.films.begun.close()
            if studio.left is not None:
                studio.left.release()
            studio.folder.close()

    return Starlette(routes=routes, lifespan=lifespan)


def _answered(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """A handler whose errors become one sentence and a status."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except RefusedError as error:
            return refusal(error.status, str(error))
        except BusyError as error:
            return refusal(503, str(error))
        except UnknownPhotoError as error:
            return refusal(404, str(error), id=error.key)
        except ColorizerError as error:
            return refusal(400, str(error))
        except Exception as error:  # whatever it is, the page must be able to say something
            traceback.print_exc(file=sys.stderr)
            kind = type(error).__name__
            return refusal(500, f"this went wrong inside ({kind}); the terminal tells more")

    return handle


class _Page:
    def __init__(self, studio: Studio, limits: Limits) -> None:
        self.studio, self.limits = studio, limits
        self.previews = Lane(limits.previews)
        self.downloads = Downloads(studio, limits.downloads, self.previews)
        self.films = FilmRequests(studio, self.downloads, limits, self.previews)
        self.uploads = 0
        studio.folder.make_room = self.make_room

    def make_room(self) -> bool:
        """Remove something that nobody needs, if there is such a thing."""
        films = self.films.begun
        return (
            self.downloads.forget_one()
            or self.studio.forget_one()
            or (films is not None and films.forget_one())
        )

    async def watch(self) -> None:
        """Empty the private folder when nobody uses the page."""
        while True:
            await anyio.sleep(TICK)
            if self.films.begun and not self.films.begun.is_empty:
                continue  # a film takes longer than anybody watches
            if await anyio.to_thread.run_sync(self.studio.clear_if_idle):
                while self.downloads.forget_one():
                    pass

    async def index(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def about(self, request: Request) -> Response:
        engine = self.studio.engine
        return JSONResponse(
            {
                "model": engine.model_name,
                "steers": engine.can_hint,
                "lends": self.studio.lenders.able,
                "temperature": engine.default_temperature,
                "formats": FORMATS,
                "results": list(FORMS),
                "paces": self.downloads.paces,
                "most": self.limits.upload,
                "films": self.films.told(),
                "left": self.studio.left and self.studio.left.told(),
                "keeps": DAYS if self.studio.folder.keeps else 0,
                "local": request.client is not None and request.client.host in HERE,
            }
        )

    async def take_left(self, request: Request) -> Response:
        """Go on with what an earlier start has left."""
        return JSONResponse(await self.films.take_left())

    async def drop_left(self, request: Request) -> Response:
        await anyio.to_thread.run_sync(self.studio.drop_left)
        return Response(status_code=204)

    async def described(self, request: Request) -> Response:
        return JSONResponse(described(self.studio.engine.model_name))

    async def photos(self, request: Request) -> Response:
        return JSONResponse(self.studio.photos())

    async def upload(self, request: Request) -> Response:
        """The body is the file; its name is in the query."""
        return JSONResponse(await self._take(request), 201)

    async def _take(self, request: Request) -> dict[str, Any]:
        if self.uploads >= self.limits.uploads:
            raise BusyError("too many photos arrive at once; try again in a moment")
        name = safe_name(request.query_params.get("name", "photo"))
        file = self.studio.folder.place(name)
        self.uploads += 1
        try:
            await receive(request, file, self.studio.folder, self.limits)
        except BaseException:
            self.studio.folder.remove(file)
            raise
        finally:
            self.uploads -= 1
        lends = request.query_params.get("for", "")
        salvage = request.query_params.get("salvage") in ("1", "true")
        try:
            return await self.previews.run(self.studio.add, file, lends, salvage)
        except BusyError:
            self.studio.folder.remove(file)
            raise

    async def remove(self, request: Request) -> Response:
        await anyio.to_thread.run_sync(self.studio.remove, request.path_params["id"])
        return Response(status_code=204)

    async def restore(self, request: Request) -> Response:
        return JSONResponse(self.studio.restore(request.path_params["id"]))

    async def keep(self, request: Request) -> Response:
        """Settings, hints and history of a photo, as the page writes them."""
        state = (await told_by(request)).get("state")
        if not isinstance(state, str) or len(state) > MOST_STATE:
            raise UsageError(f"a state is a text of at most {MOST_STATE:,} characters")
        return JSONResponse({"revision": self.studio.keep(request.path_params["id"], state)})

    async def gray(self, request: Request) -> Response:
        picture = await self.previews.run(self.studio.gray, request.path_params["id"])
        return Response(picture, media_type="image/jpeg")

    async def own(self, request: Request) -> Response:
        """A frame of a film with the colors that it has."""
        picture = await self.previews.run(self.studio.own, request.path_params["id"])
        return Response(picture, media_type="image/jpeg")

    async def preview(self, request: Request) -> Response:
        told = await told_by(request)
        shrink = SHRINKS.get(str(told.get("size")), 1)

        def show() -> tuple[bytes, tuple[str, ...]]:
            engine = self.studio.told_to(told.get("settings", {}), told.get("hints"))
            return self.studio.show(request.path_params["id"], engine, shrink)

        picture, notes = await self.previews.run(show)
        return Response(picture, headers=_noted(notes), media_type="image/jpeg")

    async def region(self, request: Request) -> Response:
        """A part of the file with its own pixels: `box` is left, top, width, height of them."""
        told = await told_by(request)
        box, shrink = _box(told)

        def show() -> bytes:
            is_gray = told.get("gray") is True
            settings, hints = told.get("settings", {}), told.get("hints")
            engine = None if is_gray else self.studio.told_to(settings, hints)
            return self.studio.region(request.path_params["id"], engine, box, shrink)

        return Response(await self.previews.run(show), media_type="image/png")

    async def suggest(self, request: Request) -> Response:
        told = await told_by(request)

        def suggest() -> dict[str, Any]:
            engine = self.studio.told_to(told.get("settings", {}), None)
            x, y = (_share(told.get(name)) for name in "xy")
            return self.studio.suggest(request.path_params["id"], engine, x, y)

        return JSONResponse(await self.previews.run(suggest))

    async def start(self, request: Request) -> Response:
        """Begin to color photos at full size; `progress` tells how far it is."""
        told = await told_by(request)
        return JSONResponse(
            {"id": self.downloads.start(told.get("photos"), told.get("format"))}, 202
        )

    async def progress(self, request: Request) -> Response:
        return JSONResponse(self.downloads.progress(request.path_params["id"]))

    async def cancel(self, request: Request) -> Response:
        self.downloads.cancel(request.path_params["id"])
        return Response(status_code=204)

    async def result(self, request: Request) -> Response:
        """A file that a download made; it stays for a while, so that a broken one can go on."""
        return attached(self.downloads.result(request.path_params["id"]))

    async def colorize(self, request: Request) -> Response:
        """For programs: a file in, the file in color out; options are in the query."""
        query = dict(request.query_params)
        photo = await self._take(request)
        try:
            own = Path(photo["name"]).suffix.lower()
            fallback = own if own in FORMATS else ".tif" if photo["bits"] > 8 else ".jpg"
            if query.get("result") == "layer" and fallback not in LAYERS:
                fallback = ".png"
            extension = f".{query.pop('format', fallback).removeprefix('.')}"
            for name in ("name", "salvage"):  # which `_take` has read
                query.pop(name, None)
            hints = _read(query.pop("hints", "null"))
            settings = {
                name: value if name in LENT else _read(value) for name, value in query.items()
            }
            one = {"id": photo["id"], "settings": settings, "hints": hints, "format": extension}
            made = await self.downloads.run_one(one)
        finally:
            await anyio.to_thread.run_sync(self.studio.remove, photo["id"])
        answer = attached(self.downloads.result(made["file"]))
        answer.headers.update(_noted(made["notes"]))
        return answer


def _noted(notes: Sequence[str]) -> dict[str, str]:
    """Sentences as a header of an answer, which is ASCII."""
    return {"X-Colorizer-Notes": json.dumps(notes)}


def _box(told: dict[str, Any]) -> tuple[tuple[int, int, int, int], int]:
    found, shrink = told.get("box"), told.get("shrink", 1)
    values = found if isinstance(found, list) else []
    if len(values) != 4 or not all(type(one) is int and 0 <= one < 10**7 for one in values):
        raise UsageError(f"the box is {shown(found)}; accepted are left, top, width and height")
    left, top, width, height = values
    if type(shrink) is not int or not 1 <= shrink <= 8:
        raise UsageError(f"shrink is {shown(shrink)}; accepted are whole numbers from 1 to 8")
    if width * height > MOST_SEEN * shrink * shrink:
        raise UsageError(f"a region has at most {MOST_SEEN:,} pixels")
    return (left, top, width, height), shrink


def _read(value: str) -> Any:
    """A value of a query: a number, a truth or JSON, or else the text itself."""
    try:
        return read_json(value)
    except ValueError:
        return value


def _share(value: Any) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else float("nan")
