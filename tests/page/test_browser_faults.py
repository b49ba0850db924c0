"""What once went wrong on the page: other photos' alternatives, lost redo, jumping stages."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorizer.color import lab
from colorizer.page.serve import _opener
from tests.page.browsing import (
    CAMERA,
    click_on,
    drop,
    needs_chromium,
    ready,
    saved,
    settled,
    sync_api,
)
from tests.page.serving import TOKEN, client_of, served

pytestmark = needs_chromium
expect = sync_api.expect


@pytest.fixture
def others(tmp_path):
    """Photos of several shapes, named 0.png and so on."""
    paths = []
    for number, width in enumerate((100, 140, 180, 220, 256)):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(CAMERA[:, :width]).save(paths[-1])
    return paths


def thumb(page, name):
    return page.locator(f".thumb button[aria-label='{name}']")


def alternatives(page) -> list:
    """Width to height of the six pictures."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#variants button")].map(({ firstChild }) =>
            firstChild && Math.round(100 * firstChild.naturalWidth / firstChild.naturalHeight))"""
    )


def test_alternatives_are_those_of_the_photo_on_the_stage(wide, others):
    drop(wide, others[0], others[4])
    for name, shape in (("0.png", 100 / 256), ("4.png", 1), ("0.png", 100 / 256), ("4.png", 1)):
        thumb(wide, name).click()
        found = alternatives(wide)  # at once: none, or this photo's
        assert all(one is None or abs(one - 100 * shape) < 4 for one in found), found
        expect(wide.locator("#variants img")).to_have_count(6, timeout=20000)
        wide.wait_for_timeout(50)
        assert all(abs(one - 100 * shape) < 4 for one in alternatives(wide))


def test_undo_takes_the_hint_back_that_said_nothing_and_nothing_else(wide, scan):
    drop(wide, scan)
    settled(wide)
    click_on(wide, 0.4, 0.4)
    expect(wide.locator("#picker")).to_be_visible()
    wide.keyboard.press("Control+z")
    expect(wide.locator(".mark")).to_have_count(0)
    assert wide.locator("#redo").is_disabled()
    for x in (0.2, 0.6):
        click_on(wide, x, 0.3)
        wide.locator("#suggested button").nth(1).click()
        wide.keyboard.press("Escape")
    click_on(wide, 0.4, 0.6)
    expect(wide.locator(".mark")).to_have_count(3)
    expect(wide.locator("#suggested button").first).to_be_visible()
    wide.keyboard.press("Control+z")
    expect(wide.locator(".mark")).to_have_count(2)
    wide.keyboard.press("Control+z")
    expect(wide.locator(".mark")).to_have_count(1)
    wide.keyboard.press("Control+y")
    expect(wide.locator(".mark")).to_have_count(2)


def test_redo_outlives_a_hint_that_said_nothing(wide, scan):
    drop(wide, scan)
    settled(wide)
    click_on(wide, 0.4, 0.4)
    wide.locator("#suggested button").nth(1).click()
    wide.keyboard.press("Escape")
    wide.keyboard.press("Control+z")
    click_on(wide, 0.7, 0.7)
    expect(wide.locator("#picker")).to_be_visible()
    wide.keyboard.press("Escape")
    expect(wide.locator("#redo")).to_be_enabled()
    wide.keyboard.press("Control+y")
    expect(wide.locator(".mark")).to_have_count(1)


def test_photos_arrive_two_at_a_time_and_leave_the_stage_alone(wide, scan, others):
    drop(wide, scan)
    settled(wide)
    click_on(wide, 0.4, 0.4)
    expect(wide.locator("#suggested button").first).to_be_visible()
    under, most = set(), []

    def is_upload(request) -> bool:
        return request.method == "POST" and "api/photos?" in request.url

    def begin(request):
        if is_upload(request):
            under.add(request)
            most.append(len(under))

    wide.on("request", begin)
    wide.on("requestfinished", lambda request: under.discard(request))
    drop(wide, *others)
    expect(wide.locator("#progress")).to_contain_text("of 5")
    expect(wide.locator(".thumb")).to_have_count(6, timeout=30000)
    assert max(most) == 2
    expect(wide.locator("#picker")).to_be_visible()
    expect(wide.locator(".mark")).to_have_count(1)
    assert wide.locator("#notes").inner_text().startswith("scan.tif")
    names = wide.locator(".thumb > button:first-child").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    assert names == ["scan.tif", "0.png", "1.png", "2.png", "3.png", "4.png"]
    expect(wide.locator(".thumb img:not([hidden])")).to_have_count(6, timeout=30000)  # in color


def middle(page) -> list:
    """The place of the photo in the middle of the view, and its size on the screen."""
    view, paper = (page.locator(one).bounding_box() for one in ("#view", "#paper"))
    return [
        (view["x"] + view["width"] / 2 - paper["x"]) / paper["width"],
        (view["y"] + view["height"] / 2 - paper["y"]) / paper["height"],
        paper["width"],
    ]


def test_zoom_and_place_outlive_a_resize_and_another_photo(wide, scan, others):
    drop(wide, scan)
    settled(wide)
    view = wide.locator("#view").bounding_box()
    wide.mouse.move(view["x"] + view["width"] * 0.6, view["y"] + view["height"] * 0.6)
    wide.mouse.wheel(0, -500)
    wide.wait_for_timeout(100)
    before = middle(wide)
    wide.set_viewport_size({"width": 1270, "height": 760})
    wide.wait_for_timeout(100)
    assert middle(wide) == pytest.approx(before, rel=0.01)
    drop(wide, others[0])
    expect(wide.locator(".thumb")).to_have_count(2)
    assert middle(wide) == pytest.approx(before, rel=0.01)
    wide.keyboard.press("0")
    wide.set_viewport_size({"width": 900, "height": 800})  # what was fitted in stays so
    wide.wait_for_timeout(100)
    assert middle(wide)[:2] == pytest.approx([0.5, 0.5], abs=0.01)


def test_a_palette_that_went_is_sent_again_and_the_photo_is_not(wide, scan, address, tmp_path):
    drop(wide, scan)
    settled(wide)
    Image.fromarray(data.astronaut()[::8, ::8]).save(tmp_path / "colors.png")
    wide.locator("#palette").set_input_files(tmp_path / "colors.png")
    expect(wide.locator("#palette-file")).to_have_text("colors.png")
    settled(wide)
    expect(wide.locator("#variants img")).to_have_count(6, timeout=20000)
    known = "import('/static/stage.js').then(({ lenders }) => [...lenders.keys()])"
    (palette,) = wide.evaluate(known)
    with client_of(address) as client:
        client.delete(f"api/photos/{palette}")
    sent = []
    wide.on(
        "request", lambda one: one.method == "POST" and "photos?" in one.url and sent.append(one)
    )
    wide.locator("#vividness").fill("0.7")
    settled(wide)
    assert [("for=palette" in one.url) for one in sent] == [True]
    expect(wide.locator(".message")).to_have_count(0)


def test_apply_to_all_can_be_undone_and_is_not_undone_by_redo(wide, scan, others):
    drop(wide, scan, others[0])
    expect(wide.locator(".thumb")).to_have_count(2)
    thumb(wide, "0.png").click()
    wide.locator("#vividness").fill("0.2")
    settled(wide)
    wide.keyboard.press("Control+z")
    thumb(wide, "scan.tif").click()
    wide.locator("#vividness").fill("0.5")
    wide.locator("#apply").click()
    thumb(wide, "0.png").click()
    sync_api.expect(wide.locator("#vividness")).to_have_value("0.5")
    assert wide.locator("#redo").is_disabled()
    wide.locator("#undo").click()
    sync_api.expect(wide.locator("#vividness")).to_have_value("1")


def test_a_zip_is_asked_for_at_once_each_photo_in_its_own_format(wide, scan, others):
    drop(wide, scan, others[0])
    expect(wide.locator(".thumb")).to_have_count(2)
    settled(wide)
    asked = []
    wide.on("request", lambda request: asked.append(request))
    assert saved(wide, "#download-all")[:2] == b"PK"
    assert not [one for one in asked if one.url.endswith("/gray")]
    (begun,) = [one for one in asked if one.method == "POST" and "downloads" in one.url]
    formats = [photo["format"] for photo in json.loads(begun.post_data)["photos"]]
    assert formats == [".tif", ".png"]


def test_the_phone_held_sideways_shows_the_photo(sideways, scan):
    sideways.locator("#files").set_input_files(scan)
    settled(sideways)
    assert sideways.locator("#paper").bounding_box()["height"] > 280
    for one in ("#undo", "#percent", "[data-tool=move]"):
        box = sideways.locator(one).bounding_box()
        assert box["y"] + box["height"] <= 390
        assert min(box["width"], box["height"]) >= 44
    click_on(sideways, 0.3, 0.3)
    box = sideways.locator("#picker").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 390


def test_the_file_that_opens_the_page_leads_to_it(browser, address, tmp_path):
    """From a file, a browser follows with no cookie of the strict kind but for this detour."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(_opener(f"{address}{TOKEN}/", tmp_path))
    page.wait_for_url(address)
    ready(page)
    page.reload()
    ready(page)
    (cookie,) = context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""
    context.close()
    stranger = browser.new_context().new_page()
    assert stranger.goto(address).status == 403
    assert "open the address that" in stranger.inner_text("body")
    stranger.context.close()


def test_a_server_that_died_is_said_once_with_what_to_do(browser, model, scan, tmp_path_factory):
    from colorizer.inference.colorizer import Colorizer

    page = browser.new_page()
    with served(Colorizer(model), tmp_path_factory.mktemp("other")) as address:
        page.goto(f"{address}{TOKEN}/")
        ready(page)
        drop(page, scan)
        settled(page)
        click_on(page, 0.4, 0.4)
        page.locator("#suggested button").nth(1).click()
        page.keyboard.press("Escape")
        settled(page)
    for value in ("0.3", "0.4", "0.5"):
        page.locator("#vividness").fill(value)
        settled(page)
    expect(page.locator(".message")).to_have_count(1)
    expect(page.locator(".message")).to_contain_text("does not answer. Save your hints")
    hints = json.loads(saved(page, ".message .button"))
    assert len(hints["hints"]) == 1
    page.close()


def test_where_photos_stay_is_said_on_a_phone_too(narrow):
    told = narrow.locator(".invite .local")
    expect(told).to_be_visible()
    expect(told).to_have_text("Photos stay on this machine.")
    expect(narrow.locator("#drop-title")).to_contain_text("Choose a photo")


def test_the_colors_of_the_page_are_those_of_the_engine(wide):
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (300, 3))
    told = ["#{:02x}{:02x}{:02x}".format(*color) for color in colors]
    told += ["#000000", "#ffffff", "#010101", "#0a0a0a", "#0000ff"]
    found = wide.evaluate(
        """async (told) => {
            const color = await import("/static/color.js");
            return told.map((one) => {
                const values = color.lab(one);
                const light = color.linear(...values);
                return [values, light, color.hex(light), color.at(values[0], one)];
            });
        }""",
        told,
    )
    rgb = np.array([[int(one[i : i + 2], 16) for i in (1, 3, 5)] for one in told]) / 255
    light = lab.srgb_to_light(rgb)
    expected = lab.light_to_lab(light, lab.RGB_WHITE)
    assert np.abs(np.array([one[0] for one in found]) - expected).max() < 1e-6
    assert np.abs(np.array([one[1] for one in found]) - light).max() < 2e-4
    assert [one[2] for one in found] == told
    assert [one[3] for one in found] == told  # at its own lightness a color is what it is
    assert wide.evaluate(
        """async () => {
            const color = await import("/static/color.js");
            return color.lab(color.at(90, "#0000ff"))[0];
        }"""
    ) == pytest.approx(90, abs=0.6)
