"""Measure the site in Chromium: the tables of docs/site.md.

    python benchmarks/browser.py [--model NAME]

CPU seconds are those of all of Chromium's processes; seconds on a clock count on a free machine
alone. Needs the extra `dev` and a Chromium.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from skimage import data

from colorizer.options import DEFAULT_MODEL
from colorizer.site import write_site

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.page.browsing import saved, settled
from tests.site.visiting import hosted, launched, loaded

__all__ = ["main"]

LONG_TASKS = """
window.longest = 0;
new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries())
        window.longest = Math.max(window.longest, duration);
}).observe({ type: "longtask", buffered: true });
"""


def photo(folder: Path, width: int, height: int) -> Path:
    """A gray JPEG with the noise of a scan."""
    picture = Image.fromarray(data.camera()).resize((width, height), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 4, (height, width))
    path = folder / f"{width}x{height}.jpg"
    Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def browsers() -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name():
                found.append(process)
        except psutil.Error:
            continue
    return found


def cpu() -> float:
    total = 0.0
    for process in browsers():
        try:
            total += sum(process.cpu_times()[:2])
        except psutil.Error:
            continue
    return total


def memory() -> float:
    """Megabytes of the process that holds the page and its worker."""
    most = 0.0
    for process in browsers():
        try:
            if "--type=renderer" in process.cmdline():
                most = max(most, process.memory_info().rss / 1e6)
        except psutil.Error:
            continue
    return most


@contextmanager
def measured(name: str) -> Iterator[None]:
    begun, spent = time.monotonic(), cpu()
    yield
    wall, own = time.monotonic() - begun, cpu() - spent
    load = os.getloadavg()[0]
    print(
        f"{name:36s} {own:6.2f} CPU s {wall:6.2f} s  {memory():5.0f} MB  load {load:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        written = write_site(folder / "site", args.model)
        fetched = sum(size for name, size in written.items() if name not in ("site.json",))
        print(f"first visit: {fetched / 1e6:.1f} MB")
        photos = [photo(folder, *size) for size in ((1224, 816), (1225, 817), (6000, 4000))]
        with hosted(folder / "site") as address, launched() as browser:
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.set_default_timeout(120_000)
            page.add_init_script(LONG_TASKS)
            with measured("first visit, until it runs"):
                page.goto(address)
                loaded(page)
            for number, path in enumerate(photos):
                with measured(f"{path.name}, until it is in color"):
                    page.locator("#files").set_input_files(path)
                    page.locator(f".thumb button[aria-label='{path.name}']").wait_for(
                        state="attached"
                    )
                    if number:
                        page.locator(f".thumb button[aria-label='{path.name}']").click()
                    settled(page)
                page.locator("#variants button:nth-child(6) img").wait_for()
                page.wait_for_timeout(500)
            for kind in (".jpg", ".png"):
                page.locator("#format").select_option(kind)
                with measured(f"{photos[-1].name}, downloaded as {kind}"):
                    saved(page, "#download")
            longest = page.evaluate("window.longest")
            print(f"longest task of the page itself: {longest:.0f} ms on a clock")
            with measured("second visit, until it runs"):
                page.goto(address)
                loaded(page)
            print(f"threads there: {page.evaluate('crossOriginIsolated')}")


if __name__ == "__main__":
    main()
