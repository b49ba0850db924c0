"""Other people's results and functions beside models, runs of several seeds, and the tables."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from colorizer import Colorizer
from colorizer.cli import main
from colorizer.errors import ColorizerError, UsageError
from colorizer.evaluation import evaluate
from colorizer.evaluation.report.tables import latex, markdown
from tests.drawn import landscape
from tests.model_folder import write_model_folder

PSNR = {"metrics": ["psnr"], "device": "cpu"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three photos in color, one below, and a gray one."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "below").mkdir()
    for i, name in enumerate(("0.png", "1.jpg", "below/2.png")):
        Image.fromarray(landscape(i, 48 + i, 64)).save(folder / name)
    Image.fromarray(landscape(7, 48, 64)[..., :1].repeat(3, 2)).save(folder / "gray.png")
    return folder


@pytest.fixture
def theirs(tmp_path):
    """What another method made of them: a little darker, as PNG."""
    folder = tmp_path / "theirs"
    (folder / "below").mkdir(parents=True)
    for i, name in enumerate(("0", "1", "below/2")):
        Image.fromarray(landscape(i, 48 + i, 64) // 2).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"))


def psnr(data, name, made):
    return peak_signal_noise_ratio(np.asarray(Image.open(data / name).convert("RGB")), made)


def test_a_folder_of_pictures_is_measured_as_it_is(data, theirs):
    result = evaluate([], str(data), results={"theirs": theirs}, **PSNR)
    expected = [
        psnr(data, name, landscape(i, 48 + i, 64) // 2)
        for i, name in enumerate(("0.png", "1.jpg", "below/2.png"))
    ]
    found = result["models"]["theirs"]["psnr"]["mean"]
    assert found == pytest.approx(np.mean(expected), abs=1e-3)
    assert result["pictures"] == 3  # the gray one needs no result, as it is not measured
    assert not any("theirs" in note for note in result["notes"])


def test_pictures_lie_anywhere_where_their_names_are_their_own(data, theirs):
    (theirs / "below" / "2.png").rename(theirs / "2.png")
    Image.fromarray(landscape(5, 40, 40)).save(theirs / "unknown.png")
    result = evaluate([], str(data), results=[f"theirs={theirs}"], **PSNR)
    assert "theirs" in result["models"]
    assert "1 pictures of results theirs are of no photo in the data" in result["notes"]
    Image.fromarray(landscape(2, 50, 64)).save(theirs / "below" / "0.png")  # another 0
    (theirs / "2.png").rename(theirs / "below" / "2.png")
    assert evaluate([], str(data), results={"theirs": theirs}, **PSNR)["pictures"] == 3


@pytest.mark.parametrize(
    ("spoil", "error", "sentence"),
    [
        (
            lambda f: (f / "0.png").unlink(),
            UsageError,
            r"results theirs: 1 of 4 photos have no picture in .*, such as .*0\.png: each needs",
        ),
        (
            lambda f: Image.fromarray(landscape(0, 30, 40)).save(f / "0.png"),
            UsageError,
            r"results theirs: .*0\.png has 40x30 pixels, and its photo 64x48$",
        ),
        (
            lambda f: Image.fromarray(landscape(0, 48, 64)).save(f / "0.bmp"),
            UsageError,
            r"results theirs: .*0\.bmp and .*0\.png are of one photo",
        ),
        (
            lambda f: (f / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture"),
            ColorizerError,
            r"0\.png cannot be read",
        ),
    ],
)
def test_results_that_do_not_match_are_one_sentence(data, theirs, spoil, error, sentence):
    spoil(theirs)
    with pytest.raises(error, match=sentence):
        evaluate([], str(data), results={"theirs": theirs}, **PSNR)


def test_other_wrong_results(data, theirs, model, tmp_path):
    for results, sentence in (
        (["theirs"], "results theirs: give them a name, as NAME=FOLDER"),
        ([f"a={theirs}", f"a={theirs}"], "results a: the name is given twice"),
        ({"tiny": theirs}, "two models are called 'tiny'"),
    ):
        with pytest.raises(UsageError, match=sentence):
            evaluate([model], str(data), results=results, **PSNR)
    with pytest.raises(ColorizerError, match="no photos at"):
        evaluate([], str(data), results={"a": tmp_path / "nowhere"}, **PSNR)
    with pytest.raises(UsageError, match=r"film\.avi is a film"):
        evaluate([], "film.avi", results={"theirs": theirs})


def test_results_may_have_the_size_that_is_measured(data, theirs, tmp_path):
    """Half of them at the photo's own size, which is then brought to 256 as the photo is."""
    whole = evaluate([], str(data), results={"a": theirs}, protocol="squash256", **PSNR)
    picture = Image.open(theirs / "0.png").resize((256, 256), Image.Resampling.BICUBIC)
    picture.save(theirs / "0.png")
    again = evaluate([], str(data), results={"a": theirs}, protocol="squash256", **PSNR)
    assert again["models"]["a"] == whole["models"]["a"]


def test_functions_and_colorizers_are_models(data, model):
    def half(gray):
        return np.repeat(gray[..., None] // 2, 3, axis=2)

    colorizer = Colorizer(model)
    result = evaluate({"ours": model, "object": colorizer, "f": half}, str(data), **PSNR)
    assert result["models"]["ours"] == result["models"]["object"]
    assert result["models"]["f"]["psnr"]["mean"] < result["models"]["gray"]["psnr"]["mean"]
    assert evaluate([half, colorizer], str(data), **PSNR)["models"].keys() == {
        *("original", "gray", "half", colorizer.model_name),
    }
    assert "half" in result["about"]["f"]["function"]
    for wrong, sentence in (
        (lambda gray: gray, r"mine made uint8 of shape \(48, 64\) of gray"),
        (lambda gray: np.zeros((*gray.shape, 3)), "mine made float64"),
        (3, "a model is 3; accepted are a name, a folder, a Colorizer, or a function"),
    ):
        with pytest.raises(UsageError, match=sentence):
            evaluate({"mine": wrong}, str(data), **PSNR)
    with pytest.raises(UsageError, match="a function without a name"):
        evaluate([lambda gray: gray], str(data), **PSNR)


def test_runs_of_several_seeds_are_one_row(data, model, tmp_path):
    run = tmp_path / "run"
    write_model_folder(run / "model", "distribution")
    result = evaluate([f"ours={model},{run}"], str(data), tmp_path / "r", **PSNR)
    each = [result["models"][f"ours {i}"]["psnr"]["mean"] for i in (1, 2)]
    assert each[0] != each[1]
    seeds = result["seeds"]["ours"]["psnr"]
    assert seeds == {
        "mean": pytest.approx(np.mean(each)),
        "deviation": pytest.approx(np.std(each, ddof=1)),
    }
    assert f"| ours | {seeds['mean']:.2f} ± " in markdown(result)
    assert "ours 1" not in markdown(result)
    with (tmp_path / "r" / "summary.csv").open(newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert rows["ours"]["runs"] == "2"
    assert float(rows["ours"]["psnr_deviation"]) == pytest.approx(seeds["deviation"], rel=1e-4)
    assert float(rows["gray"]["psnr_low"]) < float(rows["gray"]["psnr"])
    assert json.loads((tmp_path / "r" / "report.json").read_text()) == result
    page = (tmp_path / "r" / "report.html").read_text()
    assert "<th>ours<small>2 runs</small></th>" in page
    with pytest.raises(UsageError, match="one run has no deviation"):
        evaluate({"ours": [model]}, str(data), **PSNR)
    with pytest.raises(UsageError, match="two models are called 'ours'"):
        evaluate([f"ours={model},{model}", f"ours={model}"], str(data), **PSNR)


def test_the_table_in_latex():
    psnr = {"title": "PSNR_&", "unit": "dB", "higher_is_better": True, "main": True}
    result = {
        "data": "photos",
        "pictures": 3,
        "protocol": {"name": "native"},
        "metrics": {"psnr": psnr},
        "models": {
            "original": {"psnr": {"mean": 100.0, "low": 100.0, "high": 100.0}},
            "gray": {"psnr": {"mean": 20.0, "low": 19.5, "high": 20.5}},
            "our_s": {"psnr": {"mean": 25.0, "low": 24.0, "high": 26.0}},
            "none": {},
        },
    }
    text = latex(result)
    assert r" & PSNR\_\& (dB)~$\uparrow$ \\" in text
    assert r"original & $100.00$ \\" in text
    assert r"gray & $20.00 \pm 0.50$ \\" in text
    assert r"our\_s & $\mathbf{25.00} \pm 1.00$ \\" in text
    assert r"none & -- \\" in text
    assert text.count(r"\begin") == text.count(r"\end") == 1


def test_gray_photos_are_kept_where_a_set_is_to_be_whole(data, theirs, capsys):
    words = ["evaluate", "--data", str(data), "--metrics", "[psnr]", "--device", "cpu"]
    assert main([*words, "--results", f"theirs={theirs}", "--keep-gray"]) == 2
    assert "gray.png: each needs one of the photo's name" in capsys.readouterr().err
    Image.fromarray(landscape(7, 48, 64)).save(theirs / "gray.png")
    assert main([*words, "--results", f"theirs={theirs}", "--keep-gray"]) == 0
    assert re.search(r"^4 pictures, native", capsys.readouterr().out, re.M)
    assert main(words) == 2
    assert "nothing to evaluate" in capsys.readouterr().err


def test_results_can_be_guessed_at_too(data, theirs, tmp_path):
    page = tmp_path / "test.html"
    evaluate([], str(data), results={"theirs": theirs}, blind=str(page))
    assert page.read_text().count('"model": "theirs"') == 3
