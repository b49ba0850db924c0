"""Films on the page's server: read for their shots, looked at, colored as at the command line."""

import io
import json
import sys
import threading
import time
import zipfile

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from PIL import Image  # noqa: E402
from skimage import color, data  # noqa: E402

from colorizer.cli import main  # noqa: E402
from colorizer.film import unfinished  # noqa: E402
from colorizer.film.painter import Painter  # noqa: E402
from colorizer.inference.colorizer import Colorizer  # noqa: E402
from tests.film.films import pan, read_film, write_film  # noqa: E402
from tests.mutated import mutated_json  # noqa: E402
from tests.page.serving import client_of, ended, served  # noqa: E402

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
    job = ended(client, begun.json()["id"])
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
    asked = {"shots": said(found, {}, told), "format": "lossless"}
    client.post(f"api/films/{found['id']}/work", json=asked)
    until(client, lambda one: one["result"])
    work = client.get(f"api/films/{found['id']}/result").content
    with av.open(io.BytesIO(work)) as container:
        true = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    apart = np.abs(np.stack(frames).astype(int) - np.stack(true)[shot["first"] :])
    assert apart.mean() < 6  # what the codec of the one loses
    away = []  # of the key frame, as it stood on the stage with its hint, and without
    for hints in (HINTS, None):
        seen = {"settings": told["settings"], "hints": hints, "box": [0, 0, WIDTH, HEIGHT]}
        answer = client.post(f"api/photos/{shot['photo']}/region", json=seen)
        stage = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
        pair = (color.rgb2lab(one)[..., 1:] for one in (stage, true[shot["key"]]))
        away.append(np.linalg.norm(np.subtract(*pair), axis=-1).mean())
    assert away[0] < 4 < 3 * away[0] < away[1]
    gray = made(client, f"api/films/{found['id']}/preview", {"id": shot["photo"], "keep": True})
    with av.open(io.BytesIO(gray)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.ptp(frame, axis=-1).max() < 6 < np.ptp(frames[0].astype(int), axis=-1).max()


@pytest.fixture
def gate(monkeypatch):
    """Holds the work on films after so many looks of the network, until it is opened."""
    held, seen, looks = threading.Event(), threading.Event(), []
    see = Painter.see

    def look(*given, **named):
        looks.append(None)
        if len(looks) > 6 and not held.is_set():
            seen.set()
            assert held.wait(60)
        return see(*given, **named)

    monkeypatch.setattr(Painter, "see", look)
    monkeypatch.setattr(unfinished, "SEGMENT", 3)
    yield seen, held, looks
    held.set()


def test_a_work_that_was_stopped_goes_on_and_photos_are_drawn_meanwhile(client, film, gate):
    reached, opened, looks = gate
    found = sent(client, film)
    path, asked = f"api/films/{found['id']}/work", {"shots": said(found), "format": "mkv"}
    assert client.post(path, json=asked).status_code == 202
    assert reached.wait(60)
    again = client.post(path, json=asked)
    assert again.status_code == 400
    assert "at work already" in again.json()["error"]
    photo = found["shots"][0]["photo"]
    assert client.post(f"api/photos/{photo}/preview", json={}).status_code == 200
    other = client.post("api/films", params={"name": "b.mkv"}, content=film.read_bytes()).json()
    deadline = time.monotonic() + 60
    while not (second := client.get("api/films").json()[1])["shots"]:  # is read meanwhile
        assert time.monotonic() < deadline
    client.post(f"api/films/{other['id']}/work", json={"shots": said(second), "format": "mkv"})
    told = client.get("api/films").json()
    assert [one["work"]["what"] for one in told] == ["coloring", "waiting"]
    assert client.delete(f"api/films/{other['id']}/work").status_code == 204
    assert client.delete(path).status_code == 204
    opened.set()
    stopped = until(client, lambda one: one["work"] is None)
    assert stopped["unfinished"]
    assert not stopped["result"]
    before = len(looks)
    client.post(path, json=asked)
    until(client, lambda one: one["result"])
    went_on = len(looks) - before
    content = client.get(f"api/films/{found['id']}/result").content
    client.post(path, json=asked)  # from the start
    until(client, lambda one: one["work"] is None)
    assert went_on < len(looks) - before - went_on
    assert client.get(f"api/films/{found['id']}/result").content == content


def test_films_what_is_said_and_what_is_unfinished_outlive_the_page(engine, film, tmp_path, gate):
    reached, opened, looks = gate
    with served(engine, tmp_path, keeps=True) as address, client_of(address) as client:
        found = sent(client, film)
        photo = found["shots"][1]["photo"]
        client.put(f"api/photos/{photo}/state", json={"state": '{"settings": {}}'})
        shots = said(found, {"hints": HINTS})
        client.post(f"api/films/{found['id']}/work", json={"shots": shots, "format": "mkv"})
        assert reached.wait(60)
        client.delete(f"api/films/{found['id']}/work")
        opened.set()
        until(client, lambda one: one["work"] is None)
    with served(engine, tmp_path, keeps=True) as address, client_of(address) as client:
        left = client.get("api/about").json()["left"]
        assert (left["photos"], left["films"]) == (0, 1)
        assert client.post("api/left").json() == {"photos": 0, "lost": []}
        (back,) = client.get("api/films").json()
        assert {**back, "unfinished": None} == {**found, "unfinished": None}
        assert back["unfinished"]
        photos = {one["id"]: one for one in client.get("api/photos").json()}
        assert photos[photo]["state"] == '{"settings": {}}'
        before = len(looks)
        client.post(f"api/films/{found['id']}/work", json={"shots": shots, "format": "mkv"})
        done = until(client, lambda one: one["result"])
        assert done["result"]["notes"] == []  # nothing was thrown away
        went_on = len(looks) - before
        content = client.get(f"api/films/{found['id']}/result").content
    with served(engine, tmp_path, keeps=True) as address, client_of(address) as client:
        client.post("api/left")
        assert client.get(f"api/films/{found['id']}/result").content == content
        before = len(looks)
        client.post(f"api/films/{found['id']}/work", json={"shots": shots, "format": "mkv"})
        until(client, lambda one: one["work"] is None)
        assert went_on < len(looks) - before  # from the start
        assert client.get(f"api/films/{found['id']}/result").content == content


def test_a_film_that_was_removed_can_be_brought_back_and_its_frames_go_with_it(client, film):
    found = sent(client, film)
    photo = found["shots"][0]["photo"]
    refused = client.delete(f"api/photos/{photo}")
    assert refused.status_code == 400
    assert "is a frame of a film" in refused.json()["error"]
    assert client.delete(f"api/films/{found['id']}").status_code == 204
    assert client.get("api/films").json() == []
    assert client.get(f"api/films/{found['id']}/result").status_code == 404
    assert client.post(f"api/films/{found['id']}/restore").status_code == 200
    assert client.get("api/films").json() == [found]


def test_a_film_that_is_brought_back_while_its_reading_stops_is_read_anew(
    client, film, monkeypatch
):
    held, begun, look = threading.Event(), threading.Event(), Painter.lightness

    def lightness(*given):
        begun.set()
        assert held.wait(60)
        return look(*given)

    monkeypatch.setattr(Painter, "lightness", lightness)
    query = {"name": film.name}
    key = client.post("api/films", params=query, content=film.read_bytes()).json()["id"]
    assert begun.wait(60)
    early = client.post(f"api/films/{key}/work", json={"shots": [], "format": "mkv"})
    assert "is still being read" in early.json()["error"]
    client.delete(f"api/films/{key}")
    assert client.post(f"api/films/{key}/restore").json()["reading"]["what"] == "waiting"
    held.set()
    found = until(client, is_read)
    assert len(client.get("api/photos").json()) == len(found["shots"]) == 2


def test_another_frame_stands_for_a_shot_with_all_that_was_said(client, film):
    found = sent(client, film)
    before = found["shots"][1]
    state = {"state": json.dumps({"settings": {"vividness": 0.5}})}
    client.put(f"api/photos/{before['photo']}/state", json=state)
    asked = {"photo": before["photo"], "frame": before["first"] + 1}
    shot = client.post(f"api/films/{found['id']}/frame", json=asked).json()["shots"][1]
    assert shot == {**before, "key": before["first"] + 1, "photo": shot["photo"]}
    photos = {one["id"]: one for one in client.get("api/photos").json()}
    assert photos.keys() == {found["shots"][0]["photo"], shot["photo"]}
    assert photos[shot["photo"]]["state"] == state["state"]
    whole = {"gray": True, "box": [0, 0, WIDTH, HEIGHT]}
    answer = client.post(f"api/photos/{shot['photo']}/region", json=whole)
    gray = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"), float)
    true = ((read_film(film)[0][shot["key"]].astype(float) - 16) / 219).clip(0, 1) * 255
    assert np.abs(gray - true).max() <= 1
    for frame in (before["first"] - 1, 10**9, "3", None):
        asked = {"photo": shot["photo"], "frame": frame}
        refused = client.post(f"api/films/{found['id']}/frame", json=asked)
        assert "the shot has 12 to 23" in refused.json()["error"]


WRONG = (
    ("work", {"shots": [], "format": "mkv"}, "0 shots are told of, and the film has 2"),
    ("work", {"shots": 3, "format": "mkv"}, "is a list of its shots"),
    ("work", {"shots": [{}, {}], "format": "gif"}, "accepted are mkv, mp4, mov, webm, loss"),
    ("work", {"shots": [{"settings": {"vividness": 9}}, {}], "format": "mkv"}, "vividness"),
    ("work", {"shots": [{"keep": 1}, {}], "format": "mkv"}, "accepted are true and false"),
    ("recipe", {"shots": [{"settings": {"result": "pair"}}, {}]}, "a shot has no `result`"),
    ("preview", {"id": "?"}, "this shot is no longer here"),
)


def test_what_a_film_cannot_be_told_is_refused_at_once(client, film):
    found = sent(client, film)
    for path, told, sentence in WRONG:
        answer = client.post(f"api/films/{found['id']}/{path}", json=told)
        assert answer.status_code in (400, 404), told
        assert sentence in answer.json()["error"]
    assert client.get("api/films").json()[0]["work"] is None


def test_what_is_no_film_is_refused_by_its_name_and_leaves_nothing(engine, tmp_path):
    with served(engine, tmp_path) as address, client_of(address) as client:
        answer = client.post("api/films", params={"name": "a.mkv"}, content=b"no film at all")
        assert answer.status_code == 400
        told = answer.json()["error"]
        assert told.startswith("a.mkv cannot be read as a film: ")
        assert str(tmp_path) not in told
        assert client.get("api/films").json() == []
        assert not list(tmp_path.rglob("*.mkv"))


def test_interlaced_films_are_taken_as_they_are_told_to_be(client, tmp_path):
    path = tmp_path / "fields.mkv"
    options = {"flags": "+ilme+ildct", "x264-params": "interlaced=1:tff=1"}
    write_film(path, pan(6, 0, WIDTH, HEIGHT), codec="libx264", options=options)
    answer = client.post("api/films", params={"name": path.name}, content=path.read_bytes())
    assert "interlaced: add --deinterlace; or --progressive" in answer.json()["error"]
    found = sent(client, path, fields="progressive")
    assert found["fields"] == "progressive"
    client.post(f"api/films/{found['id']}/work", json={"shots": said(found), "format": "mkv"})
    assert until(client, lambda one: one["result"] or one["work"]["error"])["result"]


def test_without_the_extra_there_is_one_sentence(client, film, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    films = client.get("api/about").json()["films"]
    assert films["why_none"].startswith("this needs the video extra (av is missing): ")
    answer = client.post("api/films", params={"name": "a.mkv"}, content=film.read_bytes())
    assert answer.json() == {"error": films["why_none"]}
    assert client.get("api/films").json() == []


def test_files_that_need_not_change_stay_as_they_are(client, film, tmp_path):
    """Else a work that goes on would begin anew."""
    found = sent(client, film)
    shots = said(found, {"hints": HINTS})
    stamps = []
    for vividness in (1, 1, 0.5):
        shots[1]["settings"] = {"vividness": vividness}
        asked = {"shots": shots, "format": "mkv"}
        client.post(f"api/films/{found['id']}/work", json=asked)
        until(client, lambda one: one["work"] is None and one["result"])
        (listed,), (reference,) = tmp_path.rglob("shots.json"), tmp_path.rglob("references/*.png")
        stamps.append([one.stat().st_mtime_ns for one in (listed, reference)])
    assert stamps[0] == stamps[1]
    assert stamps[1][0] < stamps[2][0]
    assert stamps[1][1] == stamps[2][1]
    assert json.loads(listed.read_text())[1] == {"frame": FRAMES, "vividness": 0.5}


def test_shots_in_color_are_left_as_they_are(client, tmp_path):
    colored = np.ascontiguousarray(data.astronaut()[::7, ::5][:HEIGHT, :WIDTH])
    path = tmp_path / "half.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(16):
            gray = np.stack([pan(8, 1, WIDTH, HEIGHT)[number % 8]] * 3, -1)
            frame = av.VideoFrame.from_ndarray(gray if number < 8 else colored, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = sent(client, path)
    assert [one["in_color"] for one in found["shots"]] == [False, True]
    for shot, spread in zip(found["shots"], (0, 40), strict=True):
        own = Image.open(io.BytesIO(client.get(f"api/photos/{shot['photo']}/own").content))
        pixels = np.asarray(own.convert("RGB"), int)
        assert abs(np.ptp(pixels, axis=-1).mean() - spread) < 25
    asked = {"shots": said(found, {}, {"keep": True}), "format": "lossless"}
    client.post(f"api/films/{found['id']}/work", json=asked)
    until(client, lambda one: one["result"])
    result = client.get(f"api/films/{found['id']}/result").content
    with av.open(io.BytesIO(result)) as one, av.open(path) as other:
        pairs = zip(one.decode(video=0), other.decode(video=0), strict=True)
        same = [np.array_equal(a.to_ndarray(), b.to_ndarray()) for a, b in pairs]
    assert same == [False] * 8 + [True] * 8


def test_titles_are_known_and_colored_only_if_that_is_said(client, tmp_path):
    title = np.full((HEIGHT, WIDTH), 20, np.uint8)
    for left in range(12, 84, 8):
        title[28:44, left : left + 2] = 230
    frames = np.concatenate([pan(6, 1, WIDTH, HEIGHT), np.stack([title] * 6)])
    path = write_film(tmp_path / "titled.mkv", frames, codec="libx264")
    found = sent(client, path)
    assert [one["title"] for one in found["shots"]] == [False, True]
    for keep, spread in ((True, 0), (None, 2)):
        asked = {"shots": said(found, {}, {"keep": keep}), "format": "lossless"}
        client.post(f"api/films/{found['id']}/work", json=asked)
        until(client, lambda one: one["result"] and not one["work"])
        result = client.get(f"api/films/{found['id']}/result").content
        with av.open(io.BytesIO(result)) as container:
            last = list(container.decode(video=0))[-1].to_ndarray(format="rgb24")
        assert (np.ptp(last.astype(int), axis=-1).max() > 2 * spread) == bool(spread)
        (listed,) = tmp_path.rglob("shots.json")
        option = {"keep": True} if keep else {"vividness": 1.0}
        assert json.loads(listed.read_text())[1] == {"frame": 6, **option}


def test_what_comes_out_gray_is_no_reference_but_gray(client, film, tmp_path):
    found = sent(client, film)
    gray = {"version": 1, "hints": [{"region": [[0, 0], [1, 0], [1, 1], [0, 1]], "keep": "gray"}]}
    shots = said(found, {"hints": gray})
    asked = {"shots": shots, "format": "mkv"}
    assert client.post(f"api/films/{found['id']}/work", json=asked).status_code == 202
    done = until(client, lambda one: one["result"] or one["work"]["error"])
    assert done["result"], done
    (listed,) = tmp_path.rglob("shots.json")
    assert json.loads(listed.read_text())[0] == {"frame": 0, "vividness": 0}


def test_mutated_words_on_films_are_taken_or_refused(client, film, capfd):
    found = sent(client, film)
    one = {"settings": {"vividness": 0.5, "palette": "?"}, "hints": HINTS, "keep": None}
    bodies = {
        "work": {"shots": [one, {"keep": True}], "format": "mkv"},
        "recipe": {"shots": [one, {}]},
        "preview": {"id": found["shots"][0]["photo"], **one},
    }
    statuses = set()
    for number in range(90):
        rng = np.random.default_rng([3, number])
        path = list(bodies)[number % 3]
        content = mutated_json(bodies[path], rng, ("keep", "id", "format", "shots", "result"))
        answer = client.post(f"api/films/{found['id']}/{path}", content=content)
        statuses.add(answer.status_code)
        assert answer.status_code in (202, 400, 404, 503), (content, answer.text)
        if answer.status_code == 202 and path == "work":
            client.delete(f"api/films/{found['id']}/work")
            until(client, lambda film: not film["work"] or film["work"]["error"])
        elif answer.status_code == 202:
            client.delete(f"api/downloads/{answer.json()['id']}")
    assert "Traceback" not in "".join(capfd.readouterr())
    assert len(statuses) > 1
