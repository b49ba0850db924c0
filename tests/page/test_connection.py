"""Connections on which nothing happens keep nobody out."""

import socket
import time

import httpx
import pytest

from colorizer.inference.colorizer import Colorizer
from colorizer.page.connection import Connection
from colorizer.page.receive import Limits
from tests.model_folder import write_model_folder
from tests.page.serving import TOKEN, client_of, served


class Hurried(Connection):
    patience = 0.5
    most_waiting = 20


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    model = write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")
    limits = Limits(silence=5, rate=1000, span=1)
    place = tmp_path_factory.mktemp("private")
    with served(Colorizer(model, threads=1), place, limits, connection=Hurried) as address:
        yield address


def opened(address: str, said: str = "") -> socket.socket:
    host, port = address.split("/")[2].split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(said.replace("HOST", f"{host}:{port}").encode())
    return connection


def is_closed_by_itself(connection: socket.socket, within: float = 4.0) -> bool:
    connection.settimeout(within)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


HALF = [
    ("nothing", ""),
    ("half a head", "GET / HTTP/1.1\r\nHost: 12"),
    ("a body that does not come, without the token", "POST /api/photos HTTP/1.1\r\nHost: HOST\r\n"
     "Content-Length: 100\r\n\r\nabc"),
    ("half of a second request", f"GET /{TOKEN}/ HTTP/1.1\r\nHost: HOST\r\n\r\nGET /"),
]  # fmt: skip


@pytest.mark.parametrize("said", [row[1] for row in HALF], ids=[row[0] for row in HALF])
def test_a_connection_without_a_request_is_closed(address, said):
    with opened(address, said) as connection:
        assert is_closed_by_itself(connection)


def test_dripping_a_head_does_not_help(address):
    with opened(address, "GET / HTTP/1.1\r\nX: ") as connection:
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 4:
                connection.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            return  # closed
        raise AssertionError("it was let in")


def test_a_hundred_half_open_connections_keep_nobody_out(address):
    many = [opened(address, "GET / HTTP/1.1\r\nHost: 12") for _ in range(120)]
    try:
        begin = time.monotonic()
        with client_of(address) as client:
            assert client.get("api/about").status_code == 200
        assert time.monotonic() - begin < 5
    finally:
        for one in many:
            one.close()


def test_a_request_may_take_longer(address):
    def slowly():
        for _ in range(10):
            time.sleep(0.1)
            yield b"x" * 500

    with client_of(address) as client:
        answer = client.post("api/photos?name=a.png", content=slowly())
    assert "a.png is no picture" in answer.json()["error"]


def test_an_upload_that_drips_is_given_up(address):
    def dripping():
        for _ in range(100):
            time.sleep(0.05)
            yield b"x"

    begin = time.monotonic()
    with client_of(address) as client:
        try:
            answer = client.post("api/photos?name=a.png", content=dripping())
            assert answer.status_code == 408
        except httpx.WriteError:
            pass  # it was closed while we wrote
    assert time.monotonic() - begin < 4
