"""A site on a plain static server, and a browser that reaches nothing else."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.page.browsing import CHROMIUM, FLAGS, sync_api

CUT_OFF = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
WAIT = 180_000  # milliseconds; runners are slow
EXPECTED = ("net::ERR_CONNECTION_REFUSED",)  # of a service worker that looks for news, offline


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *told: Any) -> None:
        pass


@contextmanager
def hosted(folder: Path, port: int = 0) -> Iterator[str]:
    """The address of a folder, as `python -m http.server` gives it."""
    handler = functools.partial(_Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def launched() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, CUT_OFF])
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Any, address: str, size: tuple[int, int] = (1280, 800)) -> Iterator[Any]:
    """A page of the site; nothing may go wrong on it, stick out of it, or be asked of others."""
    width, height = size
    scheme = "dark" if width < 500 else "light"
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=width < 500, color_scheme=scheme
    )
    wrong: list[str] = []
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: told.type == "error" and wrong.append(told.text))
    page.goto(address)
    loaded(page)
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert [one for one in wrong if not any(word in one for word in EXPECTED)] == []
    assert [url for url in asked if not url.startswith((address, f"blob:{address}"))] == []


def loaded(page: Any) -> None:
    """Until the network has started."""
    sync_api.expect(page.locator("body[data-ready]")).to_be_attached(timeout=WAIT)
    sync_api.expect(page.locator("#progress")).to_be_hidden(timeout=WAIT)
