"""Who may talk to the page: this machine's own browser, with the token, from the page itself."""

import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Guard", "refusal"]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer."""


def refusal(status: int, sentence: str) -> JSONResponse:
    """An answer that the page shows as it is."""
    return JSONResponse({"error": sentence}, status)


class Guard:
    """ASGI middleware: refuses foreign hosts, foreign pages and requests without the token.

    The token is the first part of the path, so that the page's own addresses are relative to it;
    what is behind sees the path without it. A page of another site cannot know it, nor can a name
    that another site makes point to this machine pass for this host.

    Args:
        app: what is guarded.
        token: the secret.
        hosts: accepted values of the Host header, with port; none accepts all.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str]) -> None:
        self.app, self.token, self.hosts = app, token, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refuse(scope)
        if answer is not None:
            await answer(scope, receive, send_with_headers)
            return
        _, _, rest = scope["path"].removeprefix("/").partition("/")
        await self.app({**scope, "path": f"/{rest}"}, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if self.hosts and host not in self.hosts:
            return refusal(421, "this address is not the page's; open the one that was printed")
        given = scope["path"].removeprefix("/").partition("/")[0]
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return refusal(
                403,
                "the address lacks the page's token; open the one that `colorizer serve` printed",
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            return refusal(403, "a page of another site asks; only the page itself may")
        site = headers.get("sec-fetch-site", "same-origin")
        opened = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not opened:
            return refusal(403, "a page of another site asks; only the page itself may")
        return None
