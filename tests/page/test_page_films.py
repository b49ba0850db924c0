"""Films on the page's server: read for their shots, looked at, colored as at the command line."""

import io
import time
import zipfile

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from PIL import Image  # noqa: E402

from colorizer.cli import main  # noqa: E402
from colorizer.inference.colorizer import Colorizer  # noqa: E402
from tests.film.films import pan, read_film, write_film  # noqa: E402
from tests.page.serving import client_of, served  # noqa: E402

WIDTH, HEIGHT, FRAMES = 96, 72, 12
HINTS = {"version": 1, "hints": [{"at": [0.3, 0.4], "color": "#9c3b34"}]}


@pytest.fixture(scope="module")
def engine(model):
    return Colorizer(model, threads=1)


@pytest.fixture
def client(engine, tmp_path):
    with served(engine, tmp_path) as address, client_of(address) as client:
        yield client


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """Two shots of half a second each."""
    shots = [pan(FRAMES, seed, WIDTH, HEIGHT) for seed in (0, 1)]
    path = tmp_path_factory.mktemp("films") / "old reel.mkv"
    return write_film(path, np.concatenate(shots), codec="libx264", sound=True)


def until(client, is_so, seconds=60):
    """The first film, as soon as something is so of it."""
    deadline = time.monotonic() + seconds
    while not is_so(found := client.get("api/films").json()[0]):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def is_read(film):
    assert not (film["reading"] and film["reading"]["error"]), film
    return film["shots"]


def sent(client, path, **query):
    answer = client.post(
        "api/films", params={"name": path.name, **query}, content=path.read_bytes()
    )
    assert answer.status_code == 201, answer.text
    return until(client, is_read)


def said(film, *others):
    """What is said of its shots: nothing, unless given."""
    plain = [{"settings": {}, "hints": None} for _ in film["shots"]]
    return [{**one, **other} for one, other in zip(plain, (*others, {}, {}), strict=False)]


def made(client, path, told):
    """The file of something that goes on as a download does."""
    begun = client.post(path, json=told)
    assert begun.status_code == 202, begun.text
    job: dict = {}
    deadline = time.monotonic() + 60
    while not ("file" in job or "error" in job):
        assert time.monotonic() < deadline
        time.sleep(0.02)
        job = client.get(f"api/downloads/{begun.json()['id']}").json()
    assert "error" not in job, job
    return client.get(f"api/results/{job['file']}").content


def test_a_film_is_read_for_its_shots_whose_key_frames_are_photos(client, film):
    found = sent(client, film)
    first, second = found["shots"]
    assert (found["name"], found["width"], found["height"]) == ("old reel.mkv", WIDTH, HEIGHT)
    assert [first["first"], first["count"], second["first"]] == [0, FRAMES, FRAMES]
    assert second["time"] == pytest.approx(FRAMES / 25)
    assert second["seconds"] == pytest.approx(FRAMES / 25)
    assert not first["in_color"]
    photos = {one["id"]: one for one in client.get("api/photos").json()}
    assert {one["of"] for one in photos.values()} == {found["id"]}
    luma, _ = read_film(film)
    for shot in found["shots"]:
        assert shot["first"] <= shot["key"] < shot["first"] + shot["count"]
        whole = {"gray": True, "box": [0, 0, WIDTH, HEIGHT]}
        answer = client.post(f"api/photos/{shot['photo']}/region", json=whole)
        gray = Image.open(io.BytesIO(answer.content))
        true = ((luma[shot["key"]].astype(float) - 16) / 219).clip(0, 1) * 255
        assert np.abs(np.asarray(gray.convert("L"), float) - true).max() <= 1
        colored = client.post(f"api/photos/{shot['photo']}/preview", json={"hints": HINTS})
        assert colored.status_code == 200


def test_the_work_is_that_of_the_command_line_byte_by_byte(
    client, film, model, tmp_path, monkeypatch
):
    found = sent(client, film)
    palette = io.BytesIO()
    Image.fromarray(np.full((20, 20, 3), (150, 60, 40), np.uint8)).save(palette, "PNG")
    query = {"name": "garden.png", "for": "palette"}
    garden = client.post("api/photos", params=query, content=palette.getvalue()).json()["id"]
    shots = said(
        found, {"hints": HINTS}, {"settings": {"vividness": 0.6, "warmth": 0.3, "palette": garden}}
    )
    asked = {"shots": shots, "format": "mp4"}
    assert client.post(f"api/films/{found['id']}/work", json=asked).status_code == 202
    done = until(client, lambda one: one["result"] or one["work"]["error"])
    assert done["result"], done
    result = client.get(f"api/films/{found['id']}/result")
    assert "old%20reel-colored.mp4" in result.headers["content-disposition"]

    packed = made(client, f"api/films/{found['id']}/recipe", {"shots": shots})
    monkeypatch.chdir(tmp_path)
    zipfile.ZipFile(io.BytesIO(packed)).extractall()
    names = sorted(path.name for path in (tmp_path / "old reel-shots").rglob("*.*"))
    assert names == [f"{found['shots'][0]['key']:06d}.png", "garden.png", "shots.json"]
    told = ["--shots", "old reel-shots/shots.json", "--reference", "old reel-shots/references"]
    assert main(["video", str(film), "again.mp4", "--model", str(model), *told]) == 0
    assert (tmp_path / "again.mp4").read_bytes() == result.content


def test_where_nothing_is_said_nothing_is_listed(client, film, model, tmp_path):
    found = sent(client, film)
    client.post(f"api/films/{found['id']}/work", json={"shots": said(found), "format": "mkv"})
    until(client, lambda one: one["result"])
    result = client.get(f"api/films/{found['id']}/result").content
    assert main(["video", str(film), str(tmp_path / "a.mkv"), "--model", str(model)]) == 0
    assert (tmp_path / "a.mkv").read_bytes() == result


def test_a_shot_is_looked_at_in_a_form_that_browsers_play(client, film):
    found = sent(client, film)
    shot = found["shots"][1]
    told = {"id": shot["photo"], "settings": {"vividness": 1.5}, "hints": HINTS}
    content = made(client, f"api/films/{found['id']}/preview", told)
    with av.open(io.BytesIO(content)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.name in ("vp9", "libvpx-vp9")
    assert len(frames) == FRAMES
    luma, _ = read_film(film)
    seen = np.stack(frames).mean(-1)
    assert np.corrcoef(seen.ravel(), luma[shot["first"] :].ravel())[0, 1] > 0.97
    gray = made(client, f"api/films/{found['id']}/preview", {"id": shot["photo"], "keep": True})
    with av.open(io.BytesIO(gray)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.ptp(frame, axis=-1).max() < 6 < np.ptp(frames[0].astype(int), axis=-1).max()
