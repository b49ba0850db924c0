"""The blind test: a page for people, answered here by a real Chromium."""

import csv
import re
import shutil

import pytest
from PIL import Image
from scipy.stats import binomtest

from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.evaluation import evaluate
from tests.drawn import landscape
from tests.model_folder import write_model_folder

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
PHOTOS = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(PHOTOS):
        Image.fromarray(landscape(i, 48, 64)).save(folder / f"<b>{i}.png")
    Image.fromarray(landscape(0, 48, 64)).convert("L").save(folder / "gray.png")
    return str(folder)


@pytest.fixture(scope="module")
def written(model, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("blind") / "test.html"
    result = evaluate([f"a={model}", f"b={model}"], data, blind=str(path), device="cpu")
    return path, result


def test_the_page_holds_its_pictures_and_asks_nobody(written):
    path, result = written
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/webp;base64,") == 2 * PHOTOS
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?:", text)
    assert "<b>" not in text  # names are text
    (note,) = result["notes"]
    assert note == "left out: gray.png: it is gray already"


def test_command_line(model, data, tmp_path, capsys):
    path = tmp_path / "page.html"
    assert main(["evaluate", "--model", model, "--data", data, "--blind", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.exists()


def test_wrong_requests(model, data, tmp_path):
    there = tmp_path / "there.html"
    there.write_text("mine")
    for blind, more, sentence in (
        (there, {}, "exists already"),
        (tmp_path / "page.txt", {}, "ends in .html"),
        (tmp_path / "page.html", {"metrics": ["psnr"]}, "--metrics does not go with a blind test"),
        (tmp_path / "page.html", {"report": tmp_path / "report"}, "measures nothing"),
    ):
        with pytest.raises(UsageError, match=sentence):
            evaluate([model], data, blind=str(blind), device="cpu", **more)
    with pytest.raises(UsageError, match="needs a model"):
        evaluate(["gray"], data, blind=str(tmp_path / "page.html"), device="cpu")
    with pytest.raises(ColorizerError, match="cannot be written"):
        evaluate([model], data, blind=str(tmp_path / "no" / "page.html"), device="cpu")
    assert there.read_text() == "mine"
    assert [*tmp_path.iterdir()] == [there]


@pytest.fixture
def page(written):
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium; install it (apt-get install chromium)")
    wrong: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda one: one.url.startswith("http") and wrong.append(one.url))
        page.goto(written[0].as_uri())
        yield page
        browser.close()
    assert wrong == []


def shown(page, count):
    """Wait for a question; the pictures on the page, by what they are."""
    page.get_by_text(f"{count} of {PHOTOS}", exact=True).wait_for()
    page.locator("#pictures:not(.gone) img").first.wait_for()
    urls = page.locator("#pictures img").evaluate_all("images => images.map(i => i.src)")
    real = page.evaluate("TRIALS.map(trial => trial.real)")
    return ["real" if url in real else "colored" for url in urls]


def test_pairs_are_counted(page):
    """Four right of six, by keys and by clicks; the interval is Wilson's."""
    page.get_by_role("button", name="Pairs, without limit").click()
    for count in range(1, PHOTOS + 1):
        sides = shown(page, count)
        assert sorted(sides) == ["colored", "real"]
        left = (sides[0] == "colored") == (count > 2)
        if count % 2:
            page.keyboard.press("ArrowLeft" if left else "ArrowRight")
        else:
            page.locator("#pictures button").nth(0 if left else 1).click()
    rows = page.locator("#rows tr")
    rows.first.wait_for()
    asked, fooled = 0, 0
    for name, line in zip("ab", rows.all_inner_texts(), strict=True):
        cells = line.split("\t")
        assert cells[0] == name
        taken = round(int(cells[1]) * int(cells[2].split()[0]) / 100)
        asked, fooled = asked + int(cells[1]), fooled + taken
        between = binomtest(taken, int(cells[1])).proportion_ci(method="wilson")
        expected = f"{100 * between.low:.0f} % to {100 * between.high:.0f} %"
        assert cells[3] == expected
    assert (asked, fooled) == (PHOTOS, 2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the answers").click()
    with open(download.value.path(), newline="") as file:
        answers = list(csv.DictReader(file))
    assert sum(one["answer"] == one["truth"] for one in answers) == 4
    assert {one["photo"] for one in answers} == {f"<b>{i}.png" for i in range(PHOTOS)}
    assert {one["mode"] for one in answers} == {"pairs"}


def test_a_second_and_no_more(page):
    page.get_by_role("button", name="Pairs, for one second").click()
    shown(page, 1)
    page.locator("#pictures.gone").wait_for(timeout=5000)
    page.keyboard.press("ArrowLeft")  # which may still be answered
    shown(page, 2)
    page.keyboard.press("Escape")
    page.get_by_text("50 % is chance").wait_for()


def test_alone(page):
    page.get_by_role("button", name="One photo at a time").click()
    kinds = []
    for count in range(1, PHOTOS + 1):
        kinds += shown(page, count)
        page.keyboard.press("r")  # all are taken for real
    lines = dict(line.split("\t", 1) for line in page.locator("#rows tr").all_inner_texts())
    real = kinds.count("real")
    assert lines["real photos"].startswith(f"{real}\t100 %" if real else "0\t")
    colored = sum(int(lines[name].split("\t")[0]) for name in "ab")
    assert colored == kinds.count("colored")
