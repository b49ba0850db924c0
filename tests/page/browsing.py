"""The page in a real Chromium, as a person has it before him."""

import base64
import os
import shutil
from pathlib import Path

import pytest
from skimage import data

from tests.page.serving import TOKEN, client_of

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

sync_api.expect.set_options(timeout=30_000)  # of a machine that does other work as well
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="there is no Chromium; install it (apt-get install chromium)"
)
WIDE, NARROW = (1280, 800), (390, 844)
CAMERA = data.camera()[::2, ::2]
SHOTS = os.environ.get("COLORIZER_SCREENSHOTS")  # a folder to look at


def opened(browser, address, size, name):
    """An empty page of this size; nothing may go wrong on it, or stick out of it."""
    with client_of(address) as client:
        for what in ("films", "photos"):
            for one in client.get(f"api/{what}").json():
                if not one.get("of"):
                    client.delete(f"api/{what}/{one['id']}")
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        has_touch=size != WIDE,
        color_scheme="dark" if size == NARROW else "light",
    )
    page = context.new_page()
    page.set_default_timeout(20000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: told.type == "error" and wrong.append(told.text))
    page.goto(f"{address}{TOKEN}/")
    ready(page)
    yield page
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    # what is no photo, or gone, or never got there
    expected = ("status of 400", "status of 404", "net::ERR_FAILED")
    assert [one for one in wrong if not any(status in one for status in expected)] == []


def ready(page):
    """Until the page has asked its server what there is."""
    sync_api.expect(page.locator("body[data-ready]")).to_be_attached()
    assert TOKEN not in page.url


def drop(page, *paths, on="body"):
    """As a file manager does it."""
    files = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths]
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, data] of files)
                transfer.items.add(
                    new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
            return transfer;
        }""",
        files,
    )
    page.dispatch_event(on, "drop", {"dataTransfer": transfer})


def settled(page):
    """Until the stage shows what was asked for."""
    sync_api.expect(page.locator("#after[src^='blob:']")).to_be_visible(timeout=60000)
    sync_api.expect(page.locator("#stage")).not_to_have_attribute(
        "aria-busy", "true", timeout=60000
    )
    page.evaluate("document.getElementById('after').decode()")


def kept(page):
    """Until the server has all that was said."""
    sync_api.expect(page.locator("body[data-unsaved]")).to_have_count(0)


def until(page, expression):
    """Until it is true; `wait_for_function` would need what the page's own policy forbids."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {expression}")


def click_on(page, x, y):
    box = page.locator("#paper").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def saved(page, button, timeout=60000) -> bytes:
    with page.expect_download(timeout=timeout) as download:
        page.locator(button).click()
    return Path(download.value.path()).read_bytes()


def shown(page) -> list:
    """The colored picture's pixels, as the page has them."""
    return page.evaluate(
        """async () => {
            const image = document.getElementById("after");
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            return [...pen.getImageData(0, 0, 16, 16).data];
        }"""
    )


def violations(page) -> list:
    """What axe-core finds wrong with the page as it is."""
    script = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
    if not script.exists():
        pytest.skip("axe-core is not installed (npm ci)")
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": script.read_text()})  # past the page's policy
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
