"""A real server of the page, on a free port, in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from colorizer.inference.colorizer import Colorizer
from colorizer.page.connection import Connection
from colorizer.page.guard import Guard, names_of
from colorizer.page.kept import left_in
from colorizer.page.receive import Limits
from colorizer.page.serve import _listen
from colorizer.page.server import create_app
from colorizer.page.studio import Studio
from colorizer.page.working_folder import PrivateFolder

TOKEN = "a-token-for-tests"


@contextmanager
def served(
    colorizer: Colorizer,
    parent: Path,
    limits: Limits | None = None,
    max_pixels: int = 10**6,
    room: int = 2**28,
    connection: type[Connection] = Connection,
    keeps: bool = False,
) -> Iterator[str]:
    """The address of a running page; `parent` holds its private folder, which may outlive it."""
    listener = _listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    left = left_in(parent) if keeps else None
    studio = Studio(colorizer, PrivateFolder(room, parent, keeps=keeps), max_pixels, left)
    app = Guard(create_app(studio, limits), TOKEN, port, names_of("127.0.0.1"))
    config = uvicorn.Config(app, http=connection, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)


def client_of(address: str) -> httpx.Client:
    """A program that has the token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False)


def ended(client: httpx.Client, key: str) -> dict:
    """What is told of a download, as soon as it has ended."""
    job: dict = {}
    deadline = time.monotonic() + 60
    while not ("file" in job or "error" in job):
        assert time.monotonic() < deadline
        time.sleep(0.02)
        job = client.get(f"api/downloads/{key}").json()
    return job


def rendered(client: httpx.Client, photos: list[dict], extension: str) -> tuple[bytes, dict]:
    """The file of a download, and what was told of it."""
    begun = client.post("api/downloads", json={"photos": photos, "format": extension})
    assert begun.status_code == 202, begun.text
    job = ended(client, begun.json()["id"])
    if "error" in job:
        return b"", job
    return client.get(f"api/results/{job['file']}").content, job
