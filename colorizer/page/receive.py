"""What arrives, photos, films and what is told, neither too large nor too slowly; files that go."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse

from colorizer.errors import ColorizerError
from colorizer.page.working_folder import PrivateFolder
from colorizer.support.told import read_json

__all__ = ["Limits", "RefusedError", "attached", "receive", "told_by"]

MOST_TOLD = 4 * 2**20  # bytes of a request that is no upload
STEP = 2**23  # bytes of room that is kept at a time for an upload of unknown length


@dataclass(frozen=True)
class Limits:
    """What one page takes at a time.

    Attributes:
        upload: bytes of a photo.
        silence: seconds without a byte, after which an upload is given up.
        rate: bytes a second that an upload must reach, in each span of
        span: seconds.
        total: seconds that an upload may take.
        uploads: how many may go on at a time.
        previews, downloads: how many may wait for their turn.
    """

    upload: int = 2**30
    silence: float = 20.0
    rate: float = 1000.0
    span: float = 30.0
    total: float = 1800.0
    uploads: int = 8
    previews: int = 24
    downloads: int = 8


class RefusedError(ColorizerError):
    """A request that is turned away, with the status of its answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def receive(
    request: Request, file: Path, folder: PrivateFolder, limits: Limits, what: str = "photo"
) -> None:
    """Write the body of a request to a file of the folder.

    Args:
        what: it is, for sentences.

    Raises:
        RefusedError: it is too large, too slow, or breaks off.
        ColorizerError: there is no room for it.
    """
    length = request.headers.get("content-length", "")
    promised = int(length) if length.isdecimal() else STEP
    _check_size(promised if length else 0, limits, what)
    try:
        with anyio.fail_after(limits.total):
            await anyio.to_thread.run_sync(folder.promise, file, promised)
            await _write(request, file, folder, limits, promised, what)
    except TimeoutError:
        raise RefusedError(408, "the file arrived too slowly; try again") from None
    except ClientDisconnect:
        raise RefusedError(400, "the file did not arrive whole; try again") from None
    finally:
        folder.settle(file)


async def _write(
    request: Request, file: Path, folder: PrivateFolder, limits: Limits, promised: int, what: str
) -> None:
    received, stream = 0, request.stream()
    begun, before = time.monotonic(), 0
    async with await anyio.open_file(file, "xb") as target:
        while True:
            with anyio.fail_after(limits.silence):
                part = await anext(stream, None)
            if part is None:
                return
            received += len(part)
            _check_size(received, limits, what)
            if received > promised:
                promised += STEP
                await anyio.to_thread.run_sync(folder.promise, file, promised)
            await target.write(part)
            if (now := time.monotonic()) - begun > limits.span:
                if received - before < limits.rate * (now - begun):
                    raise TimeoutError
                begun, before = now, received


def _check_size(size: int, limits: Limits, what: str) -> None:
    if size > limits.upload:
        told = f"the file is over the limit of {limits.upload // 2**20:,} MB for one {what}"
        command = "; `colorizer video` on the command line has none" if what == "film" else ""
        raise RefusedError(413, told + command)


def attached(file: Path) -> FileResponse:
    """A file as an answer that a browser saves."""
    disposition = f"attachment; filename*=utf-8''{quote(file.name)}"
    return FileResponse(
        file,
        headers={"Content-Disposition": disposition},
        media_type="application/octet-stream",
    )


async def told_by(request: Request) -> dict[str, Any]:
    """The JSON object that a request holds.

    Raises:
        ColorizerError: it is none, too long or too slow.
    """
    body = bytearray()
    with anyio.move_on_after(20) as scope, suppress(ClientDisconnect):
        async for part in request.stream():
            body += part
            if len(body) > MOST_TOLD:
                raise RefusedError(413, "the request is too long")
    if scope.cancelled_caught:
        raise RefusedError(408, "the request arrived too slowly")
    try:
        told = read_json(bytes(body))
    except ValueError as error:
        raise ColorizerError("the request is no valid JSON") from error
    if not isinstance(told, dict):
        raise ColorizerError("the request is no JSON object")
    return told
