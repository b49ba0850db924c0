"""`colorizer serve`: start the page and open it."""

import errno
import os
import platform
import re
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import webbrowser
from html import escape
from pathlib import Path

from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.options import ServeOptions
from colorizer.page.kept import DAYS, expire, left_in, state_folder
from colorizer.page.studio import Studio
from colorizer.page.working_folder import PrivateFolder

__all__ = ["serve"]

MOST_AT_ONCE = 144  # connections; the next is refused at once
ROOM = 8 * 2**30  # bytes of all photos, films and results together, at least
SHARE = 2  # part of the free disk that they may take, where that is more
TOKEN = "COLORIZER_TOKEN"  # of the environment, for servers that start by themselves


def serve(model: str | os.PathLike[str], options: ServeOptions) -> None:
    """Serve the page until it is interrupted; prints its address, and opens it.

    Args:
        model: as for `Colorizer`.
        options: where, and how.

    Raises:
        UsageError: an address that cannot be listened on. ColorizerError: as for `Colorizer`.
    """
    import uvicorn

    from colorizer.page.connection import Connection
    from colorizer.page.guard import Guard, names_of
    from colorizer.page.server import create_app

    if options.keep and options.api_only:
        raise UsageError("--keep is of the page, and does not go with --api-only; leave one out")
    given = os.environ.get(TOKEN)
    token = _checked(given) if given is not None else secrets.token_urlsafe(24)
    engine = Colorizer(model, threads=options.threads, max_pixels=options.max_pixels)
    listener = _listen(options.host, options.port)
    reached, port = listener.getsockname()[:2]
    place = state_folder()
    expire(place)
    left = left_in(place) if options.keep else None
    parent = place if options.keep else Path(tempfile.gettempdir())
    parent.mkdir(0o700, parents=True, exist_ok=True)
    room = max(ROOM, shutil.disk_usage(parent).free // SHARE)
    folder = PrivateFolder(room, parent, keeps=options.keep)
    try:
        studio = Studio(engine, folder, options.max_pixels, left)
        app = create_app(studio, api_only=options.api_only)
        names = None if options.api_only else names_of(options.host)
        guard = Guard(app, token, port, names)
        address = _address(options.host, reached, port)
        is_local = reached == "::1" or reached.startswith("127.")
        if not is_local:
            print(
                f"warning: {options.host} lets others on the network in who know the address below,"
                " and what they drop and get is not encrypted",
                file=sys.stderr,
            )
        if options.api_only:
            told = f"${TOKEN}" if given else token
            print(f"Colorizer answers programs at {address}api, bearer token {told}", flush=True)
        else:
            print(f"Colorizer is at {address}{token}/", flush=True)
        stay = "Photos stay on this machine. " if is_local else ""
        if options.keep:
            stay += f"They are kept for the next start, at most {DAYS} days, in {place}. "
        print(f"{stay}Stop with Ctrl-C.", flush=True)
        if not (options.no_browser or options.api_only):
            opener = _opener(f"{address}{token}/", folder.path)
            threading.Timer(0.5, webbrowser.open, [opener]).start()
        config = uvicorn.Config(
            guard,
            http=Connection,
            ws="none",
            log_level="error",
            limit_concurrency=MOST_AT_ONCE,
            timeout_graceful_shutdown=3,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        folder.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"there is no address {host!r} to listen on; check --host") from error
    listener = socket.socket(family, kind)
    if os.name == "posix":  # elsewhere it would let another program share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(where)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                f"{host} is no address of this machine; leave --host out for this machine alone, or"
                " give 0.0.0.0 for the whole network"
            ) from error
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another"
            " --port, or leave it out for a free one"
        ) from error
    return listener


def _checked(token: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~-]{16,200}", token):
        raise UsageError(
            f"{TOKEN} is no token that others cannot guess; accepted are 16 to 200 letters, digits"
            " and any of ._~-, such as `openssl rand -hex 24` gives"
        )
    return token


def _address(host: str, reached: str, port: int) -> str:
    """By the name that was given, or one that others know."""
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    elif reached == "127.0.0.1":
        host = reached
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}{'' if port == 80 else f':{port}'}/"


def _opener(address: str, folder: Path) -> str:
    """What is told to the browser: a private file, as all users of a machine can see commands."""
    if sys.platform == "android" or "microsoft" in platform.release().lower():
        return address  # WSL and Android start programs that cannot read our files
    path = folder / "open.html"
    path.touch(mode=0o600)
    path.write_text(
        '<!doctype html><meta charset="utf-8"><title>Colorizer</title>'
        f'<meta http-equiv="refresh" content="0; url={escape(address)}">'
        f'<p><a href="{escape(address)}">Open the page</a>',
        encoding="utf-8",
    )
    return path.as_uri()
