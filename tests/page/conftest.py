"""A page in a browser; the helpers are in `browsing`, which needs Playwright."""

import numpy as np
import pytest
from PIL import Image

from colorizer.inference.colorizer import Colorizer
from tests.model_folder import write_model_folder
from tests.page.serving import served


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("private")
    with served(Colorizer(model), place, max_pixels=10**8) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    from tests.page.browsing import CHROMIUM, FLAGS, sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


WIDE, NARROW, SIDEWAYS = (1280, 800), (390, 844), (844, 390)


def _opened(request, browser, address, size):
    from tests.page.browsing import opened

    yield from opened(browser, address, size, request.node.name)


@pytest.fixture(params=[WIDE, NARROW, SIDEWAYS], ids=["wide", "narrow", "sideways"])
def page(request, browser, address):
    yield from _opened(request, browser, address, request.param)


@pytest.fixture
def visited(browser):
    """Opens a page at another address than that of the module's: a context."""
    from contextlib import contextmanager

    from tests.page.browsing import opened

    return contextmanager(lambda address, name: opened(browser, address, WIDE, name))


@pytest.fixture
def wide(request, browser, address):
    yield from _opened(request, browser, address, WIDE)


@pytest.fixture
def narrow(request, browser, address):
    yield from _opened(request, browser, address, NARROW)


@pytest.fixture
def sideways(request, browser, address):
    yield from _opened(request, browser, address, SIDEWAYS)


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.tif"
    from skimage import data

    Image.fromarray(data.camera()[::2, ::2].astype(np.uint16) * 257).save(path)
    return path
