"""A day's work on the page: looked at closely, interrupted, brought back, corrected."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from colorizer.cli import main
from tests.page.browsing import (
    click_on,
    drop,
    kept,
    needs_chromium,
    ready,
    saved,
    settled,
    sync_api,
    until,
    violations,
)

pytestmark = needs_chromium
expect = sync_api.expect


@pytest.fixture
def large(tmp_path):
    """A scan of more pixels than the preview has, with detail of one pixel."""
    rng = np.random.default_rng(0)
    rough = np.kron(rng.integers(40, 200, (15, 20)), np.ones((150, 160)))
    path = tmp_path / "large.png"
    noisy = rough + rng.normal(0, 12, rough.shape)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)  # 3,200 x 2,250
    return path


def hint(page, x, y, color=1):
    click_on(page, x, y)
    page.locator("#suggested button").nth(color).click()
    page.keyboard.press("Escape")
    settled(page)


def own(page, selector="#own"):
    """The file's own pixels that are shown: where they begin, and themselves."""
    expect(page.locator(selector)).to_be_visible(timeout=10000)
    last = None
    while last != (last := page.locator(selector).get_attribute("data-wanted")):
        page.wait_for_timeout(600)
    told = page.locator(selector).evaluate(
        """async (image) => {
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            return [JSON.parse(image.dataset.wanted)[1], canvas.toDataURL(),
                    image.getBoundingClientRect().toJSON()];
        }"""
    )
    data = base64.b64decode(told[1].partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return told[0]["box"], told[0]["shrink"], pixels, told[2]


def test_at_100_percent_one_sees_what_one_downloads(wide, large):
    drop(wide, large)
    settled(wide)
    hint(wide, 0.5, 0.5, 3)
    expect(wide.locator("#own")).to_be_hidden()
    wide.locator("#view").focus()
    wide.keyboard.press("1")
    expect(wide.locator("#percent")).to_have_text("100 %")
    (left, top, width, height), shrink, pixels, box = own(wide)
    assert shrink == 1
    view = wide.locator("#view").bounding_box()
    assert abs(width - view["width"]) < 3
    assert abs(box["width"] - width) < 1  # a pixel of the file is one of the screen
    colored = Image.open(io.BytesIO(saved(wide, "#download"))).convert("RGB")
    expected = np.asarray(colored)[top : top + height, left : left + width]
    assert np.array_equal(pixels, expected)
    wide.keyboard.press("+")
    wide.keyboard.press("+")
    expect(wide.locator("#percent")).to_have_text("196 %")
    asked = "JSON.parse(document.getElementById('own').dataset.wanted)[1].box[2]"
    until(wide, f"{asked} < {width}")
    closer = own(wide)
    assert closer[0][2] < width
    wide.locator("#vividness").fill("0")  # the colors that are seen are the new ones
    settled(wide)
    until(wide, "document.getElementById('own').dataset.told.includes('vividness\":0')")
    paler = own(wide)
    assert paler[0] == closer[0]
    assert np.ptp(paler[2], -1).mean() < 0.8 * np.ptp(closer[2], -1).mean()
    wide.keyboard.press("0")
    expect(wide.locator("#own")).to_be_hidden()
    wide.locator("#percent").click()
    expect(wide.locator("#percent")).to_have_text("100 %")


def test_without_color_the_own_pixels_are_compared(wide, large):
    drop(wide, large)
    settled(wide)
    wide.keyboard.press("1")
    own(wide)
    wide.locator("#view").focus()
    wide.keyboard.down("o")
    assert np.ptp(own(wide, "#own-gray")[2], -1).max() == 0
    expect(wide.locator("#divider")).to_be_hidden()
    wide.keyboard.up("o")
    expect(wide.locator("#divider")).to_be_visible()
    box = wide.locator("#view").bounding_box()
    wide.mouse.move(box["x"] + 300, box["y"] + 300)
    wide.mouse.down()
    expect(wide.locator("#view[data-held]")).to_be_attached()
    wide.mouse.up()
    expect(wide.locator("#view[data-held]")).to_have_count(0)
    expect(wide.locator("#picker")).to_be_hidden()  # it was no click


def test_everything_comes_back_after_a_reload_and_in_another_tab(wide, scan, large):
    drop(wide, scan, large)
    expect(wide.locator(".thumb")).to_have_count(2, timeout=20000)
    settled(wide)
    hint(wide, 0.4, 0.4)
    wide.locator("#vividness").fill("1.3")
    wide.locator("#format").select_option(".png")
    settled(wide)
    kept(wide)
    wide.reload()
    ready(wide)
    settled(wide)
    expect(wide.locator(".thumb")).to_have_count(2)
    expect(wide.locator(".mark")).to_have_count(1)
    sync_api.expect(wide.locator("#vividness")).to_have_value("1.3")
    sync_api.expect(wide.locator("#format")).to_have_value(".png")
    wide.keyboard.press("Control+z")
    sync_api.expect(wide.locator("#vividness")).to_have_value("1")
    settled(wide)
    kept(wide)
    other = wide.context.new_page()
    other.goto(wide.url)
    ready(other)
    settled(other)
    expect(other.locator(".mark")).to_have_count(1)
    sync_api.expect(other.locator("#vividness")).to_have_value("1")
    other.keyboard.press("Control+y")
    sync_api.expect(other.locator("#vividness")).to_have_value("1.3")
    kept(other)
    wide.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # back in the first
    expect(wide.locator("output[for=vividness]")).to_have_text("130 %")


def test_what_was_just_said_is_kept_when_the_page_is_left_at_once(wide, scan):
    drop(wide, scan)
    settled(wide)
    wide.on("dialog", lambda dialog: dialog.accept())
    wide.locator("#vividness").fill("0.4")
    wide.goto("about:blank")
    wide.go_back()
    ready(wide)
    settled(wide)
    sync_api.expect(wide.locator("#vividness")).to_have_value("0.4")


def test_leaving_while_photos_are_sent_is_asked_about(wide, scan):
    asked = []

    def dismiss(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    held = []
    wide.route("**/api/photos?*", lambda route: held.append(route))  # it never gets there
    wide.on("dialog", dismiss)
    wide.locator("#files").set_input_files(scan)
    wide.wait_for_timeout(200)
    wide.mouse.click(5, 300)
    wide.close(run_before_unload=True)
    wide.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    held[0].abort()
    expect(wide.locator(".message")).to_contain_text("does not answer")


def test_a_removed_photo_is_brought_back_with_all_that_was_said(wide, scan, large):
    drop(wide, scan, large)
    expect(wide.locator(".thumb")).to_have_count(2, timeout=20000)
    settled(wide)
    hint(wide, 0.4, 0.4)
    wide.locator("[aria-label='Remove scan.tif']").click()
    expect(wide.locator("#strip")).to_be_hidden()
    expect(wide.locator(".mark")).to_have_count(0)
    wide.locator(".message .button").click()
    expect(wide.locator(".thumb")).to_have_count(2)
    expect(wide.locator(".mark")).to_have_count(1)
    settled(wide)
    wide.locator("#remove-photo").click()
    wide.locator("#remove-photo").click()  # the last one too
    expect(wide.locator("#drop")).to_be_visible()
    expect(wide.locator(".message .button")).to_have_count(2)  # the server has done both
    wide.locator(".message .button").last.click()
    expect(wide.locator("#stage")).to_be_visible()
    settled(wide)  # or a photo that is sent again comes in the next test


HINTS = {
    "version": 1,
    "hints": [
        {"at": [0.3, 0.4], "color": "#9C3B34"},
        {"stroke": [[0.5, 0.5], [0.7, 0.7]], "color": "#334466"},
        {"region": [[0, 0], [0.2, 0], [0.2, 0.2]], "keep": "gray"},
    ],
}


def test_hints_of_a_file_belong_to_its_photo(wide, scan, large, tmp_path):
    (tmp_path / "scan-hints.json").write_text(json.dumps(HINTS))
    (tmp_path / "more.json").write_text(json.dumps(HINTS["hints"][:1]))
    (tmp_path / "wrong.json").write_text('{"version": 1, "hints": [{"at": [3, 3]}]}')
    drop(wide, tmp_path / "scan-hints.json", large, scan)  # both together find each other
    expect(wide.locator(".message.note")).to_contain_text("3 hints for scan.tif")
    settled(wide)
    wide.locator(".thumb button[aria-label='large.png']").click()
    expect(wide.locator(".mark")).to_have_count(0)
    wide.locator(".thumb button[aria-label='scan.tif']").click()
    expect(wide.locator(".mark")).to_have_count(2)
    settled(wide)
    wide.locator("#again summary").click()
    kept = json.loads(saved(wide, "#save-hints"))
    assert kept["hints"][2] == HINTS["hints"][2]
    assert kept["hints"][0] == {"at": [0.3, 0.4], "color": "#9c3b34"}
    drop(wide, tmp_path / "more.json")  # of no photo's name: of the one on the stage
    expect(wide.locator(".mark")).to_have_count(1)
    wide.keyboard.press("Control+z")
    expect(wide.locator(".mark")).to_have_count(2)
    drop(wide, tmp_path / "wrong.json")
    expect(wide.locator(".message:not(.note)")).to_contain_text("wrong.json is no file of hints")
    expect(wide.locator(".mark")).to_have_count(2)


def test_a_color_that_is_right_is_kept_as_it_is(wide, scan):
    drop(wide, scan)
    settled(wide)
    click_on(wide, 0.4, 0.4)
    wide.locator("#as-it-is").click()
    expect(wide.locator("#picker")).to_be_hidden()
    expect(wide.locator(".mark")).to_have_count(1)
    expect(wide.locator(".mark")).to_be_focused()
    settled(wide)
    wide.locator(".mark").press("Enter")
    expect(wide.locator("#picker")).to_be_visible()
    expect(wide.locator("#as-it-is")).to_be_hidden()


def test_a_next_hint_takes_one_click(wide, scan):
    drop(wide, scan)
    settled(wide)
    click_on(wide, 0.1, 0.4)
    wide.locator("#suggested button").nth(1).click()
    click_on(wide, 0.1, 0.8)
    expect(wide.locator(".mark")).to_have_count(2)
    expect(wide.locator("#picker")).to_be_visible()


def test_keys_focus_tools_and_marks(wide, scan):
    drop(wide, scan)
    settled(wide)
    expect(wide.locator("#view")).to_be_focused()
    wide.keyboard.press("?")
    expect(wide.locator("#keys")).to_be_visible()
    wide.keyboard.press("Escape")
    expect(wide.locator("#keys")).to_be_hidden()
    hint(wide, 0.4, 0.4)
    expect(wide.locator(".mark")).to_be_focused()
    click_on(wide, 0.7, 0.7)
    expect(wide.locator("#suggested button").first).to_be_focused()
    wide.keyboard.press("Escape")
    expect(wide.locator("#view")).to_be_focused()
    wide.keyboard.press("h")
    expect(wide.locator(".mark")).to_be_hidden()
    expect(wide.locator("#bare")).to_have_attribute("aria-pressed", "true")
    wide.locator("#bare").click()
    expect(wide.locator(".mark")).to_be_visible()
    wide.locator("[data-tool=point]").last.focus()
    wide.keyboard.press("ArrowRight")
    expect(wide.locator(".tools [data-tool=stroke]")).to_be_focused()
    expect(wide.locator(".tools [data-tool=stroke]")).to_have_attribute("aria-checked", "true")
    stops = wide.locator(".tools [data-tool]").evaluate_all("all => all.map((one) => one.tabIndex)")
    assert sorted(stops) == [-1, -1, -1, -1, 0]


def test_marks_are_large_enough_to_touch(narrow, scan):
    narrow.locator("#files").set_input_files(scan)
    settled(narrow)
    hint(narrow, 0.5, 0.5)
    box = narrow.locator(".mark").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for dx, dy in ((21, 0), (-21, 0), (0, 21), (0, -21)):
        at = narrow.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).className", [x + dx, y + dy]
        )
        assert at == "mark"


def test_a_download_shows_how_far_it_is_and_ends_when_told(wide, tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (5000, 6000), np.uint8)).save(tmp_path / "huge.png")
    wide.locator("#files").set_input_files(tmp_path / "huge.png")
    settled(wide)
    wide.locator("#format").select_option(".tif")
    fetched = []
    wide.on("download", lambda one: fetched.append(one))
    wide.locator("#download").click()
    expect(wide.locator("#progress progress[value]")).to_be_visible(timeout=20000)
    wide.locator("#cancel").click()
    expect(wide.locator("#progress")).to_be_hidden(timeout=20000)
    assert fetched == []
    expect(wide.locator(".message")).to_have_count(0)


def test_of_a_damaged_photo_the_rest_can_be_taken(wide, tmp_path, model, monkeypatch):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (256, 256), np.uint8)).save(tmp_path / "torn.jpg")
    content = (tmp_path / "torn.jpg").read_bytes()
    (tmp_path / "torn.jpg").write_bytes(content[: len(content) // 2])
    drop(wide, tmp_path / "torn.jpg")
    expect(wide.locator(".message")).to_contain_text("what can be read of it can be colored")
    wide.locator(".message .button").click()
    settled(wide)
    assert "--salvage" in wide.locator("#command").text_content()
    found = saved(wide, "#download")
    words = wide.locator("#command").text_content().split()
    monkeypatch.chdir(tmp_path)
    words[words.index("--model") + 1] = str(model)
    assert main(words[1:]) == 0
    assert found == (tmp_path / "torn-colored.jpg").read_bytes()


def test_the_axe_finds_nothing(page, scan):
    page.locator("#files").set_input_files([scan, scan])
    expect(page.locator(".thumb img[src]")).to_have_count(2, timeout=30000)
    settled(page)
    page.locator("#whole summary").click()
    page.evaluate("scrollTo(0, 0)")
    hint(page, 0.4, 0.4)
    click_on(page, 0.7, 0.7)
    expect(page.locator("#suggested button").first).to_be_visible()
    assert violations(page) == []  # with colors to choose from
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    for place in ((0.2, 0.2), (0.5, 0.2), (0.4, 0.5), (0.2, 0.2)):
        click_on(page, *place)
    expect(page.locator("#region")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.locator(".cell")).to_have_count(2)
    assert violations(page) == []
