"""The page in a real Chromium: dropped, steered, corrected, downloaded; wide, narrow, sideways."""

import base64
import json

import numpy as np
from PIL import Image
from skimage import data

from colorizer.cli import main
from tests.page.browsing import (
    CAMERA,
    click_on,
    drop,
    needs_chromium,
    saved,
    settled,
    shown,
    sync_api,
)

pytestmark = needs_chromium


def test_drop_correct_undo_download(page, scan, model, tmp_path, monkeypatch):
    drop(page, scan)
    settled(page)
    plain = shown(page)
    assert page.locator("#notes").inner_text().startswith("scan.tif: 256")

    click_on(page, 0.1, 0.1)
    sync_api.expect(page.locator("#suggested button")).to_have_count(9)
    picker = page.locator("#picker")
    assert picker.evaluate("one => one.scrollWidth <= one.clientWidth")  # nothing is cut off
    page.locator("#suggested button").nth(4).click()
    settled(page)
    hinted = shown(page)
    assert np.abs(np.subtract(hinted, plain)).max() > 3
    page.keyboard.press("Escape")
    sync_api.expect(page.locator("#picker")).to_be_hidden()

    page.locator("#undo").click()
    sync_api.expect(page.locator(".mark")).to_have_count(0)
    settled(page)
    assert shown(page) == plain
    page.locator("#redo").click()
    settled(page)
    assert shown(page) == hinted

    page.locator("#vividness").fill("1.3")
    settled(page)
    sync_api.expect(page.locator("#format")).to_have_value(".tif")
    found = saved(page, "#download")
    page.locator("#again summary").click()
    hints = json.loads(saved(page, "#save-hints"))
    assert len(hints["hints"]) == 1
    (tmp_path / "scan-hints.json").write_text(json.dumps(hints))
    told = page.locator("#command").inner_text().split()
    assert told[:2] == ["colorizer", "colorize"]
    monkeypatch.chdir(tmp_path)
    told[told.index("--model") + 1] = str(model)  # of the page it is the name
    assert main(told[1:]) == 0
    assert found == (tmp_path / "scan-colored.tif").read_bytes()


def test_compare_by_mouse_and_keyboard(narrow, scan):
    narrow.locator("#files").set_input_files(scan)
    settled(narrow)
    handle, view = narrow.locator("#handle"), narrow.locator("#view").bounding_box()
    box = handle.bounding_box()
    narrow.mouse.move(box["x"] + 21, box["y"] + 21)
    narrow.mouse.down()
    narrow.mouse.move(view["x"] + view["width"] / 2, box["y"] + 21, steps=4)
    narrow.mouse.up()
    assert int(handle.get_attribute("aria-valuenow")) in range(48, 53)
    handle.focus()
    narrow.keyboard.press("ArrowLeft")
    assert int(handle.get_attribute("aria-valuenow")) in range(43, 48)
    narrow.keyboard.press("End")
    sync_api.expect(handle).to_have_attribute("aria-valuenow", "100")
    assert "inset(0px 0%" in narrow.locator("#gray").evaluate("e => getComputedStyle(e).clipPath")
    narrow.keyboard.press("Home")
    sync_api.expect(handle).to_have_attribute("aria-valuenow", "0")


def test_hints_by_keyboard_alone(wide, scan):
    wide.locator("#files").set_input_files(scan)
    settled(wide)
    wide.locator("#view").focus()
    for key in ("ArrowLeft", "ArrowUp", "Enter"):
        wide.keyboard.press(key)
    sync_api.expect(wide.locator("#suggested button").first).to_be_focused()
    wide.keyboard.press("Enter")
    wide.keyboard.press("Escape")
    mark = wide.locator(".mark")
    sync_api.expect(mark).to_have_count(1)
    assert "Hint 1" in mark.get_attribute("aria-label")
    left = mark.evaluate("e => parseFloat(e.style.left)")
    mark.focus()
    wide.keyboard.press("ArrowRight")
    assert mark.evaluate("e => parseFloat(e.style.left)") > left
    wide.keyboard.press("Delete")
    sync_api.expect(mark).to_have_count(0)
    wide.keyboard.press("Control+z")
    sync_api.expect(mark).to_have_count(1)


def test_strokes_and_erasing(narrow, scan):
    narrow.locator("#files").set_input_files(scan)
    settled(narrow)
    narrow.locator("[data-tool=stroke]").last.click()
    box = narrow.locator("#paper").bounding_box()
    narrow.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    narrow.mouse.down()
    narrow.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"], steps=8)
    narrow.mouse.up()
    narrow.locator("#suggested button").nth(2).click()
    narrow.keyboard.press("Escape")
    assert narrow.locator("#strokes polyline").count() == 3
    settled(narrow)
    narrow.locator("[data-tool=erase]").last.click()
    mark = narrow.locator(".mark").bounding_box()
    narrow.mouse.click(mark["x"] + 13, mark["y"] + 13)
    sync_api.expect(narrow.locator("#strokes polyline")).to_have_count(0)


def test_a_hint_without_a_color_is_none(narrow, scan):
    narrow.locator("#files").set_input_files(scan)
    settled(narrow)
    box = narrow.locator("#paper").bounding_box()
    narrow.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 5)
    sync_api.expect(narrow.locator("#picker")).to_be_visible()
    narrow.locator("#picker-close").click()
    sync_api.expect(narrow.locator(".mark")).to_have_count(0)
    assert narrow.locator("#undo").is_disabled()


def test_several_photos_each_with_its_own_settings(wide, scan, tmp_path):
    other = tmp_path / "other.png"
    Image.fromarray(CAMERA[:, :200]).save(other)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"this is no photo")
    drop(wide, scan, other, bad)
    sync_api.expect(wide.locator(".thumb")).to_have_count(2)
    sync_api.expect(wide.locator(".message")).to_contain_text("bad.jpg is no picture")
    wide.locator(".thumb button[aria-label='other.png']").click()  # whichever came first
    settled(wide)
    wide.locator("#vividness").fill("0.5")
    wide.locator(".thumb button[aria-label='scan.tif']").click()
    settled(wide)
    sync_api.expect(wide.locator("#vividness")).to_have_value("1")
    wide.locator(".thumb button[aria-label='other.png']").click()
    sync_api.expect(wide.locator("#vividness")).to_have_value("0.5")
    wide.locator("#apply").click()
    wide.locator(".thumb button[aria-label='scan.tif']").click()
    sync_api.expect(wide.locator("#vividness")).to_have_value("0.5")
    settled(wide)
    assert saved(wide, "#download-all")[:2] == b"PK"
    wide.locator("[aria-label='Remove other.png']").click()
    sync_api.expect(wide.locator("#strip")).to_be_hidden()


def test_alternatives_palette_and_quality(wide, scan, tmp_path):
    wide.locator("#files").set_input_files(scan)
    settled(wide)
    plain = shown(wide)
    sync_api.expect(wide.locator("#variants img")).to_have_count(6, timeout=20000)
    wide.locator("#variants button").nth(3).click()
    settled(wide)
    assert shown(wide) != plain
    sync_api.expect(wide.locator("#variants [aria-checked=true]")).to_have_count(1)
    Image.fromarray(data.astronaut()[::8, ::8]).save(tmp_path / "colors.png")
    wide.locator("#palette").set_input_files(tmp_path / "colors.png")
    sync_api.expect(wide.locator("#palette-file")).to_have_text("colors.png")
    wide.locator("#quality").check()
    settled(wide)
    assert "--palette colors.png --quality best" in wide.locator("#command").text_content()
    wide.locator("#reset").click()
    settled(wide)
    assert shown(wide) == plain


def test_paste(wide, scan):
    wide.evaluate(
        """(data) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "pasted.tif"));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
        }""",
        base64.b64encode(scan.read_bytes()).decode(),
    )
    settled(wide)
    assert wide.locator("#notes").inner_text().startswith("pasted.tif: 256")


def test_what_is_seen_has_names_and_contrast(page, scan):
    page.locator("#files").set_input_files(scan)
    settled(page)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, [role=slider]")]
            .filter((e) => e.checkVisibility() && e.offsetParent)
            .filter((e) => !(e.ariaLabel || e.innerText.trim() || e.title
                || e.labels?.[0]?.innerText.trim()))
            .map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    contrasts = page.evaluate(
        """() => {
            const light = (text) => {
                const [r, g, b] = text.match(/[\\d.]+/g).map((c) => {
                    c /= 255;
                    return c > 0.04045 ? ((c + 0.055) / 1.055) ** 2.4 : c / 12.92;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ground = (e) => {
                for (; e; e = e.parentElement) {
                    const color = getComputedStyle(e).backgroundColor;
                    if (color !== "rgba(0, 0, 0, 0)") return color;
                }
            };
            return [...document.querySelectorAll("label, p, button, summary, li, output, h1")]
                .filter((e) => e.checkVisibility() && e.offsetParent && e.innerText.trim()
                    && !e.disabled && !e.closest(".sr, .thumb"))
                .map((e) => {
                    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
                    return [e.innerText, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
                });
        }"""
    )
    assert len(contrasts) > 10
    assert [one for one in contrasts if one[1] < 4.5] == []
