"""The page's server: addresses, uploads, and what is asked of the studio."""

import asyncio
import json
import secrets
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from colorizer.errors import ColorizerError
from colorizer.page.guard import refusal
from colorizer.page.lanes import BusyError, Lane
from colorizer.page.studio import FORMATS, Studio, UnknownPhotoError

__all__ = ["Limits", "create_app"]

STATIC = Path(__file__).parent / "static"
MOST_TOLD = 4 * 2**20  # bytes of a request that is no upload
TICK = 60.0  # seconds between looks at whether the page is idle


class Limits:
    """What one upload may take.

    Args:
        upload: bytes of a photo.
        silence: seconds without a byte, after which an upload is given up.
        total: seconds that an upload may take.
        uploads: how many may go on at a time.
        previews, downloads: how many may wait for their turn.
    """

    def __init__(
        self,
        upload: int = 2**30,
        silence: float = 20.0,
        total: float = 1800.0,
        uploads: int = 8,
        previews: int = 24,
        downloads: int = 8,
    ) -> None:
        self.upload, self.silence, self.total = upload, silence, total
        self.uploads, self.previews, self.downloads = uploads, previews, downloads


def create_app(studio: Studio, limits: Limits | None = None) -> Starlette:
    """The application, without its guard; the folder of the studio is removed when it ends."""
    page = _Page(studio, limits or Limits())
    routes = [
        Route("/", page.index),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/api/about", _answered(page.about)),
        Route("/api/photos", _answered(page.upload), methods=["POST"]),
        Route("/api/photos/{id}", _answered(page.remove), methods=["DELETE"]),
        Route("/api/photos/{id}/gray", _answered(page.gray)),
        Route("/api/photos/{id}/preview", _answered(page.preview), methods=["POST"]),
        Route("/api/photos/{id}/suggest", _answered(page.suggest), methods=["POST"]),
        Route("/api/downloads", _answered(page.start), methods=["POST"]),
        Route("/api/downloads/{id}", _answered(page.progress)),
        Route("/api/results/{id}", _answered(page.result)),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(page.watch())
        try:
            yield
        finally:
            watch.cancel()
            studio.folder.close()

    return Starlette(routes=routes, lifespan=lifespan)


def _answered(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """A handler whose errors become one sentence and a status."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except BusyError as error:
            return refusal(503, str(error))
        except UnknownPhotoError as error:
            return refusal(404, str(error))
        except ColorizerError as error:
            return refusal(400, str(error))
        except Exception as error:  # whatever it is, the page must be able to say something
            traceback.print_exc()
            return refusal(500, f"this went wrong inside: {type(error).__name__}: {error}")

    return handle


class _Page:
    def __init__(self, studio: Studio, limits: Limits) -> None:
        self.studio, self.limits = studio, limits
        self.previews = Lane(limits.previews)
        self.downloads = Lane(limits.downloads)
        self.uploads = 0
        self.jobs: dict[str, dict[str, Any]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Empty the private folder when nobody uses the page."""
        while True:
            await anyio.sleep(TICK)
            await anyio.to_thread.run_sync(self.studio.clear_if_idle)

    async def index(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def about(self, request: Request) -> Response:
        engine = self.studio.engine
        return JSONResponse(
            {
                "model": engine.model_name,
                "steers": engine.can_hint,
                "temperature": engine.default_temperature,
                "formats": FORMATS,
                "most": self.limits.upload,
            }
        )

    async def upload(self, request: Request) -> Response:
        """The body is the file; its name is in the query."""
        if self.uploads >= self.limits.uploads:
            raise BusyError("too many photos arrive at once; try again in a moment")
        length = request.headers.get("content-length", "")
        most = self.limits.upload
        if length.isdecimal() and int(length) > most:
            return refusal(413, f"the file is over the limit of {most // 2**20:,} MB for one photo")
        self.studio.folder.check_room(int(length) if length.isdecimal() else 0)
        file = self.studio.folder.place(request.query_params.get("name", "photo"))
        self.uploads += 1
        try:
            answer = await self._receive(request, file)
        except BaseException:
            self.studio.folder.remove(file)
            raise
        finally:
            self.uploads -= 1
        if answer is not None:
            self.studio.folder.remove(file)
            return answer
        key, photo = await self.previews.run(self.studio.add, file)
        picture = photo.preview.picture
        notes = [note.replace(str(file), file.name) for note in picture.notes]
        return JSONResponse(
            {
                "id": key,
                "name": file.name,
                "width": picture.width,
                "height": picture.height,
                "bits": picture.bits,
                "shown": [photo.preview.width, photo.preview.height],
                "notes": notes,
            },
            201,
        )

    async def _receive(self, request: Request, file: Path) -> Response | None:
        """Write the body to a file; a refusal if it is too large or too slow."""
        received, stream = 0, request.stream()
        try:
            with anyio.fail_after(self.limits.total):
                async with await anyio.open_file(file, "xb") as target:
                    while True:
                        with anyio.fail_after(self.limits.silence):
                            part = await anext(stream, None)
                        if part is None:
                            return None
                        received += len(part)
                        if received > self.limits.upload:
                            most = self.limits.upload // 2**20
                            return refusal(
                                413, f"the file is over the limit of {most:,} MB for one photo"
                            )
                        await target.write(part)
        except TimeoutError:
            return refusal(408, "the file arrived too slowly; try again")
        except ClientDisconnect:
            return refusal(400, "the file did not arrive whole; try again")

    async def remove(self, request: Request) -> Response:
        await anyio.to_thread.run_sync(self.studio.remove, request.path_params["id"])
        return Response(status_code=204)

    async def gray(self, request: Request) -> Response:
        data = await self.previews.run(self.studio.gray, request.path_params["id"])
        return Response(data, media_type="image/jpeg")

    async def preview(self, request: Request) -> Response:
        told = await _told(request)
        shrink = 4 if told.get("size") == "thumbnail" else 2 if told.get("size") == "small" else 1

        def show() -> bytes:
            engine = self.studio.told_to(told.get("settings", {}), told.get("hints"))
            return self.studio.show(request.path_params["id"], engine, shrink)

        return Response(await self.previews.run(show), media_type="image/jpeg")

    async def suggest(self, request: Request) -> Response:
        told = await _told(request)

        def suggest() -> dict[str, Any]:
            engine = self.studio.told_to(told.get("settings", {}), None)
            x, y = (_number(told.get(name)) for name in "xy")
            return self.studio.suggest(request.path_params["id"], engine, x, y)

        return JSONResponse(await self.previews.run(suggest))

    async def start(self, request: Request) -> Response:
        """Begin to color photos at full size; `progress` tells how far it is."""
        told = await _told(request)
        wanted = told.get("photos")
        if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
            raise ColorizerError("a download is of a list of photos")
        if not wanted:
            raise ColorizerError("there is no photo to download; add one first")
        for one in wanted:
            self.studio.photo(str(one.get("id")))
        if sum("file" not in job and "error" not in job for job in self.jobs.values()) > (
            self.limits.downloads
        ):
            raise BusyError("too many downloads wait; try again when one is done")
        key = secrets.token_hex(8)
        job: dict[str, Any] = {"done": 0, "total": len(wanted)}
        self.jobs[key] = job
        task = asyncio.create_task(self._work(job, wanted, str(told.get("format"))))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return JSONResponse({"id": key}, 202)

    async def _work(
        self, job: dict[str, Any], wanted: list[dict[str, Any]], extension: str
    ) -> None:
        def progress(done: int) -> None:
            job["done"] = done

        try:
            file, name, notes = await self.downloads.run(
                self.studio.render, wanted, extension, progress
            )
            job |= {"done": len(wanted), "file": file, "name": name, "notes": notes}
        except ColorizerError as error:
            job["error"] = str(error)
        except Exception as error:  # a job has nobody else to tell
            job["error"] = f"this went wrong inside: {type(error).__name__}: {error}"

    async def progress(self, request: Request) -> Response:
        key = request.path_params["id"]
        if key not in self.jobs:
            raise UnknownPhotoError("this download is no longer here; start it again")
        job = self.jobs[key]
        if "file" in job or "error" in job:
            del self.jobs[key]
        return JSONResponse(job)

    async def result(self, request: Request) -> Response:
        """A file that a download made; it is removed when it was sent."""
        key = request.path_params["id"]
        file = self.studio.result(key)
        disposition = f"attachment; filename*=utf-8''{quote(file.name)}"
        return FileResponse(
            file,
            headers={"Content-Disposition": disposition},
            media_type="application/octet-stream",
            background=BackgroundTask(self.studio.drop_result, key),
        )


async def _told(request: Request) -> dict[str, Any]:
    """The JSON object that a request holds."""
    body = bytearray()
    with anyio.move_on_after(20) as scope, suppress(ClientDisconnect):
        async for part in request.stream():
            body += part
            if len(body) > MOST_TOLD:
                raise ColorizerError("the request is too long")
    if scope.cancelled_caught:
        raise ColorizerError("the request arrived too slowly")
    try:
        told = json.loads(body)
    except ValueError as error:
        raise ColorizerError("the request is no valid JSON") from error
    if not isinstance(told, dict):
        raise ColorizerError("the request is no JSON object")
    return told


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
