"""How far, only in here, which color: what a restorer says beside a click."""

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
    saved,
    settled,
    shown,
    sync_api,
)

pytestmark = needs_chromium
expect = sync_api.expect


def draw(page, *places, steps=3):
    """One drag through places of the photo."""
    box = page.locator("#paper").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()


def told(page):
    """The hints of the scan, as the server keeps them (its photos stand as they arrived)."""
    kept(page)
    photos = page.evaluate("fetch('api/photos').then((answer) => answer.json())")
    state = next(json.loads(one["state"]) for one in photos if one["name"] == "scan.tif")
    return [*state["hints"], *state["regions"]]


def test_regions_are_drawn_changed_moved_and_taken_back(wide, scan):
    drop(wide, scan)
    settled(wide)
    wide.keyboard.press("l")
    draw(wide, (0.2, 0.2), (0.5, 0.2), (0.5, 0.5), (0.2, 0.5), (0.2, 0.22))
    expect(wide.locator("#region")).to_be_visible()
    expect(wide.locator("#keep-apart")).to_be_focused()
    expect(wide.locator("#keep-apart")).to_be_checked()
    wide.locator("#keep-gray").check()
    settled(wide)
    gray = shown(wide)
    wide.keyboard.press("Escape")
    expect(wide.locator(".area")).to_be_focused()
    assert "kept gray" in wide.locator(".area").get_attribute("aria-label")
    (region,) = told(wide)
    assert region["keep"] == "gray"
    assert 4 <= len(region["region"]) <= 6  # straight lines are their ends
    left = min(x for x, _ in region["region"])
    wide.locator(".area").focus()
    wide.keyboard.press("Shift+ArrowRight")
    settled(wide)
    (moved,) = told(wide)
    assert min(x for x, _ in moved["region"]) == pytest.approx(left + 0.05, abs=0.002)
    wide.locator("#undo").click()
    settled(wide)
    assert told(wide) == [region]
    assert shown(wide) == gray
    wide.locator(".area").focus()
    wide.keyboard.press("Delete")
    expect(wide.locator(".area")).to_have_count(0)
    wide.locator("#undo").click()
    expect(wide.locator(".area")).to_have_count(1)
    # corner by corner, as the keyboard does it too; closed at the first corner
    for place in ((0.6, 0.6), (0.9, 0.6), (0.9, 0.9)):
        click_on(wide, *place)
        wide.keyboard.press("Escape") if wide.locator("#region").is_visible() else None
    click_on(wide, 0.6, 0.6)
    expect(wide.locator(".area")).to_have_count(2)
    assert len(told(wide)[1]["region"]) == 3


def test_a_reach_is_dragged_and_set(wide, scan):
    drop(wide, scan)
    settled(wide)
    click_on(wide, 0.3, 0.5)
    wide.locator("#suggested button").nth(1).click()
    expect(wide.locator("output[for=far]")).to_have_text("as far as it is alike")
    handle = wide.locator("#reach")
    box = handle.bounding_box()
    wide.mouse.move(box["x"] + 10, box["y"] + 10)
    wide.mouse.down()
    mark = wide.locator(".mark").bounding_box()
    paper = wide.locator("#paper").bounding_box()
    wide.mouse.move(mark["x"] + 13 + 0.2 * paper["height"], mark["y"] + 13, steps=3)
    wide.mouse.up()
    settled(wide)
    expect(handle).to_have_attribute("aria-valuenow", "20")
    (hint,) = told(wide)
    assert hint["reach"] == pytest.approx(0.2, abs=0.01)
    handle.focus()
    wide.keyboard.press("ArrowUp")
    expect(wide.locator("output[for=far]")).to_have_text("23 %")
    wide.locator("#far").fill("24")
    expect(wide.locator("output[for=far]")).to_have_text("as far as it is alike")
    assert "reach" not in told(wide)[0]
    wide.keyboard.press("Control+z")
    assert told(wide)[0]["reach"] == pytest.approx(0.23, abs=0.01)


def test_a_brush_has_a_size(wide, scan):
    drop(wide, scan)
    settled(wide)
    expect(wide.locator("#brush-row")).to_be_hidden()
    wide.keyboard.press("s")
    expect(wide.locator("#brush-row")).to_be_visible()
    for _ in range(5):
        wide.keyboard.press("]")
    draw(wide, (0.2, 0.3), (0.7, 0.3))
    wide.locator("#suggested button").nth(2).click()
    wide.keyboard.press("Escape")
    assert told(wide)[0]["width"] == pytest.approx(0.1)
    expect(wide.locator("#strokes .broad")).to_have_count(1)


def test_colors_by_name_by_thing_and_from_photos(wide, scan, tmp_path):
    other = tmp_path / "other.png"
    Image.fromarray(np.full((90, 120), 200, np.uint8)).save(other)
    drop(wide, scan, other)
    expect(wide.locator(".thumb img[src]")).to_have_count(2, timeout=30000)
    wide.locator(".thumb button[aria-label='scan.tif']").click()
    settled(wide)
    click_on(wide, 0.3, 0.1)
    expect(wide.locator("#suggested button").first).to_be_focused()
    field = wide.locator("#hex")
    for text, value in (("red", "#ff0000"), ("Brick", "#9c5540"), ("8a2f2b", "#8a2f2b")):
        field.fill(text)
        field.press("Enter")
        expect(field).to_have_value(value)
        assert told(wide)[0]["color"] == value
    field.fill("reddd")
    field.press("Enter")
    expect(wide.locator("#hex-wrong")).to_be_visible()
    assert told(wide)[0]["color"] == "#8a2f2b"
    assert "red, #8a2f2b" in wide.locator(".mark").get_attribute("aria-label")
    wide.locator("#things").select_option("Uniforms, 1939 to 1945")
    names = wide.locator("#thing button").evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert "Field gray (Germany)" in names
    wide.locator("#thing button").first.click()
    # from this photo, and from another one
    wide.locator("#pick").click()
    click_on(wide, 0.05, 0.95)
    expect(wide.locator("#pick")).to_have_attribute("aria-pressed", "false")
    own = told(wide)[0]["color"]
    wide.locator("#pick").click()
    wide.locator(".thumb button[aria-label='other.png']").click()
    expect(wide.locator("#other")).to_be_visible()
    wide.locator("#other-photo").click()
    expect(wide.locator("#other")).to_be_hidden()
    assert told(wide)[0]["color"] != own
    assert "scan.tif" in wide.locator("#notes").inner_text()


def test_the_whole_picture_and_its_layer_by_the_same_bytes(
    wide, scan, tmp_path, model, monkeypatch
):
    drop(wide, scan)
    settled(wide)
    plain = shown(wide)
    wide.locator("#whole summary").click()
    wide.locator("#warmth").fill("0.5")
    wide.locator("#shadows").fill("0.4")
    wide.locator("#natural").check()
    settled(wide)
    assert shown(wide) != plain
    wide.locator("#format").select_option("layer.tif")
    found = saved(wide, "#download")
    words = wide.locator("#command").text_content().split()
    assert "--warmth=0.5 --shadows=0.4 --natural --result layer" in " ".join(words)
    monkeypatch.chdir(tmp_path)
    words[words.index("--model") + 1] = str(model)
    assert main(words[1:]) == 0
    assert found == (tmp_path / "scan-layer.tif").read_bytes()
    wide.locator("#format").select_option("pair.jpg")
    assert Image.open(io.BytesIO(saved(wide, "#download"))).width == 2 * 256
    wide.locator("#undo").click()
    expect(wide.locator("#natural")).not_to_be_checked()
