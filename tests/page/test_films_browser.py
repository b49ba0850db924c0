"""Films on the page in a real Chromium: dropped, hinted, played, colored, taken home."""

import numpy as np
import pytest

av = pytest.importorskip("av")
pytest.importorskip("cv2")

from tests.film.films import pan, write_film  # noqa: E402
from tests.page.browsing import (  # noqa: E402
    click_on,
    drop,
    kept,
    needs_chromium,
    ready,
    saved,
    settled,
    shown,
    sync_api,
    until,
    violations,
)

pytestmark = needs_chromium
expect = sync_api.expect


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two shots of half a second each."""
    path = tmp_path_factory.mktemp("films") / "old.mkv"
    return write_film(path, np.concatenate([pan(12, seed, 96, 72) for seed in (0, 1)]))


def opened(page, film):
    drop(page, film)
    expect(page.locator("#shots .thumb")).to_have_count(2)
    settled(page)


def pixels(path):
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_film_is_dropped_told_played_colored_and_saved(wide, film, tmp_path):
    opened(wide, film)
    expect(wide.locator("#film-name")).to_have_text("old.mkv")
    expect(wide.locator("#shot-name")).to_have_text("Shot 1 of 2")
    expect(wide.locator("#download")).to_be_hidden()
    plain = shown(wide)
    click_on(wide, 0.4, 0.4)
    wide.locator("#suggested button").nth(4).click()
    settled(wide)
    wide.keyboard.press("Escape")
    assert shown(wide) != plain
    expect(wide.locator("#shots [data-hinted]")).to_have_count(1)

    wide.keyboard.press(".")
    expect(wide.locator("#shot-name")).to_have_text("Shot 2 of 2")
    settled(wide)
    wide.locator("#leave").check()
    settled(wide)
    first = np.reshape(shown(wide), (-1, 4))[:, :3]
    assert np.ptp(first, axis=1).max() <= 2  # without color
    assert violations(wide) == []
    wide.keyboard.press(",")
    settled(wide)

    gray = wide.locator("#before").get_attribute("src")
    wide.locator("#frame").focus()
    wide.keyboard.press("Home")
    expect(wide.locator("#before")).not_to_have_attribute("src", gray)
    settled(wide)
    expect(wide.locator("output[for=frame]")).to_contain_text("0, at 0:00.0")
    expect(wide.locator("#shots [data-hinted]")).to_have_count(1)  # it came along

    wide.locator("#shot-play").click()
    expect(wide.locator("#play")).to_be_visible()
    until(wide, "document.getElementById('played').readyState >= 2")
    assert wide.evaluate("document.getElementById('played').videoWidth") == 96
    assert violations(wide) == []
    wide.keyboard.press("Escape")

    wide.locator("#film-start").click()
    expect(wide.locator("#film-save")).to_be_visible()
    expect(wide.locator("#messages")).to_contain_text("old.mkv is colored.")
    (tmp_path / "made.mkv").write_bytes(saved(wide, "#film-save"))
    frames = pixels(tmp_path / "made.mkv")
    assert len(frames) == 24
    apart = [np.ptp(frame.astype(int), axis=-1).mean() for frame in frames]
    assert min(apart[:12]) > 4 > 1 > max(apart[12:])
    wide.locator("#again summary").click()
    told = "--shots old-shots/shots.json --reference old-shots/references"
    expect(wide.locator("#command")).to_contain_text("colorizer video old.mkv old-colored.mkv")
    expect(wide.locator("#command")).to_contain_text(told)
    assert saved(wide, "#save-shots").startswith(b"PK")

    kept(wide)
    wide.reload()
    ready(wide)
    settled(wide)
    expect(wide.locator("#shots [data-hinted]")).to_have_count(1)
    expect(wide.locator("#shots [data-left]")).to_have_count(1)
    expect(wide.locator("#film-save")).to_be_visible()


def test_films_stand_beside_photos_and_come_back(narrow, film, scan):
    drop(narrow, scan)
    settled(narrow)
    drop(narrow, film)
    expect(narrow.locator("#strip .thumb")).to_have_count(2)
    expect(narrow.locator("#shots")).to_be_hidden()
    expect(narrow.locator(".reel img")).to_be_visible()  # it is read
    narrow.locator(".reel button").first.click()
    expect(narrow.locator("#shots .thumb")).to_have_count(2)
    settled(narrow)
    assert violations(narrow) == []
    narrow.locator("#remove-photo").click()
    expect(narrow.locator("#shots")).to_be_hidden()
    expect(narrow.locator("#download")).to_be_visible()
    narrow.locator("#messages button", has_text="Bring it back").click()
    expect(narrow.locator("#strip .thumb")).to_have_count(2)
    narrow.locator(".reel button").first.click()
    expect(narrow.locator("#shot-name")).to_have_text("Shot 1 of 2")


def test_what_is_refused_is_said(wide, tmp_path):
    path = tmp_path / "text.mkv"
    path.write_bytes(b"no film")
    drop(wide, path)
    expect(wide.locator("#messages")).to_contain_text("text.mkv cannot be read as a film")
    fields = tmp_path / "fields.mkv"
    options = {"flags": "+ilme+ildct", "x264-params": "interlaced=1:tff=1"}
    write_film(fields, pan(6, 0, 96, 72), codec="libx264", options=options)
    drop(wide, fields)
    wide.locator("#messages button", has_text="Its frames are whole").click()
    expect(wide.locator("#shots .thumb")).to_have_count(1)
    settled(wide)
    wide.locator("#again summary").click()
    expect(wide.locator("#command")).to_contain_text("--progressive")
