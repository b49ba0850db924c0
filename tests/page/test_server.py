"""The page's server: what it gives, and all that it refuses."""

import ast
import io
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorizer.cli import main
from colorizer.inference.colorizer import Colorizer
from colorizer.page import photo as page_photo
from colorizer.page.receive import Limits
from colorizer.page.server import STATIC
from colorizer.page.working_folder import PrivateFolder
from tests.model_folder import write_model_folder
from tests.page.serving import TOKEN, client_of, rendered, served
from tests.systems import needs_posix

CAMERA = data.camera()[:301:2, :400:2]  # 151 x 200
HINTS = {"version": 1, "hints": [{"at": [0.3, 0.4], "color": "#9c3b34"}]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def address(model, place):
    limits = Limits(upload=2**20, silence=0.4, uploads=4, previews=6, downloads=2)
    with served(Colorizer(model, threads=1), place, limits) as address:
        yield address


@pytest.fixture
def client(address):
    with client_of(address) as client:
        yield client


def file_of(array: np.ndarray, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, format)
    return file.getvalue()


@pytest.fixture
def photo(client):
    told = client.post("api/photos?name=../x/old photo.png", content=file_of(CAMERA)).json()
    yield told
    client.delete(f"api/photos/{told['id']}")


def test_a_photo_is_shown_in_color(client, photo, model):
    assert photo["name"] == "_x_old photo.png"
    assert (photo["width"], photo["height"], photo["bits"]) == (200, 151, 8)
    told = {"hints": HINTS, "settings": {"vividness": 1.5}}
    answer = client.post(f"api/photos/{photo['id']}/preview", json=told)
    assert answer.headers["content-type"] == "image/jpeg"
    found = np.asarray(Image.open(io.BytesIO(answer.content))).astype(float)
    expected = Colorizer(model, threads=1, hints=HINTS, vividness=1.5).colorize(CAMERA)
    assert np.abs(found - expected).mean() < 3  # JPEG
    gray = np.asarray(Image.open(io.BytesIO(client.get(f"api/photos/{photo['id']}/gray").content)))
    assert np.ptp(gray.astype(int), -1).max() <= 3
    suggested = client.post(f"api/photos/{photo['id']}/suggest", json={"x": 0.3, "y": 0.4}).json()
    assert len(suggested["colors"]) == len(suggested["follows"]) == 9
    hint = {"at": [0.3, 0.4], "color": suggested["colors"][0]}
    follows = Colorizer(model, threads=1).follows(CAMERA, hint)
    assert suggested["follows"][0] == pytest.approx(follows, abs=1e-4)
    assert 0 <= suggested["L"] <= 100


def test_a_download_is_what_the_command_line_writes(client, model, tmp_path):
    Image.fromarray(CAMERA.astype(np.uint16) * 257).save(tmp_path / "scan.tif")
    Image.fromarray(data.astronaut()[::4, ::4]).save(tmp_path / "palette.png")
    (tmp_path / "hints.json").write_text(json.dumps(HINTS))
    ids = {}
    for name in ("scan.tif", "palette.png"):
        content = (tmp_path / name).read_bytes()
        ids[name] = client.post(f"api/photos?name={name}", content=content).json()["id"]
    settings = {"vividness": 1.3, "temperature": 0.2, "palette": ids["palette.png"]}
    wanted = [{"id": ids["scan.tif"], "settings": settings, "hints": HINTS}]
    found, job = rendered(client, wanted, ".tif")
    assert job["name"] == "scan-colored.tif"
    flags = ["--vividness", "1.3", "--temperature", "0.2", "--threads", "1"]
    flags += ["--palette", str(tmp_path / "palette.png"), "--hints", str(tmp_path / "hints.json")]
    out = tmp_path / "out.tif"
    arguments = [str(tmp_path / "scan.tif"), "-o", str(out), "--model", str(model), *flags]
    assert main(["colorize", *arguments]) == 0
    assert found == out.read_bytes()


def test_several_photos_become_a_zip(client):
    ids = [
        client.post("api/photos?name=a.png", content=file_of(CAMERA[:n, :n])).json()["id"]
        for n in (40, 50)
    ]
    found, job = rendered(client, [{"id": one} for one in ids], ".jpg")
    assert job["total"] == job["done"] == 2
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert archive.namelist() == ["a-colored.jpg", "a-colored-2.jpg"]
        sizes = [Image.open(archive.open(name)).size for name in archive.namelist()]
    assert sizes == [(40, 40), (50, 50)]


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in sorted(path.name for path in STATIC.iterdir()):
        text = client.get(f"static/{name}").text
        assert "//" not in text.replace("http://www.w3.org/2000/svg", "").replace("// ", "")
    assert client.get("static/../server.py").status_code in (403, 404)
    assert client.get("static/%2e%2e/server.py").status_code == 404


BEARER = {"Authorization": f"Bearer {TOKEN}"}
REFUSED = [
    ("no token", "", {}, 403),
    ("another token", "b-token-for-tests/", {}, 403),
    ("another token as a cookie", "", {"Cookie": "colorizer-PORT=b; a=b"}, 403),
    ("a token as a name", "", {"Authorization": f"Basic {TOKEN}"}, 403),
    ("a token in the path of what is no entry", f"{TOKEN}/api/about", {}, 403),
    ("a foreign host", f"{TOKEN}/", {"Host": "evil.example"}, 421),
    ("a foreign port", f"{TOKEN}/", {"Host": "127.0.0.1:1"}, 421),
    ("no port", f"{TOKEN}/", {"Host": "127.0.0.1"}, 421),
    ("a foreign page", "api/about", {**BEARER, "Origin": "http://evil.example"}, 403),
    ("no origin of its own", "api/about", {**BEARER, "Origin": "null"}, 403),
    ("a cross-site request", "api/about", {**BEARER, "Sec-Fetch-Site": "cross-site"}, 403),
    ("a page of the same site", "api/about", {**BEARER, "Sec-Fetch-Site": "same-site"}, 403),
]


@pytest.mark.parametrize(("path", "headers", "status"), [row[1:] for row in REFUSED])
def test_strangers_are_refused(address, path, headers, status):
    port = address.split(":")[2].strip("/")
    headers = {name: value.replace("PORT", port) for name, value in headers.items()}
    answer = httpx.get(address + path, headers=headers, trust_env=False)
    assert answer.status_code == status
    assert "error" in answer.json()
    assert answer.headers["x-content-type-options"] == "nosniff"
    asked = httpx.get(address + path, headers={**headers, "Accept": "text/html"}, trust_env=False)
    assert asked.status_code == status
    assert asked.headers["content-type"].startswith("text/html")  # for who opens it


def test_the_address_that_is_opened_gives_a_cookie_to_this_page_alone(address):
    with httpx.Client(base_url=address, trust_env=False) as client:
        entry = client.get(f"{TOKEN}/")
        assert entry.status_code == 200
        told = entry.headers["set-cookie"].lower()
        assert "httponly" in told
        assert "samesite=strict" in told
        assert 'url=/"' in entry.text
        assert TOKEN not in entry.text
        assert client.get("").status_code == 200
        assert client.get("api/about").json()["local"] is True


def test_a_link_from_elsewhere_may_open_the_page_but_not_send(client, photo):
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("", headers=followed).status_code == 200
    answer = client.post(f"api/photos/{photo['id']}/preview", json={}, headers=followed)
    assert answer.status_code == 403


def test_what_is_no_photo_is_told_without_its_place(client, place):
    before = set(place.rglob("*"))
    for content, sentence in (
        (b"hello, world, this is text", "notes.jpg is no picture of a known format"),
        (b"", "notes.jpg is empty"),
        (file_of(CAMERA, "JPEG")[:900], "notes.jpg"),
        (file_of(np.zeros((1001, 1000), np.uint8)), "claims 1000 x 1001 pixels"),
    ):
        answer = client.post("api/photos?name=notes.jpg", content=content)
        assert answer.status_code == 400, content[:20]
        assert sentence in answer.json()["error"]
        assert str(place) not in answer.json()["error"]
    assert set(place.rglob("*")) == before


def test_large_uploads_are_refused(client, place):
    before = set(place.rglob("*"))
    whole = client.post("api/photos?name=a.png", content=b"x" * (2**20 + 1))
    assert whole.status_code == 413
    parts = client.post("api/photos?name=a.png", content=(b"x" * 2**16 for _ in range(40)))
    assert parts.status_code == 413
    assert "over the limit of 1 MB" in parts.json()["error"]
    assert set(place.rglob("*")) == before


def test_slow_uploads_are_given_up(address, place):
    before = set(place.rglob("*"))
    host, port = address.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /api/photos?name=a.png HTTP/1.1\r\nHost: {host}:{port}\r\n"
        head += f"Authorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\nabc".encode())
        begin = time.monotonic()
        answer = connection.recv(10000).decode()
        assert time.monotonic() - begin < 5
    assert " 408 " in answer.splitlines()[0]
    assert set(place.rglob("*")) == before


def test_a_hundred_at_once_are_bounded(address, photo):
    def ask(number: int) -> int:
        told = {"settings": {"vividness": 1 + number / 1000, "quality": "best"}}
        with client_of(address) as client:
            answer = client.post(f"api/photos/{photo['id']}/preview", json=told)
        if answer.status_code == 503:
            assert "try again in a moment" in answer.json()["error"]
        return answer.status_code

    with ThreadPoolExecutor(100) as pool:
        statuses = list(pool.map(ask, range(100)))
    assert set(statuses) == {200, 503}


WRONG = [
    ("preview", {"settings": {"vividnes": 1}}, "no 'vividnes'; did you mean 'vividness'"),
    ("preview", {"settings": {"max_pixels": 10**9}}, "no 'max_pixels'"),
    ("preview", {"settings": {"vividness": 9}}, "vividness is 9"),
    ("preview", {"settings": {"palette": "/etc/passwd"}}, "no longer here"),
    ("preview", {"hints": {"version": 1, "hints": [{"at": [2, 2], "color": "#ffffff"}]}}, "to 1"),
    ("preview", {"hints": "/etc/passwd"}, "hints"),
    ("preview", {"settings": 3}, "settings"),
    ("suggest", {"x": "left", "y": 0}, "no place"),
    ("preview", [1], "no JSON object"),
]


@pytest.mark.parametrize(("verb", "told", "sentence"), WRONG)
def test_wrong_requests_are_answered_with_a_sentence(client, photo, verb, told, sentence):
    answer = client.post(f"api/photos/{photo['id']}/{verb}", json=told)
    assert answer.status_code in (400, 404)
    assert sentence in answer.json()["error"]


def test_what_is_gone_is_gone(client, photo):
    assert client.delete(f"api/photos/{photo['id']}").status_code == 204
    answer = client.post(f"api/photos/{photo['id']}/preview", json={})
    assert answer.status_code == 404
    assert "no longer here" in answer.json()["error"]
    wrong = client.post("api/downloads", json={"photos": [{"id": photo["id"]}], "format": ".jpg"})
    assert wrong.status_code == 404
    assert client.get("api/downloads/nothing").status_code == 404


def test_a_failed_download_is_told(client, photo):
    _, job = rendered(client, [{"id": photo["id"], "settings": {"variant": 0}}], ".jpg")
    assert "variant is 0" in job["error"]
    wrong = client.post("api/downloads", json={"photos": [{"id": photo["id"]}], "format": ".exe"})
    assert wrong.status_code == 400
    assert "the format is '.exe'" in wrong.json()["error"]
    many = {"photos": [{"id": photo["id"]}] * 501, "format": ".jpg"}
    assert "1 to 500 photos" in client.post("api/downloads", json=many).json()["error"]


def test_the_folder_is_private_and_goes(model, tmp_path):
    with served(Colorizer(model, threads=1), tmp_path, room=2**16) as address:
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        content = file_of(np.random.default_rng(0).integers(0, 256, (200, 200)).astype(np.uint8))
        with client_of(address) as client:
            assert client.post("api/photos?name=a.png", content=content).status_code == 201
            full = client.post("api/photos?name=b.png", content=content)
            assert full.status_code == 400
            assert "remove some first" in full.json()["error"]
    assert list(tmp_path.iterdir()) == []


def test_an_idle_page_is_emptied(model, tmp_path, monkeypatch):
    from colorizer.page import studio

    page = studio.Studio(Colorizer(model, threads=1), PrivateFolder(2**20, tmp_path), 10**6)
    file = page.folder.place("a.png")
    file.write_bytes(file_of(CAMERA))
    key = page.add(file)["id"]
    page.clear_if_idle()
    assert page.check(key)
    monkeypatch.setattr(studio, "IDLE", -1.0)
    page.clear_if_idle()
    assert not file.exists()
    page.folder.close()


@needs_posix("such signals")
def test_what_a_killed_server_left_is_swept(tmp_path):
    program = (
        "import sys, os, signal; from pathlib import Path;"
        "from colorizer.page.working_folder import PrivateFolder;"
        "f = PrivateFolder(1000, Path(sys.argv[1])); f.place('a.png').write_bytes(b'x');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    other = PrivateFolder(1000, tmp_path)
    assert not left.exists()
    third = PrivateFolder(1000, tmp_path)
    assert other.path.exists()  # in use
    for folder in (other, third):
        folder.close()
    assert list(tmp_path.iterdir()) == []


def test_serve_prints_an_address_and_leaves_nothing(model, tmp_path):
    command = [sys.executable, "-m", "colorizer.cli", "serve", "--no-browser", "--model", model]
    process = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    address = process.stdout.readline().split()[-1]
    with httpx.Client(timeout=60, trust_env=False) as client:  # it listens before it answers
        assert client.get(address).status_code == 200
        page = client.get(address.rsplit("/", 2)[0] + "/")
    assert "Drop a photo" in page.text
    assert list(tmp_path.glob("colorizer-page-*"))
    process.terminate()
    process.wait(10)
    process.stdout.close()
    assert not list(tmp_path.glob("colorizer-page-*"))


def test_another_host_is_said_aloud_and_keeps_the_token(model):
    command = [sys.executable, "-m", "colorizer.cli", "serve", "--no-browser", "--model", model]
    process = subprocess.Popen(
        [*map(str, command), "--host", "0.0.0.0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    address = process.stdout.readline().split()[-1]
    port, token = address.split(":")[2].split("/")[:2]
    assert len(token) > 30
    with httpx.Client(transport=httpx.HTTPTransport(retries=6), trust_env=False) as client:
        assert client.get(f"http://127.0.0.1:{port}/").status_code == 403
    process.terminate()
    told = process.communicate(timeout=10)[1]
    assert told.startswith("warning: 0.0.0.0 lets others on the network in")


def test_a_port_in_use_is_a_sentence(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--no-browser", "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in capsys.readouterr().err


def test_sentences_that_the_page_says_in_its_own_words_are_still_said():
    package = Path(page_photo.__file__).parents[1]
    said = "\n".join(
        node.value
        for path in package.rglob("*.py")
        if path != Path(page_photo.__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    assert [words for words, _ in page_photo._WORDS if words not in said] == []
