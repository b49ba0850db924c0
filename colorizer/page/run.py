"""`colorizer serve`: start the page and open it."""

import ipaddress
import secrets
import socket
import sys
import threading
import webbrowser
from pathlib import Path

from colorizer.errors import ColorizerError, UsageError
from colorizer.extras import installed
from colorizer.inference.colorizer import Colorizer
from colorizer.page.folder import PrivateFolder
from colorizer.page.studio import Studio

__all__ = ["serve"]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
MOST_AT_ONCE = 96  # connections; the next is refused at once
ROOM = 8 * 2**30  # bytes of all photos and results together


def serve(
    model: str,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    open_browser: bool = True,
    max_pixels: int,
    threads: int | None = None,
) -> None:
    """Serve the page until it is interrupted; prints its address.

    Args:
        model: as for `Colorizer`.
        port: 0 takes a free one.
        host: the address to listen on; another than this machine's own lets others in that know
            the token, and is said aloud.
        open_browser: show the page in the user's browser.
        max_pixels: larger photos are refused.
        threads: as for `Colorizer`.

    Raises:
        UsageError: an address that cannot be listened on. ColorizerError: as for `Colorizer`.
    """
    import uvicorn

    from colorizer.page.guard import Guard
    from colorizer.page.server import create_app

    engine = Colorizer(model, threads=threads, max_pixels=max_pixels)
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(24)
    is_local = host in ("127.0.0.1", "localhost", "::1")
    hosts = [f"{name}:{port}" for name in LOCAL]
    if not is_local:
        any_host = host in ("0.0.0.0", "::")
        hosts = [] if any_host else [*hosts, f"{_bracketed(host)}:{port}"]
    folder = PrivateFolder(ROOM)
    try:
        app = Guard(create_app(Studio(engine, folder, max_pixels)), token, hosts)
        address = f"http://{_bracketed('127.0.0.1' if is_local else _shown(host))}:{port}/{token}/"
        if not is_local:
            print(
                f"warning: {host} lets others on the network in who know the address below, and"
                " what they drop and get is not encrypted",
                file=sys.stderr,
            )
        print(f"Colorizer is at {address}", flush=True)
        print("Photos stay on this machine. Stop with Ctrl-C.", flush=True)
        if open_browser:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        config = uvicorn.Config(
            app,
            log_level="error",
            limit_concurrency=MOST_AT_ONCE,
            timeout_graceful_shutdown=3,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        folder.close()
