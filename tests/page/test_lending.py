"""Another version of a photo lends it its colors on the page: as the command line takes them."""

import json
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from colorizer.cli import main
from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.page.reel import ShownShot
from colorizer.page.studio import Studio
from colorizer.page.working_folder import PrivateFolder
from tests.borrowing import folder_with
from tests.page.browsing import click_on, drop, needs_chromium, settled, shown, sync_api
from tests.page.serving import client_of, rendered, served

pytest.importorskip("cv2")
expect = sync_api.expect
ASTRONAUT = data.astronaut()[::2, ::2]


def gray(rgb):
    return np.rint(255 * color.lab2rgb(color.rgb2lab(rgb) * (1, 0, 0))[..., 0]).astype(np.uint8)


def apart(found, rgb):
    return np.median(color.deltaE_ciede2000(color.rgb2lab(found), color.rgb2lab(rgb)))


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "old.png"
    Image.fromarray(gray(ASTRONAUT)).save(path)
    return path


@pytest.fixture
def version(tmp_path):
    path = tmp_path / "by hand.jpg"
    Image.fromarray(ASTRONAUT).resize((200, 200)).save(path, quality=90)
    return path


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "coffee.png"
    Image.fromarray(data.coffee()[::4, ::4]).save(path)
    return path


def test_a_download_is_what_the_command_line_writes(address, model, scan, version, tmp_path):
    with client_of(address) as client:
        photo = client.post("api/photos?name=old.png", content=scan.read_bytes()).json()["id"]
        query = {"name": version.name, "for": "colors_from"}
        lender = client.post("api/photos", params=query, content=version.read_bytes()).json()["id"]
        assert lender not in [one["id"] for one in client.get("api/photos").json()]
        settings = {"colors_from": lender}
        found, _ = rendered(client, [{"id": photo, "settings": settings}], ".png")
        client.delete(f"api/photos/{photo}")
    out = tmp_path / "out.png"
    flags = ["--colors-from", str(version), "--model", str(model), "--threads", "1"]
    assert main(["colorize", str(scan), "-o", str(out), *flags]) == 0
    assert found == out.read_bytes()
    assert apart(np.asarray(Image.open(out)), ASTRONAUT) < 3


@pytest.mark.parametrize("purpose", ["colors_from", "palette"])
def test_what_has_no_colors_is_refused_when_it_comes(address, scan, purpose):
    with client_of(address) as client:
        query = {"name": "gray.png", "for": purpose}
        answer = client.post("api/photos", params=query, content=scan.read_bytes())
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("gray.png has no colors")
        answer = client.post("api/photos?for=nothing", content=scan.read_bytes())
        assert "a photo is for palette or reference or colors_from" in answer.json()["error"]


@pytest.fixture(scope="module")
def albums(tmp_path_factory):
    """Pages whose models take colors of references: of all, and of none."""
    for name, own, none in (("all", -20, -30), ("none", 0, 60)):
        folder_with(tmp_path_factory.getbasetemp() / name, none=none, own=own)
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                served(
                    Colorizer(tmp_path_factory.getbasetemp() / name, threads=1), place, room=2**26
                )
            )
            for name in ("all", "none")
            for place in [tmp_path_factory.mktemp(f"private-{name}")]
        }


@pytest.mark.parametrize("kind", ["all", "none"])
def test_a_reference_is_that_of_the_command_line_and_is_told(
    albums, kind, scan, other, tmp_path, tmp_path_factory, capsys
):
    with client_of(albums[kind]) as client:
        photo = client.post("api/photos?name=old.png", content=scan.read_bytes()).json()["id"]
        query = {"name": other.name, "for": "reference"}
        lender = client.post("api/photos", params=query, content=other.read_bytes()).json()["id"]
        told = {"settings": {"reference": lender}}
        preview = client.post(f"api/photos/{photo}/preview", json=told)
        notes = json.loads(preview.headers["X-Colorizer-Notes"])
        found, _ = rendered(client, [{"id": photo, **told}], ".png")
    out = tmp_path / "out.png"
    model = tmp_path_factory.getbasetemp() / kind
    flags = ["--reference", str(other), "--model", str(model), "--threads", "1"]
    assert main(["colorize", str(scan), "-o", str(out), *flags]) == 0
    assert found == out.read_bytes()
    unlike = "old.png shows nothing like the reference; its colors are those without one"
    assert notes == ([unlike] if kind == "none" else [])
    assert ("nothing like the reference" in capsys.readouterr().err) == (kind == "none")


def test_a_model_that_has_not_learnt_it_says_so(address, other):
    with client_of(address) as client:
        query = {"name": other.name, "for": "reference"}
        answer = client.post("api/photos", params=query, content=other.read_bytes())
        assert client.get("api/about").json()["lends"] == ["palette", "colors_from"]
    assert answer.status_code == 400
    assert "takes no references" in answer.json()["error"]


@needs_chromium
def test_the_others_are_colored_like_the_one_on_the_stage(visited, albums, scan, other, version):
    with visited(albums["all"], "alike") as page:
        expect(page.locator("#alike")).to_be_hidden()
        drop(page, scan, other)
        settled(page)
        page.locator(".thumb button[aria-label='old.png']").click()
        settled(page)
        click_on(page, 0.3, 0.8)
        page.locator("#suggested button").nth(5).click()
        page.keyboard.press("Escape")
        settled(page)
        page.locator("#alike").click()
        expect(page.locator(".message", has_text="take colors of old.png")).to_be_visible()
        expect(page.locator("#reference-file")).to_have_text("none")
        page.locator(".thumb button[aria-label='coffee.png']").click()
        expect(page.locator("#reference-file")).to_have_text("old-colored.jpg")
        settled(page)
        alike = shown(page)
        assert "--reference old-colored.jpg" in page.locator("#command").text_content()
        page.locator("#undo").click()
        settled(page)
        expect(page.locator("#reference-file")).to_have_text("none")
        assert shown(page) != alike


@needs_chromium
def test_that_nothing_is_alike_is_said_once(visited, albums, scan, other):
    with visited(albums["none"], "unlike") as page:
        drop(page, scan)
        settled(page)
        page.locator("#reference").set_input_files(other)
        expect(page.locator("#reference-file")).to_have_text("coffee.png")
        message = page.locator(".message", has_text="old.png shows nothing like the reference")
        expect(message).to_have_count(1)
        message.locator(".icon").click()
        page.locator("#quality").check()
        settled(page)
        expect(message).to_have_count(0)


@needs_chromium
def test_a_version_is_chosen_refused_and_taken_back(wide, scan, version, other):
    drop(wide, scan)
    settled(wide)
    plain = shown(wide)
    wide.locator("#version").set_input_files(other)
    message = wide.locator(".message", has_text="does not show what the photo shows")
    expect(message).to_contain_text("coffee.png")
    expect(wide.locator("#version-file")).to_have_text("none")
    assert shown(wide) == plain

    wide.locator("#version").set_input_files(version)
    expect(wide.locator("#version-file")).to_have_text("by hand.jpg")
    settled(wide)
    taken = shown(wide)
    near = np.reshape(taken, (-1, 4))[:, :3].astype(int)
    wanted = ASTRONAUT[:16, :16].reshape(-1, 3)
    assert (
        np.abs(near - wanted).mean() < 12 < np.abs(near - np.reshape(plain, (-1, 4))[:, :3]).max()
    )
    assert "--colors-from 'by hand.jpg'" in wide.locator("#command").text_content()

    click_on(wide, 0.3, 0.8)  # hints lie on top
    wide.locator("#suggested button").nth(5).click()
    settled(wide)
    wide.keyboard.press("Escape")
    for _ in range(2):
        wide.locator("#undo").click()
    settled(wide)
    expect(wide.locator("#version-file")).to_have_text("none")
    assert shown(wide) == plain
    wide.locator("#redo").click()
    settled(wide)
    assert shown(wide) == taken
    wide.locator("#version-off").click()
    settled(wide)
    assert shown(wide) == plain


@needs_chromium
def test_a_picture_in_color_on_the_photo_is_asked_about(wide, scan, version, other):
    drop(wide, scan)
    settled(wide)
    drop(wide, version, on="#view")
    dialog = wide.locator("#lend")
    expect(dialog).to_contain_text("by hand.jpg is in color. What is it to old.png?")
    wide.locator("#lend-version").click()
    expect(wide.locator("#version-file")).to_have_text("by hand.jpg")
    settled(wide)
    drop(wide, other, on="#view")
    wide.locator("#lend-palette").click()
    expect(wide.locator("#palette-file")).to_have_text("coffee.png")
    expect(wide.locator("#version-file")).to_have_text("by hand.jpg")
    drop(wide, other, on="#view")
    wide.locator("#lend-photo").click()
    expect(wide.locator(".thumb button[aria-label='coffee.png']")).to_be_visible()
    expect(dialog).to_be_hidden()


@needs_chromium
def test_gray_photos_and_several_are_photos_wherever_they_fall(wide, scan, other):
    drop(wide, scan)
    settled(wide)
    drop(wide, scan, on="#view")
    drop(wide, other, other, on="#view")
    expect(wide.locator("#strip .thumb")).to_have_count(4)
    expect(wide.locator("#lend")).to_be_hidden()


@needs_chromium
def test_versions_stay_with_their_photo(wide, scan, version, other):
    drop(wide, scan, other)
    settled(wide)
    wide.locator(".thumb button[aria-label='old.png']").click()
    wide.locator("#version").set_input_files(version)
    expect(wide.locator("#version-file")).to_have_text("by hand.jpg")
    wide.locator("#apply").click()
    wide.locator(".thumb button[aria-label='coffee.png']").click()
    settled(wide)
    expect(wide.locator("#version-file")).to_have_text("none")


def test_a_key_frame_in_other_colors_is_a_reference(model, tmp_path):
    """It needs no hints: what an editor made of one frame is carried through its shot."""
    recipes = pytest.importorskip("colorizer.page.recipe", exc_type=ColorizerError)
    studio = Studio(Colorizer(model, threads=1), PrivateFolder(2**26, tmp_path), 10**7)
    keys = []
    for lends, picture in (("", gray(ASTRONAUT)), ("colors_from", ASTRONAUT)):
        file = studio.folder.place("frame.png")
        Image.fromarray(picture).save(file)
        keys.append(studio.add(file, lends)["id"])
    reel = SimpleNamespace(shots=[ShownShot(0, 24, 0.0, 1.0, 0, False, 12, keys[0])] * 2)
    said = [{"settings": {"colors_from": keys[1]}}, {"settings": {}}]
    found = recipes.write_recipe(tmp_path / "recipe", reel, studio, said)
    (reference,) = found.references.iterdir()
    assert reference.name == "000012.png"
    assert apart(np.asarray(Image.open(reference)), ASTRONAUT) < 2
    assert json.loads(found.shots.read_text())[0].keys().isdisjoint({"colors_from", "hints"})
