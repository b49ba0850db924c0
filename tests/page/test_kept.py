"""What the page tells of its photos is kept, comes back, and goes when nothing needs it."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorizer.inference.colorizer import Colorizer
from colorizer.page import studio as studios
from colorizer.page.receive import Limits
from colorizer.page.working_folder import PrivateFolder
from tests.model_folder import write_model_folder
from tests.page.serving import client_of, served

CAMERA = data.camera()[:301:2, :400:2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "private"


@pytest.fixture
def client(model, place):
    place.mkdir()
    room = 400_000
    with (
        served(Colorizer(model, threads=1), place, Limits(uploads=4), room=room) as address,
        client_of(address) as client,
    ):
        yield client


def png_of(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def sent(client, name="a.png", content=None, **query) -> dict:
    query = {"name": name, **query}
    answer = client.post("api/photos", params=query, content=content or png_of(CAMERA))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_photos_come_back_in_order_with_what_was_said(client):
    first, second = sent(client, "b.png"), sent(client, "a.png")
    client.post(f"api/photos/{first['id']}/preview", json={})  # looked at last
    told = client.put(f"api/photos/{second['id']}/state", json={"state": '{"hints":[1]}'})
    assert told.json() == {"revision": 1}
    listed = client.get("api/photos").json()
    assert [photo["name"] for photo in listed] == ["b.png", "a.png"]
    assert listed[1]["state"] == '{"hints":[1]}'
    assert listed[0]["width"] == 200
    for state in (3, "x" * 300_000):
        wrong = client.put(f"api/photos/{second['id']}/state", json={"state": state})
        assert wrong.status_code == 400
    assert client.put("api/photos/nothing/state", json={"state": ""}).status_code == 404


def test_a_removed_photo_is_brought_back(client):
    photo = sent(client)
    client.put(f"api/photos/{photo['id']}/state", json={"state": "said"})
    assert client.delete(f"api/photos/{photo['id']}").status_code == 204
    assert client.get("api/photos").json() == []
    assert client.post(f"api/photos/{photo['id']}/preview", json={}).status_code == 404
    back = client.post(f"api/photos/{photo['id']}/restore").json()
    assert back["state"] == "said"
    assert client.post(f"api/photos/{photo['id']}/preview", json={}).status_code == 200


def test_removed_photos_make_room_for_others(client):
    noise = np.random.default_rng(0).integers(0, 255, (400, 500), np.uint8)
    content = png_of(noise)  # 200 kB
    first = sent(client, content=content)
    full = client.post("api/photos?name=b.png", content=content)
    assert "remove some first" in full.json()["error"]
    client.delete(f"api/photos/{first['id']}")
    sent(client, content=content)
    assert client.post(f"api/photos/{first['id']}/restore").status_code == 404


def test_chunked_uploads_are_counted_too(client, place):
    parts = (b"x" * 2**16 for _ in range(40))
    answer = client.post("api/photos?name=a.png", content=parts)
    assert "remove some first" in answer.json()["error"]
    assert not [file for file in place.rglob("*") if file.name == "a.png"]


def test_palettes_are_no_photos_and_go_when_nothing_uses_them(client, monkeypatch):
    photo = sent(client)
    colors = png_of(data.astronaut()[::8, ::8])
    palette = sent(client, "c.png", colors, **{"for": "palette"})
    assert [one["name"] for one in client.get("api/photos").json()] == ["a.png"]
    told = {"settings": {"palette": palette["id"]}}
    assert client.post(f"api/photos/{photo['id']}/preview", json=told).status_code == 200
    monkeypatch.setattr(studios, "GRACE", -1.0)
    used = f'{{"palette":"{palette["id"]}"}}'
    client.put(f"api/photos/{photo['id']}/state", json={"state": used})
    assert client.post(f"api/photos/{photo['id']}/preview", json=told).status_code == 200
    client.put(f"api/photos/{photo['id']}/state", json={"state": "{}"})
    gone = client.post(f"api/photos/{photo['id']}/preview", json=told)
    assert gone.status_code == 404
    assert gone.json()["id"] == palette["id"]  # so the page knows that it is not the photo
    assert "choose it again" in gone.json()["error"]


def test_pixels_are_held_of_the_last_photos_only(model, tmp_path, monkeypatch):
    monkeypatch.setattr(studios, "OPEN", 2)
    colorizer = Colorizer(model, threads=1)
    page = studios.Studio(colorizer, PrivateFolder(2**24, tmp_path), 10**6)
    keys = []
    for number in range(3):
        file = page.folder.place(f"{number}.png")
        file.write_bytes(png_of(CAMERA))
        keys.append(page.add(file)["id"])
    page.region(keys[0], None, (0, 0, 10, 10), 1)
    assert len(list(tmp_path.rglob("pixels.v"))) == 1
    page.show(keys[1], colorizer)
    page.check(keys[2])  # asking after it is no look at it
    assert len(list(tmp_path.rglob("pixels.v"))) == 1
    page.show(keys[2], colorizer)
    assert not list(tmp_path.rglob("pixels.v"))
    assert page.region(keys[0], None, (0, 0, 10, 10), 1)[:4] == b"\x89PNG"
    page.folder.close()


def test_what_goes_wrong_inside_names_no_private_place(client, monkeypatch, place):
    photo = sent(client)

    def broken(self, engine, shrink=1):
        raise OSError(f"{place} is full")

    monkeypatch.setattr("colorizer.inference.preview.Preview.colorize", broken)
    answer = client.post(f"api/photos/{photo['id']}/preview", json={})
    assert answer.status_code == 500
    assert str(place) not in answer.text
    assert "OSError" in answer.json()["error"]


def test_deep_json_is_told(client):
    photo = sent(client)
    deep = b'{"settings":' + b"[" * 100_000
    answer = client.post(f"api/photos/{photo['id']}/preview", content=deep)
    assert answer.status_code == 400
    assert "no valid JSON" in answer.json()["error"]
