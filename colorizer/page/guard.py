"""Who may talk to the page: this machine's own browser, with the token, from the page itself."""

import secrets
import socket
from collections.abc import Iterable
from string import Template

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Guard", "names_of", "refusal"]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
        " media-src blob:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Those that every answer has."""

_SENTENCE = Template(
    "<!doctype html><html lang=en><meta charset=utf-8><title>Colorizer</title>"
    "<p>$sentence.</p></html>"
)
# Not a redirect: to a page that another one opened a browser gives no strict cookie.
_ENTRY = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Colorizer</title>"
    '<meta http-equiv="refresh" content="0; url=/"><p><a href="/">Open the page</a></p></html>'
)


def refusal(status: int, sentence: str, **told: str) -> JSONResponse:
    """An answer that the page shows as it is; `told` is for the page alone."""
    return JSONResponse({"error": sentence, **told}, status)


def names_of(host: str) -> frozenset[str]:
    """What this machine is called by those who reach a page that listens on `host`.

    The addresses of the machine are not among them: see `Guard`.
    """
    names = {"localhost", host}
    if host in ("0.0.0.0", "::"):
        own = socket.gethostname()
        names |= {own, f"{own}.local", own.partition(".")[0], socket.getfqdn()}
    return frozenset(name.lower() for name in names)


class Guard:
    """ASGI middleware: refuses foreign hosts, foreign pages and requests without the token.

    The token is in the address that is opened first, `/TOKEN/`: this sets a cookie, which only
    this page gets, and goes on to `/`, so that the token stands neither in the address bar nor
    beside photos. A program gives it as `Authorization: Bearer TOKEN`. A page of another site
    cannot know it, nor can a name that another site makes point to this machine pass for this host.

    Args:
        app: what is guarded.
        token: the secret.
        port: at which the page listens.
        names: of this machine, in lower case; the address at which a request arrives is one, too.
            None: any host, for programs alone: browsers, which a foreign name could mislead, get
            no cookie then.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, names: Iterable[str] | None) -> None:
        self.app, self.token, self.port = app, token, port
        self.names = None if names is None else frozenset(names)
        self.cookie = f"colorizer-{port}"  # browsers give cookies to all ports of a host

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

        answer = self._answer(scope, Headers(scope=scope)) or self.app
        await answer(scope, receive, send_with_headers)

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """What the guard answers itself; None to let the request in."""
        host = headers.get("host", "").lower()
        opened = scope["method"] == "GET" and "text/html" in headers.get("accept", "")

        def refuse(status: int, sentence: str) -> Response:
            if opened:
                return HTMLResponse(_SENTENCE.substitute(sentence=sentence), status)
            return refusal(status, sentence)

        if self.names is not None and not self._is_own(host, self.names, scope.get("server")):
            return refuse(421, "this address is not the page's; open the one that was printed")
        entry = scope["method"] == "GET" and self._is_token(scope["path"].strip("/"))
        entry = entry and self.names is not None
        if not entry and not self._has_token(headers):
            return refuse(
                403,
                "the page's token is lacking; open the address that `colorizer serve` printed",
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            return refuse(403, "a page of another site asks; only the page itself may")
        site = headers.get("sec-fetch-site", "same-origin")
        navigates = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not navigates:
            return refuse(403, "a page of another site asks; only the page itself may")
        return self._enter() if entry else None

    def _enter(self) -> Response:
        answer = HTMLResponse(_ENTRY)
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return answer

    def _is_own(
        self, host: str, names: frozenset[str], reached: tuple[str, int | None] | None
    ) -> bool:
        """Whether a Host header names this machine and port; browsers leave port 80 out."""
        name, colon, port = host.rpartition(":")
        if not colon or port.endswith("]"):
            name, port = host, "80"
        name = name.removeprefix("[").removesuffix("]").removesuffix(".")
        if port != str(self.port):
            return False
        at = reached[0].lower().partition("%")[0] if reached else ""
        return name in names or name in (at, at.removeprefix("::ffff:"))

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        if self.names is None:
            return False
        cookies = cookie_parser(headers.get("cookie", ""))
        return self._is_token(cookies.get(self.cookie, ""))

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())
