"""The site in a real Chromium, which reaches a plain static server and nothing else."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

import colorizer
from colorizer.cli import main
from colorizer.pictures.metadata.mark import is_marked
from colorizer.site import write_site
from tests.model_folder import write_model_folder
from tests.page.browsing import SHOTS, click_on, drop, needs_chromium, saved, settled, sync_api
from tests.site import photos
from tests.site.visiting import WAIT, hosted, loaded, visiting

pytestmark = needs_chromium
AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
expect = sync_api.expect


def pixels(content):
    return pyvips.Image.new_from_buffer(content, "").numpy().astype(int)


def check_like(found, expected):
    """At most 1 level of 255 apart on 99.9 % of pixels, 8 at most."""
    found, expected = pixels(found), pixels(expected)
    assert found.shape == expected.shape
    apart = np.abs(found - expected).max(-1)
    assert np.mean(apart <= 1) >= 0.999
    assert apart.max() <= 8


def test_all_kinds_of_photos_as_python_colors_them(page, tmp_path):
    paths = photos.album(tmp_path)
    drop(page, *paths)
    expect(page.locator(".thumb")).to_have_count(len(paths), timeout=WAIT)
    settled(page)
    for path in paths:  # as PNG, as JPEG rounds once more
        page.locator(f".thumb button[aria-label='{path.name}']").click()
        page.locator("#format").select_option(".png")
    archive = zipfile.ZipFile(io.BytesIO(saved(page, "#download-all", WAIT)))
    assert archive.testzip() is None
    engine = colorizer.Colorizer()
    for path in paths:
        name = f"{path.stem}-colored.png"
        engine.colorize_file(path, tmp_path / name)
        found = archive.read(name)
        check_like(found, (tmp_path / name).read_bytes())
        (tmp_path / "found").write_bytes(found)
        assert is_marked(tmp_path / "found")


TEXTS = re.compile(r">([^<>\s][^<>]*)<")


def test_metadata_are_those_of_python(page, tmp_path):
    path = tmp_path / "turned.jpg"
    path.write_bytes(photos.turned_scan(400, 300))
    drop(page, path)
    settled(page)
    assert (
        page.locator("#notes")
        .inner_text()
        .startswith("turned.jpg: 300 \N{MULTIPLICATION SIGN} 400")
    )
    found = saved(page, "#download")
    colorizer.colorize_file(path, tmp_path / "expected.jpg")
    with Image.open(io.BytesIO(found)) as ours, Image.open(tmp_path / "expected.jpg") as theirs:
        assert ours.size == theirs.size == (300, 400)
        assert ours.getexif().get(0x0112) == 1
        for ifd in (None, 0x8769, 0x8825):
            told = [
                dict(one.getexif() if ifd is None else one.getexif().get_ifd(ifd))
                for one in (ours, theirs)
            ]
            for one in told:
                one.pop(0x8769, None)
                one.pop(0x8825, None)
            assert told[0] == told[1]
            assert told[0]
        for key in ("dpi", "comment", "icc_profile"):
            assert ours.info[key] == theirs.info[key]
        texts = [TEXTS.findall(one.info["xmp"].decode()) for one in (ours, theirs)]
        texts[0] = [text.removesuffix(", in a browser") for text in texts[0]]
        assert texts[0] == texts[1]
        assert "Grandmother &amp; co" in texts[0]
        assert b"Orientation" not in ours.info["xmp"]


@pytest.mark.slow
def test_settings_as_python_has_them(page, tmp_path):
    path, palette = tmp_path / "tiny.png", tmp_path / "palette.jpg"
    path.write_bytes(photos.tiny())
    palette.write_bytes(photos.in_color())
    page.locator("#files").set_input_files(path)
    settled(page)
    expect(page.locator("#variants img")).to_have_count(6, timeout=WAIT)
    page.locator("#variants button").nth(2).click()
    page.locator("#vividness").fill("1.3")
    page.locator("#temperature").fill("0.5")
    page.locator("#quality").check()
    page.locator("#whole summary").click()
    page.locator("#warmth").fill("0.4")
    page.locator("#highlights").fill("0.7")
    page.locator("#natural").check()
    page.locator("#palette").set_input_files(palette)
    expect(page.locator("#palette-file")).to_have_text("palette.jpg", timeout=WAIT)
    settled(page)
    found = saved(page, "#download")
    noted = re.search(rb"AISystemUsed>([^<]*)<", found)[1].decode()
    temperature = float(re.search(r"temperature ([\d.]+)", noted)[1])
    options = {
        "vividness": 1.3,
        "temperature": temperature,
        "variant": 3,
        "quality": "best",
        "warmth": 0.4,
        "highlights": 0.7,
        "natural": True,
        "palette": str(palette),
    }
    colorizer.colorize_file(path, tmp_path / "expected.png", **options)
    expected = (tmp_path / "expected.png").read_bytes()
    check_like(found, expected)
    assert noted == re.search(rb"AISystemUsed>([^<]*)<", expected)[1].decode()
    page.locator("#undo").click()
    page.locator("#reset").click()
    settled(page)
    colorizer.colorize_file(path, tmp_path / "plain.png")
    check_like(saved(page, "#download"), (tmp_path / "plain.png").read_bytes())


def test_the_files_own_pixels_at_100_percent(page, tmp_path):
    path = tmp_path / "turned.jpg"
    path.write_bytes(photos.turned_scan())
    page.locator("#files").set_input_files(path)
    settled(page)
    page.locator("#percent").click()
    expect(page.locator("#own")).to_be_visible()
    left, top, width, height, found = page.evaluate(
        """async () => {
            const image = document.getElementById("own");
            await image.decode();
            const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
            const pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            const { box } = JSON.parse(image.dataset.wanted)[1];
            return [box[0], box[1], canvas.width, canvas.height,
                [...pen.getImageData(0, 0, canvas.width, 20).data]];
        }"""
    )
    expected = colorizer.colorize(str(path))[top : top + 20, left : left + width].astype(int)
    found = np.reshape(found, (20, width, 4))[..., :3]
    assert height > 300
    assert np.mean(np.abs(found - expected).max(-1) <= 1) > 0.999


KEPT = "caches.open('colorizer-large').then((c) => c.keys()).then((keys) => keys.length)"


def test_without_a_network_after_one_visit(browser, site, tmp_path):
    (tmp_path / "tiny.png").write_bytes(photos.tiny())
    with hosted(site) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        loaded(page)
        for _ in range(100):
            if page.evaluate(KEPT) == 2:
                break
            page.wait_for_timeout(100)
    page.goto(address)  # nobody answers there now
    loaded(page)
    assert page.evaluate("crossOriginIsolated")
    drop(page, tmp_path / "tiny.png")
    settled(page)
    colorizer.colorize_file(tmp_path / "tiny.png", tmp_path / "expected.png")
    check_like(saved(page, "#download"), (tmp_path / "expected.png").read_bytes())
    context.close()


BAD = {
    "text.jpg": (b"this is no photo", "is no picture that this page knows"),
    "cut.jpg": (photos.turned_scan(300, 200)[:-3000], "is cut off"),
    "cut.png": (photos.tiny()[:-2000], "is cut off"),
    "damaged.png": (
        photos.tiny()[:300] + bytes(2000) + photos.tiny()[2300:],
        "cannot be decoded",
    ),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "is a HEIC file, which"),
    "scan.tif": (b"II*\0\x08\0\0\0" + bytes(50), "is a TIFF file, which this browser does not"),
    "empty.jpg": (b"", "is empty (0 bytes)"),
    "huge.png": (None, "has 200 megapixels, and this page takes 100 at most"),
    "hints.json": (b'{"hints": []}', "add its photo first"),
    "reel.mkv": (b"\x1a\x45\xdf\xa3", "is a film: this page colors photos only; `colorizer video"),
    "shot.gif": (b"GIF89a" + bytes(20), "cannot be decoded"),
}


def test_what_is_no_photo_is_told_in_a_sentence(page, tmp_path):
    head = bytearray(photos.tiny())
    head[16:24] = (20000).to_bytes(4) + (10000).to_bytes(4)
    for name, (content, sentence) in BAD.items():
        (tmp_path / name).write_bytes(bytes(head) if content is None else content)
        drop(page, tmp_path / name)
        message = page.locator(".message", has_text=name).first
        expect(message).to_contain_text(sentence, timeout=WAIT)
        message.locator(".icon").click()
    assert page.locator(".thumb").count() == 0
    (tmp_path / "tiny.png").write_bytes(photos.tiny())
    drop(page, tmp_path / "tiny.png")
    settled(page)


def test_a_hint_as_python_follows_it(page, tmp_path):
    path = tmp_path / "color.jpg"
    path.write_bytes(photos.in_color())
    page.locator("#files").set_input_files(path)
    settled(page)
    assert page.locator("#format option").all_inner_texts() == ["PNG", "JPEG"]
    page.locator("#format").select_option(".png")
    page.locator("#vividness").fill("1.2")
    click_on(page, 0.4, 0.85)
    expect(page.locator("#suggested button")).to_have_count(9, timeout=WAIT)
    colors = [one.get_attribute("data-color") for one in page.locator("#suggested button").all()]
    place = hints_of(page)[0]["at"]
    vivid = colorizer.Colorizer(vividness=1.2)
    assert colors == vivid.suggest(path, *place)
    first = page.locator("#suggested button").first.get_attribute("title")
    share = int(first.split(": ")[1].removeprefix("less than ").split(" %")[0])
    assert share == pytest.approx(
        100 * vivid.follows(path, {"at": place, "color": colors[0]}), abs=1
    )
    page.locator("#suggested button").nth(3).click()
    page.locator("#picker-close").click()
    regions = [
        {"region": [[0, 0], [0.3, 0], [0, 0.4]], "keep": "gray"},
        {"stroke": [[0.6, 0.1], [0.8, 0.3]], "color": "#3050a0", "reach": 0.3},
    ]
    hints = hints_of(page)
    assert hints[0]["color"] == colors[3]
    (tmp_path / "hints.json").write_text(json.dumps({"version": 1, "hints": hints + regions}))
    drop(page, tmp_path / "hints.json")
    expect(page.locator(".message")).to_contain_text("hints for color.jpg", timeout=WAIT)
    settled(page)
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / "site-hints.png")
    page.locator("#again summary").click()
    (tmp_path / "hints.json").write_bytes(saved(page, "#save-hints"))
    assert '"reach"' in (tmp_path / "hints.json").read_text()
    found = saved(page, "#download", WAIT)
    told = ["--hints", str(tmp_path / "hints.json"), "--vividness", "1.2"]
    assert main(["colorize", str(path), "-o", str(tmp_path / "expected.png"), *told]) == 0
    expected = (tmp_path / "expected.png").read_bytes()
    check_like(found, expected)
    noted = [re.search(rb"AISystemUsed>([^<]*)<", one)[1] for one in (found, expected)]
    assert noted[0] == noted[1]
    main(["colorize", str(path), "-o", str(tmp_path / "plain.png"), *told[2:]])
    plain = (tmp_path / "plain.png").read_bytes()
    assert np.mean(np.abs(pixels(found) - pixels(plain)).max(-1) > 8) > 0.05


def hints_of(page):
    """Those of the page, as its engine gets them."""
    return page.evaluate(
        """async () => {
            const { hintsOf, page } = await import("./static/photo.js");
            return hintsOf(page.now).hints;
        }"""
    )


def test_what_a_model_cannot_is_not_shown(browser, tmp_path):
    """One without learnt likeness takes no hints here."""
    write_site(tmp_path / "site", write_model_folder(tmp_path / "tiny", "distribution"))
    (tmp_path / "tiny.png").write_bytes(photos.tiny())
    with hosted(tmp_path / "site") as address, visiting(browser, address) as page:
        drop(page, tmp_path / "tiny.png")
        settled(page)
        for what in ("[data-tool=point]", "#bare", "#tip", "#save-hints"):
            expect(page.locator(what).first).to_be_hidden()
        page.locator("#view").focus()
        for key in ("ArrowLeft", "Enter", "p"):
            page.keyboard.press(key)
        page.mouse.click(500, 400)
        expect(page.locator("#picker")).to_be_hidden()
        assert page.locator(".mark").count() == 0


def test_on_a_phone(browser, address, tmp_path):
    (tmp_path / "turned.jpg").write_bytes(photos.turned_scan(900, 700))
    with visiting(browser, address, (390, 844)) as page:
        page.locator("#files").set_input_files(tmp_path / "turned.jpg")
        settled(page)
        assert saved(page, "#download")[:3] == b"\xff\xd8\xff"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (npm ci)")
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(page, tmp_path, width):
    (tmp_path / "tiny.png").write_bytes(photos.tiny())
    page.set_viewport_size({"width": width, "height": 844})
    page.locator("#files").set_input_files(tmp_path / "tiny.png")
    settled(page)
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    page.set_viewport_size({"width": 1280, "height": 800})
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.slow
def test_a_canceled_download_leaves_the_page_alive(page, tmp_path):
    (tmp_path / "large.jpg").write_bytes(photos.turned_scan(4000, 3000))
    page.locator("#files").set_input_files(tmp_path / "large.jpg")
    settled(page)
    page.locator("#download").click()
    page.locator("#cancel").click()
    expect(page.locator("#progress")).to_be_hidden(timeout=WAIT)
    page.locator("#vividness").fill("0.5")
    settled(page)
