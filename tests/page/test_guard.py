"""By which names the page is reached, and where it says that it is."""

import errno
import os
import socket
import stat
import subprocess
import sys

import httpx
import pytest
from starlette.responses import PlainTextResponse

from colorizer.cli import main
from colorizer.page.guard import Guard, names_of
from colorizer.page.serve import _address, _listen, _opener

GUARDED = Guard(PlainTextResponse("in"), "secret", 8080, names_of("0.0.0.0"))


async def _asked(guard: Guard, host: str, reached: str = "192.0.2.7") -> int:
    sent = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "server": (reached, guard.port),
        "headers": [(b"host", host.encode()), (b"authorization", b"Bearer secret")],
    }

    async def send(message):
        sent.append(message)

    await guard(scope, None, send)
    return sent[0]["status"]


def asked(guard: Guard, host: str, reached: str = "192.0.2.7") -> int:
    import anyio

    return anyio.run(_asked, guard, host, reached)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.0.2.7:8080", 200),  # where the request arrived
        (f"{socket.gethostname()}:8080", 200),
        (f"{socket.gethostname().upper()}.LOCAL:8080", 200),
        ("LocalHost:8080", 200),
        ("localhost.:8080", 200),
        ("192.0.2.8:8080", 421),
        ("evil.example:8080", 421),
        (f"{socket.gethostname()}.evil.example:8080", 421),
        ("192.0.2.7", 421),
        ("192.0.2.7:80", 421),
        ("", 421),
        (":8080", 421),
    ],
)
def test_a_page_for_all_is_reached_by_names_of_this_machine_only(host, status):
    assert asked(GUARDED, host) == status


def test_six_is_as_good_as_four():
    guard = Guard(PlainTextResponse("in"), "secret", 80, names_of("::"))
    assert asked(guard, "[2001:db8::1]", "2001:db8::1") == 200
    assert asked(guard, "[2001:db8::1]:80", "2001:db8::1") == 200
    assert asked(guard, "[2001:db8::2]", "2001:db8::1") == 421
    assert asked(guard, "192.0.2.7", "::ffff:192.0.2.7") == 200


def test_names_may_have_capitals_and_port_80_is_left_out():
    guard = Guard(PlainTextResponse("in"), "secret", 80, names_of("MyPC"))
    for host in ("mypc", "MyPC", "MYPC:80"):
        assert asked(guard, host) == 200
    assert asked(guard, "mypc:8080") == 421
    assert _address("MyPC", "192.0.2.7", 80) == "http://MyPC/"
    assert _address("localhost", "127.0.0.1", 81) == "http://127.0.0.1:81/"
    assert _address("::1", "::1", 81) == "http://[::1]:81/"
    assert socket.gethostname() in _address("0.0.0.0", "0.0.0.0", 81)


def test_a_name_of_this_machine_is_listened_on_and_reached(tmp_path):
    from tests.model_folder import write_model_folder

    model = write_model_folder(tmp_path / "tiny", "distribution")
    command = [sys.executable, "-m", "colorizer.cli", "serve", "--no-browser", "--model", model]
    process = subprocess.Popen(
        [*map(str, command), "--host", "LOCALHOST"], stdout=subprocess.PIPE, text=True
    )
    address = process.stdout.readline().split()[-1]
    assert "Photos stay on this machine" in process.stdout.readline()
    with httpx.Client(timeout=60, trust_env=False) as client:
        assert client.get(address).status_code == 200
    process.terminate()
    process.communicate(timeout=10)


def test_a_host_that_is_none_is_not_blamed_on_the_port(capsys):
    assert main(["serve", "--no-browser", "--host", "192.0.2.7"]) == 2
    told = capsys.readouterr().err
    assert "192.0.2.7 is no address of this machine" in told
    assert "--port" not in told
    assert main(["serve", "--no-browser", "--host", "no such host"]) == 2
    assert "no address 'no such host'" in capsys.readouterr().err


def test_the_browser_gets_a_file_that_others_cannot_read(tmp_path, monkeypatch):
    address = "http://127.0.0.1:8080/secret/"
    told = _opener(address, tmp_path)
    assert "secret" not in told  # of what `ps` shows
    (file,) = tmp_path.iterdir()
    assert told == file.as_uri()
    assert address in file.read_text()
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setattr("platform.release", lambda: "5.15.0-microsoft-standard-WSL2")
    assert _opener(address, tmp_path) == address


def test_the_port_80_is_listened_on():
    try:
        listener = _listen("127.0.0.1", 80)
    except Exception as error:
        if getattr(error.__cause__, "errno", None) in (errno.EACCES, errno.EADDRINUSE):
            pytest.skip("port 80 is not ours")
        raise
    listener.close()
