"""One site of the flagship for all tests; the helpers are in `visiting`, which needs Playwright."""

import pytest

from colorizer.site import write_site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites") / "site"
    write_site(folder)
    return folder


@pytest.fixture(scope="module")
def address(site):
    from tests.site.visiting import hosted

    with hosted(site) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    from tests.site.visiting import launched

    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def visited(browser, address):
    from tests.site.visiting import visiting

    with visiting(browser, address) as page:
        yield page


@pytest.fixture
def page(visited):
    """The page that all tests of a file share, as starting takes seconds; without photos."""
    while visited.locator("#remove-photo").is_visible():
        visited.locator("#remove-photo").click()
    # Some go by themselves meanwhile.
    visited.evaluate("document.querySelectorAll('.message .icon').forEach(icon => icon.click())")
    return visited
