"""What the page makes stays until it is fetched, goes on where it broke off, and can be ended."""

import io
import json
import os
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorizer.cli import main
from colorizer.inference.colorizer import Colorizer
from colorizer.page import downloads, lanes
from colorizer.page.receive import Limits
from tests.model_folder import write_model_folder
from tests.page.serving import TOKEN, client_of, rendered, served

CAMERA = data.camera()[:301:2, :400:2]
HINTS = {"version": 1, "hints": [{"at": [0.3, 0.4], "color": "#9c3b34"}]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("private")
    with served(Colorizer(model, threads=1), place, Limits(), max_pixels=10**8) as address:
        yield address


@pytest.fixture
def client(address):
    with client_of(address) as client:
        yield client


def png_of(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def sent(client: httpx.Client, array: np.ndarray = CAMERA, name: str = "a.png") -> dict:
    answer = client.post("api/photos", params={"name": name}, content=png_of(array))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_result_survives_head_range_and_broken_connections(client, address):
    noise = np.random.default_rng(0).integers(0, 255, (900, 900), np.uint8)
    whole, job = rendered(client, [{"id": sent(client, noise)["id"]}], ".png")
    path = f"api/results/{job['file']}"
    assert int(client.head(path).headers["content-length"]) == len(whole)
    part = client.get(path, headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206
    assert part.content == whole[1000:2000]
    host, port = address.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"GET /{path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        connection.sendall(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert connection.recv(100)
    rest = client.get(path, headers={"Range": "bytes=2000-"})
    assert rest.content == whole[2000:]
    assert client.get(path).content == whole
    assert client.get(path).content == whole


def test_only_the_last_results_stay(client, monkeypatch):
    monkeypatch.setattr(downloads, "KEPT", 2)
    photo = sent(client)["id"]
    files = [rendered(client, [{"id": photo}], ".jpg")[1]["file"] for _ in range(3)]
    found = [client.get(f"api/results/{file}").status_code for file in files]
    assert found == [404, 200, 200]


def test_a_download_is_measured_and_can_be_canceled(client):
    rows = np.random.default_rng(0).integers(0, 255, (6000, 6000), np.uint8)
    photo = sent(client, rows)["id"]
    asked = {"photos": [{"id": photo}], "format": ".tif"}
    key = client.post("api/downloads", json=asked).json()["id"]
    shares = set()
    while not 0.1 < (job := client.get(f"api/downloads/{key}").json())["done"] < 1:
        assert "error" not in job
        assert "file" not in job, "it was never seen under way"
        shares.add(job["done"])
        time.sleep(0.005)
    assert client.delete(f"api/downloads/{key}").status_code == 204
    begin = time.monotonic()
    while "error" not in (job := client.get(f"api/downloads/{key}").json()):
        assert time.monotonic() - begin < 5
        time.sleep(0.01)
    assert "canceled" in job["error"]
    assert "canceled" in client.get(f"api/downloads/{key}").json()["error"]  # however often
    found, _ = rendered(client, [{"id": sent(client)["id"]}], ".jpg")  # and the next is made
    assert found[:2] == b"\xff\xd8"


def test_each_photo_of_a_zip_has_its_own_format(client):
    import zipfile

    one, two = sent(client, name="a.png")["id"], sent(client, name="A.png")["id"]
    wanted = [{"id": one, "format": ".tif"}, {"id": two}, {"id": two, "format": ".tif"}]
    found, _ = rendered(client, wanted, ".jpg")
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert archive.namelist() == ["a-colored.tif", "A-colored.jpg", "A-colored-2.tif"]


def test_sixteen_bits_of_grain_become_no_longer_than_they_are(client):
    rng = np.random.default_rng(0)
    scan = (30000 + rng.normal(0, 3000, (300, 400))).astype(np.uint16)
    found, _ = rendered(client, [{"id": sent(client, scan)["id"]}], ".tif")
    assert len(found) < 300 * 400 * 6 * 1.02
    import tifffile

    with tifffile.TiffFile(io.BytesIO(found)) as file:
        assert file.pages[0].compression.name == "ADOBE_DEFLATE"
        assert file.asarray().dtype == np.uint16


def test_a_region_is_what_the_download_has(client):
    rng = np.random.default_rng(1)
    scan = np.kron(rng.integers(0, 255, (30, 40)), np.ones((70, 70))).astype(np.uint8)
    photo = sent(client, scan)["id"]  # 2,800 x 2,100: the preview has fewer
    told = {"settings": {"vividness": 1.4}, "hints": HINTS}
    whole, _ = rendered(client, [{"id": photo, **told}], ".png")
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    for box in ([0, 0, 300, 200], [1234, 777, 500, 333], [2700, 2000, 500, 500]):
        answer = client.post(f"api/photos/{photo}/region", json={**told, "box": box})
        found = np.asarray(Image.open(io.BytesIO(answer.content)))
        left, top, width, height = box
        assert np.array_equal(found, expected[top : top + height, left : left + width])
    half = client.post(
        f"api/photos/{photo}/region", json={"box": [100, 50, 400, 200], "shrink": 2, "gray": True}
    )
    found = np.asarray(Image.open(io.BytesIO(half.content)))
    assert found.shape == (100, 200, 3)
    assert np.ptp(found, -1).max() == 0
    for box in ([2800, 0, 5, 5], [0, 0, -1, 5], [0, 0, 1.5, 5], "all", [0, 0, 9000, 9000], None):
        wrong = client.post(f"api/photos/{photo}/region", json={"box": box})
        assert wrong.status_code == 400, box
        assert "error" in wrong.json()


def test_programs_get_what_the_command_line_writes(client, model, tmp_path):
    Image.fromarray(CAMERA.astype(np.uint16) * 257).save(tmp_path / "scan.tif")
    (tmp_path / "hints.json").write_text(json.dumps(HINTS))
    query = {"name": "scan.tif", "vividness": "1.3", "quality": "best", "hints": json.dumps(HINTS)}
    answer = client.post("api/colorize", params=query, content=(tmp_path / "scan.tif").read_bytes())
    assert answer.status_code == 200, answer.text
    assert "scan-colored.tif" in answer.headers["content-disposition"]
    assert json.loads(answer.headers["x-colorizer-notes"]) == []
    flags = ["--vividness", "1.3", "--quality", "best", "--hints", str(tmp_path / "hints.json")]
    flags += ["--threads", "1", "--model", str(model), "-o", str(tmp_path / "out.tif")]
    assert main(["colorize", str(tmp_path / "scan.tif"), *flags]) == 0
    assert answer.content == (tmp_path / "out.tif").read_bytes()
    listed = [photo["name"] for photo in client.get("api/photos").json()]
    assert "scan.tif" not in listed  # it is not left behind


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"vividness": "9"}, "vividness is 9"),
        ({"colour": "1"}, "no 'colour'"),
        ({"format": "exe"}, "the format is '.exe'"),
        ({"hints": "/etc/passwd"}, "hints"),
        ({"hints": "[" * 100_000}, "hints"),
        ({"palette": "nothing"}, "no longer here"),
    ],
)
def test_programs_are_told_what_is_wrong(client, query, sentence):
    before = client.get("api/photos").json()
    if "hints" in query and len(query["hints"]) > 60_000:
        query = {"hints": "[" * 20_000}
    answer = client.post("api/colorize", params=query, content=png_of(CAMERA))
    assert answer.status_code in (400, 404)
    assert sentence in answer.json()["error"]
    assert client.get("api/photos").json() == before


def test_the_documented_program_works(address, tmp_path):
    """docs/page.md has it."""
    from pathlib import Path

    text = Path(__file__).parents[2].joinpath("docs/page.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    Image.fromarray(CAMERA).save(tmp_path / "old.png")
    program = code.replace("http://127.0.0.1:8080", address.rstrip("/")).replace("TOKEN", TOKEN)
    env = {**os.environ, "no_proxy": "127.0.0.1"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=env)
    with Image.open(tmp_path / "new.png") as made:
        assert made.size == (200, 151)


def test_a_render_waits_for_previews_but_not_for_ever(client, monkeypatch):
    """Previews are seen by somebody: 11 s each beside four renders, 0.7 s alone."""
    monkeypatch.setattr(lanes, "PATIENCE", 0.2)
    large = np.tile(np.arange(200, dtype=np.uint8), (1600, 8))
    photo = sent(client, large)["id"]
    waited = []
    busy = property(lambda lane: len(waited) < 40 and not waited.append(time.monotonic()))
    monkeypatch.setattr(downloads.Lane, "is_busy", busy)
    made, job = rendered(client, [{"id": photo}], ".tif")
    assert made[:2] == b"II"
    assert "error" not in job
    assert len(waited) == 40
    assert 0.1 < waited[-1] - waited[0] < 20
