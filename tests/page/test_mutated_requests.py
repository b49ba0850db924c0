"""Mutated requests to a real server: never an error inside, and it lives on."""

import contextlib
import json
import socket
import time
from urllib.parse import quote, urlsplit

import numpy as np
import pytest

from colorizer.inference.colorizer import Colorizer
from colorizer.page.receive import Limits
from tests.drawn import landscape
from tests.model_folder import write_model_folder
from tests.mutated import changed, mutate, mutated_json, odd_value
from tests.page.serving import TOKEN, client_of, served
from tests.page.test_server import HINTS, file_of

SETTINGS = {"vividness": 1.2, "temperature": 0.3, "variant": 2, "quality": "fast"}
SETTINGS |= {"palette": "PHOTO", "result": "pair"}
NAMES = (*SETTINGS, "at", "color", "stroke", "region", "id", "box", "size", "hints", "model")
BODIES = {
    "api/photos/PHOTO/state": {"state": "{}"},
    "api/photos/PHOTO/preview": {"size": "small", "settings": SETTINGS, "hints": HINTS},
    "api/photos/PHOTO/region": {"box": [2, 3, 9, 8], "shrink": 1, "hints": HINTS, "gray": False},
    "api/photos/PHOTO/suggest": {"x": 0.3, "y": 0.4, "settings": SETTINGS},
    "api/downloads": {
        "photos": [{"id": "PHOTO", "settings": SETTINGS, "hints": HINTS, "format": ".png"}],
        "format": ".jpg",
    },
}
PATHS = ["", "api/about", "api/photos", "api/photos/PHOTO/gray", "api/results/PHOTO", "static/a.js"]
PATHS += [
    "api/downloads/PHOTO",
    "api/photos/PHOTO/restore",
    "static/%00",
    "static/%2e%2e/%ff",
    "%00",
]
PATHS += ["static//etc/passwd", "static/" + "x" * 300, "static/x/" * 500, f"{TOKEN}/", "api/" * 99]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"]
HEADERS = {
    "Range": [
        "bytes=0-1",
        "bytes=9-1",
        "bytes=-0",
        "bytes=0-1,5-6,-1",
        "bytes=9" + "9" * 5000,
        "é",
    ],
    "Content-Length": ["0", "-1", "9" * 30, "²", "3, 4", "1e3"],
    "Transfer-Encoding": ["chunked", "gzip", "identity, chunked"],
    "Cookie": ["a", "=;;=", 'b="\\303', "\x80" * 99],
    "Host": ["", "[::1", "localhost:99999", "a:b:c", "\xff"],
    "Origin": ["null", "http://", "\xff"],
    "Authorization": ["Bearer", "Bearer \xff", "Bearer  " + "x" * 5000],
    "Accept": ["text/html", "*/*"],
    "If-Range": ["x", '"', "Mon, 99 Foo"],
    "If-None-Match": ["*", '"'],
    "If-Modified-Since": ["never", "Mon, 31 Feb 2020 25:61:61 GMT", "1"],
    "Expect": ["100-continue"],
    "Connection": ["close", "upgrade"],
    "Upgrade": ["websocket", "h2c"],
}


@pytest.mark.slow
@pytest.mark.parametrize("count", [60, 2000])
def test_mutated_requests_are_answered_or_refused(tmp_path, count, capfd):
    model = write_model_folder(tmp_path / "tiny", "distribution")
    (tmp_path / "private").mkdir()
    limits = Limits(silence=0.5, upload=2**20)
    wrong: list[str] = []
    statuses: dict[int, int] = {}
    with (
        served(Colorizer(model, threads=1), tmp_path / "private", limits) as address,
        client_of(address) as client,
    ):
        for number in range(count):
            rng = np.random.default_rng([2, number])
            if number % 200 == 0:
                photo = file_of(landscape(number, 16, 20))
                key = client.post("api/photos?name=a.png", content=photo).json()["id"]
            asked = request(rng, key, address, photo)
            start = time.monotonic()
            answer = exchange(address, asked)
            status = int(answer[9:12] or 0) if answer.startswith(b"HTTP/1.1 ") else 0
            statuses[status] = statuses.get(status, 0) + 1
            body = answer.partition(b"\r\n\r\n")[2]
            if status >= 500 or time.monotonic() - start > 10:
                wrong.append(f"{number}: {status} {body[:200]!r} of {asked[:400]!r}")
            if status in (400, 404, 503) and body.startswith(b'{"error"'):
                told = json.loads(body)["error"]
                if "\n" in told or len(told) > 600:
                    wrong.append(f"{number}: {told[:300]!r} of {asked[:300]!r}")
            if status == 202:
                wrong += ended(client, json.loads(body)["id"], asked)
            if number % 20 == 19 and client.get("api/photos").status_code != 200:
                wrong.append(f"{number}: the list of photos is broken after {asked[:300]!r}")
                break
        assert client.get("api/about").status_code == 200
    assert not wrong, "\n".join(wrong[:40])
    assert "Traceback" not in "".join(capfd.readouterr())
    assert statuses[200] > count / 20, statuses
    assert not list((tmp_path / "private").iterdir())


def ended(client, key: str, asked: bytes) -> list[str]:
    """What is wrong with a download that has begun."""
    for _ in range(500):
        told = client.get(f"api/downloads/{key}").json()
        if "error" in told or "file" in told:
            inside = "went wrong inside" in told.get("error", "")
            return [f"{told} of {asked[:400]!r}"] if inside else []
        time.sleep(0.02)
    return [f"never ended: {asked[:400]!r}"]


def request(rng: np.random.Generator, key: str, address: str, photo: bytes) -> bytes:
    """The bytes of a request; a few of them make no sense even as HTTP."""
    kind = rng.random()
    if kind < 0.55:
        path = str(rng.choice(list(BODIES)))
        method = "PUT" if path.endswith("state") else "POST"
        whole = rng.random() < 0.1
        body = (
            json.dumps(BODIES[path]).encode() if whole else mutated_json(BODIES[path], rng, NAMES)
        )
    elif kind < 0.75:
        method, path, body = "POST", str(rng.choice(["api/photos", "api/colorize"])), photo
        told = {"name": "a.png", "format": "png", "hints": json.dumps(HINTS), "vividness": "2"}
        told = changed(told, rng, NAMES) if rng.random() < 0.7 else told
        pairs = told.items() if isinstance(told, dict) else [(odd_value(rng), told)]
        path += "?" + "&".join(f"{_query(name)}={_query(value)}" for name, value in pairs)
        body = mutate(photo, rng) if rng.random() < 0.3 else photo
    else:
        method, path, body = str(rng.choice(METHODS)), str(rng.choice(PATHS)), b"{}"
    if rng.random() < 0.1:
        key = str(
            rng.choice(["", "%00", "..", "%2e%2e%2f", "x" * 3000, "%ed%a0%80", key[:-1], "%"])
        )
    headers = {"Host": urlsplit(address).netloc, "Authorization": f"Bearer {TOKEN}"}
    headers |= {"Content-Length": str(len(body)), "Connection": "close"}
    if rng.random() < 0.25:
        name = str(rng.choice(list(HEADERS)))
        headers[name] = str(rng.choice(HEADERS[name]))
    lines = [f"{method} /{path.replace('PHOTO', key)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    if rng.random() < 0.05:
        head = mutate(head, rng)
    return head + body.replace(b"PHOTO", key.encode("latin-1"))


def _query(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text[:2000].encode("utf-8", "surrogatepass"))


def exchange(address: str, asked: bytes) -> bytes:
    """What a server answers to bytes; what does not end as a request is given up."""
    where, answer = urlsplit(address), b""
    with socket.create_connection((where.hostname, where.port), 10) as connection:
        with contextlib.suppress(OSError):
            connection.settimeout(3)
            connection.sendall(asked)
        with contextlib.suppress(OSError):
            while part := connection.recv(1 << 16):
                answer += part
    return answer
