"""Many photos: seen together, rated, sifted, made alike; formats tell their time."""

import io
import json
import zipfile

import pytest
from PIL import Image

from colorizer.page import downloads
from tests.page.browsing import CAMERA, drop, kept, needs_chromium, saved, settled, sync_api, until

pytestmark = needs_chromium
expect = sync_api.expect


@pytest.fixture
def several(tmp_path):
    paths = []
    for number, width in enumerate((100, 140, 180)):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(CAMERA[:, :width]).save(paths[-1])
    return paths


def test_the_grid_rates_sifts_and_makes_alike(wide, several):
    expect(wide.locator("#all")).to_be_hidden()
    drop(wide, *several)
    expect(wide.locator(".thumb img[src]")).to_have_count(3, timeout=30000)
    wide.locator(".thumb button[aria-label='0.png']").click()
    settled(wide)
    wide.keyboard.press("g")
    expect(wide.locator("#grid-count")).to_have_text("3 photos")
    expect(wide.locator("[aria-label='Open 0.png']")).to_be_focused()
    wide.keyboard.press("ArrowRight")
    wide.keyboard.press("4")
    wide.locator(".cell").nth(2).locator("[aria-label='2 stars']").click()
    wide.keyboard.press("ArrowRight")
    checked = wide.locator(".stars [aria-checked=true]")
    expect(checked).to_have_count(2)
    expect(checked.last).to_have_attribute("aria-label", "3 stars")
    wide.locator("#least").select_option("4")
    expect(wide.locator("#grid-count")).to_have_text("1 of 3 photos")
    expect(wide.locator(".cell:visible")).to_have_count(1)
    wide.locator("#least").select_option("3")
    archive = zipfile.ZipFile(io.BytesIO(saved(wide, "#grid-download")))
    assert archive.namelist() == ["1-colored.png", "2-colored.png"]
    # the middle one's settings for all, and ratings are kept
    wide.locator(".thumb button[aria-label='1.png']").click()
    wide.locator("#vividness").fill("0.6")
    settled(wide)
    wide.locator("#all").click()
    wide.locator("#least").select_option("0")
    wide.locator(".cell").nth(1).get_by_text("All like this one").click()
    wide.locator("[aria-label='Open 0.png']").click()
    expect(wide.locator("#grid")).to_be_hidden()
    expect(wide.locator("#vividness")).to_have_value("0.6")
    kept(wide)
    photos = wide.evaluate("fetch('api/photos').then((answer) => answer.json())")
    ratings = {one["name"]: json.loads(one["state"]).get("rating", 0) for one in photos}
    assert ratings == {"0.png": 0, "1.png": 4, "2.png": 3}


def test_formats_tell_their_time_beforehand(wide, tmp_path):
    Image.new("L", (2000, 1500), 90).save(tmp_path / "old.png")
    drop(wide, tmp_path / "old.png")
    settled(wide)
    words = wide.locator("#format option").evaluate_all("all => all.map((one) => one.text)")
    assert words[:2] == ["TIFF", "PNG"]
    about = wide.evaluate("fetch('api/about').then((answer) => answer.json())")
    assert set(about["paces"]) == set(downloads.FORMATS)
    slow = next(word for word in words if word.startswith("AVIF"))
    assert ("about" in slow) == (about["paces"][".avif"] * 3 > 8)
    # a render tells the next one
    saved(wide, "#download")
    was = about["paces"][".png"]
    pace = "fetch('api/about').then((told) => told.json()).then((told) => told.paces['.png'])"
    until(wide, f"{pace}.then((now) => now !== {was})")
    pair = next(word for word in words if word.startswith("Side by side, AVIF"))
    assert "about" in pair
