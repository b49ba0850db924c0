"""With --keep a new start finds what the last one left, and asks; other work is removed."""

import io
import json
import os
import time

import pytest
from PIL import Image
from skimage import data

from colorizer.cli import main
from colorizer.inference.colorizer import Colorizer
from colorizer.page import kept
from colorizer.page.working_folder import PREFIX, PrivateFolder
from tests.page.browsing import needs_chromium, settled, sync_api
from tests.page.serving import client_of, served


def sent(client, name, width=100, **query) -> dict:
    file = io.BytesIO()
    Image.fromarray(data.camera()[::4, :width]).save(file, "PNG")
    answer = client.post("api/photos", params={"name": name, **query}, content=file.getvalue())
    return answer.json()


@pytest.fixture(scope="module")
def engine(model):
    return Colorizer(model, threads=1)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state" / "page"


def worked(engine, place):
    """A page with three photos, of which one was removed again; it has stopped."""
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        for name in ("b.png", "a.png", "c.png"):
            photo = sent(client, name)
            state = {"state": json.dumps({"settings": {"vividness": 0.5}, "hints": []})}
            client.put(f"api/photos/{photo['id']}/state", json=state)
        sent(client, "palette.png", **{"for": "palette"})
        client.delete(f"api/photos/{photo['id']}")
        client.post(f"api/photos/{photo['id']}/preview", json={})
        return [one["id"] for one in client.get("api/photos").json()]


def test_photos_settings_and_order_come_back(engine, place):
    ids = worked(engine, place)
    assert place.stat().st_mode & 0o077 == 0
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        left = client.get("api/about").json()["left"]
        assert left["photos"] == 3  # one of them can be brought back
        assert abs(left["when"] - time.time()) < 60
        assert client.get("api/photos").json() == []  # nobody has answered yet
        assert client.post("api/left").json() == {"photos": 2, "lost": []}
        photos = client.get("api/photos").json()
        assert [one["id"] for one in photos] == ids
        assert [one["name"] for one in photos] == ["b.png", "a.png"]
        assert json.loads(photos[0]["state"])["settings"] == {"vividness": 0.5}
        assert client.post(f"api/photos/{ids[0]}/preview", json={}).status_code == 200
        assert client.get("api/about").json()["left"] is None
        assert client.post("api/left").json() == {"photos": 2, "lost": []}
        sent(client, "d.png")
    assert len(list(place.iterdir())) == 1  # one folder, of all of it
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        client.post("api/left")
        names = [one["name"] for one in client.get("api/photos").json()]
        assert names == ["b.png", "a.png", "d.png"]


def test_a_photo_that_was_damaged_meanwhile_is_named(engine, place):
    worked(engine, place)
    (file,) = place.glob("*/*/a.png")
    file.write_bytes(b"gone")
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        assert client.post("api/left").json()["lost"] == ["a.png"]


def test_what_was_left_is_removed_on_request_and_kept_without_an_answer(engine, place):
    worked(engine, place)
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        client.get("api/about")
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        assert client.get("api/about").json()["left"]["photos"] == 3
        assert client.delete("api/left").status_code == 204
        assert client.get("api/about").json()["left"] is None
    assert list(place.iterdir()) == []  # of an empty page nothing stays either


def test_what_a_page_in_use_holds_is_not_found(engine, place):
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        sent(client, "a.png")
        with served(engine, place, keeps=True) as other, client_of(other) as second:
            assert second.get("api/about").json()["left"] is None
        kept.expire(place)
        assert len(client.get("api/photos").json()) == 1


def test_what_is_damaged_is_passed_over(engine, place):
    worked(engine, place)
    (folder,) = place.iterdir()
    first, second, *_ = sorted(folder.glob("*.json"))
    first.write_text('{"name": "a')
    known = json.loads(second.read_text())
    second.write_text(json.dumps(known | {"name": "../../../etc/passwd"}))
    with served(engine, place, keeps=True) as address, client_of(address) as client:
        assert client.get("api/about").json()["left"]["photos"] <= 2
        assert client.post("api/left").status_code == 200


def test_old_work_and_too_much_of_it_go(place, monkeypatch):
    for number in range(5):
        folder = PrivateFolder(2**20, place, keeps=True)
        kept.note(folder, f"{number}", {"name": "a.png"})
        folder.close()
        for path in (folder.path / f"{number}.json", folder.path):
            os.utime(path, (time.time() - 3600 * number,) * 2)
    other = place / "something-else"
    other.mkdir()
    kept.expire(place)
    assert len(list(place.glob(f"{PREFIX}*"))) == kept.MOST
    monkeypatch.setattr(kept, "DAYS", 0.5 / 24)
    kept.expire(place)
    assert len(list(place.glob(f"{PREFIX}*"))) == 1
    assert other.exists()


def test_without_keep_nothing_is_written_there(engine, tmp_path):
    with served(engine, tmp_path) as address, client_of(address) as client:
        sent(client, "a.png")
        assert client.get("api/about").json()["keeps"] == 0
        assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.iterdir())


def test_keep_is_of_the_page(model, capsys):
    assert main(["serve", "--keep", "--api-only", "--model", str(model)]) == 2
    assert "does not go with --api-only" in capsys.readouterr().err


@needs_chromium
def test_the_page_asks(engine, place, visited):
    worked(engine, place)
    with served(engine, place, keeps=True) as address, visited(address, "it_asks") as page:
        sync_api.expect(page.locator("#left")).to_be_visible()
        sync_api.expect(page.locator("#left-words")).to_contain_text("3 photos, with all")
        assert "30 days" in page.locator("header .local").inner_text()
        page.locator("#left-take").click()
        sync_api.expect(page.locator(".thumb")).to_have_count(2)
        sync_api.expect(page.locator("output[for=vividness]")).to_have_text("50 %")
        settled(page)
