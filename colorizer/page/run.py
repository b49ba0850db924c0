"""`colorizer serve`: start the page and open it."""

import os
import secrets
import socket
import sys
import threading
import webbrowser

from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.options import ServeOptions
from colorizer.page.folder import PrivateFolder
from colorizer.page.studio import Studio

__all__ = ["serve"]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
MOST_AT_ONCE = 96  # connections; the next is refused at once
ROOM = 8 * 2**30  # bytes of all photos and results together


def serve(model: str | os.PathLike[str], options: ServeOptions) -> None:
    """Serve the page until it is interrupted; prints its address, and opens it.

    Args:
        model: as for `Colorizer`.
        options: where, and how.

    Raises:
        UsageError: an address that cannot be listened on. ColorizerError: as for `Colorizer`.
    """
    import uvicorn

    from colorizer.page.guard import Guard
    from colorizer.page.server import create_app

    host = options.host
    engine = Colorizer(model, threads=options.threads, max_pixels=options.max_pixels)
    listener = _listen(host, options.port)
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(24)
    is_local = host in ("127.0.0.1", "localhost", "::1")
    hosts = [f"{name}:{port}" for name in LOCAL]
    if not is_local:
        any_host = host in ("0.0.0.0", "::")
        hosts = [] if any_host else [*hosts, f"{_bracketed(host)}:{port}"]
    folder = PrivateFolder(ROOM)
    try:
        app = Guard(create_app(Studio(engine, folder, options.max_pixels)), token, hosts)
        address = f"http://{_bracketed('127.0.0.1' if is_local else _shown(host))}:{port}/{token}/"
        if not is_local:
            print(
                f"warning: {host} lets others on the network in who know the address below, and"
                " what they drop and get is not encrypted",
                file=sys.stderr,
            )
        print(f"Colorizer is at {address}", flush=True)
        print("Photos stay on this machine. Stop with Ctrl-C.", flush=True)
        if not options.no_browser:
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it would let another program share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another"
            " --port, or leave it out for a free one"
        ) from error
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown(host: str) -> str:
    """An address that others can open, where it listens on all."""
    return socket.gethostname() if host in ("0.0.0.0", "::") else host
