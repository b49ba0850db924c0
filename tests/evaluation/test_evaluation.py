"""The evaluator on generated pictures: numbers, report files, bad input, statistics, runtimes."""

import csv
import io
import json
import re
import tarfile

import numpy as np
import pytest
import torch
from markupsafe import escape
from PIL import Image
from scipy.stats import binomtest
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

from colorizer import create_model, registry
from colorizer.cli import main
from colorizer.data.photos import find_photos
from colorizer.errors import ColorizerError, UnknownNameError, UsageError
from colorizer.evaluation import evaluate
from colorizer.evaluation.contenders import TorchNetwork, contenders
from colorizer.evaluation.protocol import as_picture, gray_of, read_original
from colorizer.evaluation.report.tables import cell, markdown
from colorizer.evaluation.statistics import bootstrap, jackknife, sign_test
from colorizer.export import export
from colorizer.inference.colorizer import Colorizer
from colorizer.metrics.base import ImageMean, Number
from colorizer.metrics.perceptual import SetDistance
from colorizer.model_folder import ModelFolder
from tests.drawn import landscape
from tests.model_folder import write_model_folder

METRICS = ["psnr", "delta_e", "colorfulness", "chroma_histogram"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five photos, one of them in a shard, and four files that cannot be measured."""
    folder = tmp_path_factory.mktemp("data")
    for i in range(4):
        Image.fromarray(landscape(i, 48 + i, 64)).save(folder / f"{i}.png")
    gray = landscape(7, 48, 64)[..., :1].repeat(3, axis=2)
    Image.fromarray(gray).save(folder / "gray.png")
    toned = (gray[..., :1] / 255) ** np.array([0.8, 1.0, 1.4]) * 255
    Image.fromarray(toned.astype(np.uint8)).save(folder / "toned.png")
    Image.fromarray(landscape(8, 20, 64)).save(folder / "tiny.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    encoded = io.BytesIO()
    Image.fromarray(landscape(9, 50, 60)).save(encoded, "png")
    with tarfile.open(folder / "shard.tar", "w") as shard:
        entry = tarfile.TarInfo("in/it.png")
        entry.size = len(encoded.getvalue())
        shard.addfile(entry, io.BytesIO(encoded.getvalue()))
    return folder


@pytest.fixture(scope="module")
def report(model, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    names = [f"a={model}", f"b={model}", "gray"]
    wanted = [*METRICS, "stability"]
    result = evaluate(names, str(data), folder, metrics=wanted, device="cpu")
    return folder, result


def test_the_baselines_are_known_answers(report):
    models = report[1]["models"]
    assert list(models) == ["original", "gray", "a", "b"]
    assert models["original"]["psnr"] == {"mean": 100, "low": 100, "high": 100}
    assert models["original"]["delta_e"]["mean"] == pytest.approx(0, abs=1e-4)
    assert models["gray"]["colorfulness"]["mean"] == pytest.approx(0, abs=0.02)
    assert models["gray"]["psnr"]["mean"] < 30
    assert models["a"] == models["b"]


def test_means_are_those_of_scikit_image(report, data):
    psnr, delta_e = [], []
    for name in ("0.png", "1.png", "2.png", "3.png"):
        original = np.asarray(Image.open(data / name))
        gray = gray_of(as_picture(original).L)[..., None].repeat(3, axis=2)
        psnr.append(peak_signal_noise_ratio(original, gray))
        delta_e.append(deltaE_ciede2000(rgb2lab(original), rgb2lab(gray)).mean())
    with (report[0] / "pictures.csv").open(newline="") as file:
        rows = {row["picture"]: row for row in csv.DictReader(file) if row["model"] == "gray"}
    found = [rows[f"{i}.png"] for i in range(4)]
    np.testing.assert_allclose([float(row["psnr"]) for row in found], psnr, atol=1e-3)
    np.testing.assert_allclose([float(row["delta_e"]) for row in found], delta_e, atol=5e-3)


def test_every_interval_holds_its_mean(report):
    for numbers in report[1]["models"].values():
        for name, value in numbers.items():
            assert value["low"] <= value["mean"] <= value["high"], name


def test_what_cannot_be_measured_is_listed(report):
    left_out = {entry["photo"]: entry["reason"] for entry in report[1]["excluded"]}
    assert report[1]["pictures"] == 5
    assert left_out["gray.png"] == "it is gray already"
    assert left_out["toned.png"] == "it is toned in one hue, such as sepia"
    assert left_out["tiny.png"] == "it has 64x20 pixels, fewer than 32 one way"
    assert left_out["broken.jpg"].startswith("cannot be read: ")
    assert report[1]["notes"][0].startswith("4 of 9 photos are left out of all numbers")


def test_the_same_model_twice_ties(report):
    pair = next(p for p in report[1]["pairs"] if (p["first"], p["second"]) == ("a", "b"))
    assert pair == {
        "metric": "delta_e",
        "first": "a",
        "second": "b",
        "first_wins": 0,
        "second_wins": 0,
        "ties": 5,
        "p": 1.0,
    }


def test_color_drift_is_the_models_alone(report):
    models = report[1]["models"]
    assert "stability" not in models["gray"]
    drift = models["a"]
    mean = (drift["stability_half"]["mean"] + drift["stability_double"]["mean"]) / 2
    assert drift["stability"]["mean"] == pytest.approx(mean)
    assert 0 < mean < 10


def test_report_files(report):
    folder, result = report
    assert {path.name for path in folder.iterdir()} == {
        *("report.html", "report.json", "pictures.csv", "sheet.jpg"),
        *("summary.csv", "summary.tex"),
    }
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == result
    with (folder / "pictures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 4
    assert {row["picture"] for row in rows} == {
        *(f"{i}.png" for i in range(4)),
        "shard.tar/in/it.png",
    }
    means = result["models"]["a"]["psnr"]["mean"]
    own = [float(row["psnr"]) for row in rows if row["model"] == "a"]
    assert np.mean(own) == pytest.approx(means, abs=1e-4)
    with Image.open(folder / "sheet.jpg") as sheet:
        assert sheet.size == (5 * 160, 4 * 120)


def test_the_page_stands_alone(report, data):
    page = (report[0] / "report.html").read_text(encoding="utf-8")
    links = re.findall(r"""(?:src|href)=["']?([^"'> ]{1,40})""", page)
    assert all(link.startswith(("data:image/jpeg", "#")) for link in links)  # #: within a plot
    assert not re.search(r"""@import|url\((?!#)|fetch\(""", page)
    assert "{{" not in page
    assert str(data.parent) not in page
    for text in ("ΔE CIEDE2000", "gray.png", "Best", "Worst", "weights sha256", "native"):
        assert text in page
    ids = re.findall(r'class=strip id="(p\d+)"', page)
    assert len(ids) == len(set(ids)) == 5


def test_a_new_metric_is_in_every_table_and_report(model, data, tmp_path, monkeypatch):
    """By what it says of itself alone."""

    class Saturation(ImageMean):
        numbers = (Number("saturation", "Made-up saturation", "Lab", False, paired=True),)

        def per_image(self, prediction, target):
            return prediction.ab.norm(dim=1).mean((1, 2))[:, None]

    class Seen(SetDistance):
        numbers = (Number("seen", "Seen", per_image=False),)
        weights = "alexnet"

        def __init__(self, alexnet: str = "imagenet") -> None:
            raise AssertionError("it has no weights")

    monkeypatch.setitem(registry.METRICS._constructors, "saturation", Saturation)
    monkeypatch.setitem(registry.METRICS._constructors, "seen", Seen)
    result = evaluate([model], str(data), tmp_path, device="cpu", limit=3)
    assert "| Made-up saturation (Lab)\N{NO-BREAK SPACE}↓ |" in markdown(result)
    assert any(pair["metric"] == "saturation" for pair in result["pairs"])
    assert any(note.startswith("seen is left out") for note in result["notes"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    main, rest = page.split("All numbers")
    assert "<button>Made-up saturation" in main
    assert "<small>saturation</small>" in rest
    assert "Made-up saturation (Lab), lower is better" in rest  # a plot
    assert '<option value="saturation">' in rest
    assert "saturation" in (tmp_path / "pictures.csv").read_text().splitlines()[0]


def test_what_users_call_things_is_text(model, tmp_path):
    """Never markup, and never filled in."""
    names = ["{{ result }}.png", "<b>{{picks}}<b>.png", "a&'\".png"]
    for i, name in enumerate(names):
        Image.fromarray(landscape(i, 40, 40)).save(tmp_path / name)
    report = tmp_path / "report"
    evaluate([f"<i>{{{{spread}}}}={model}"], str(tmp_path), report, metrics=["psnr"], device="cpu")
    page = (report / "report.html").read_text(encoding="utf-8")
    for name in (*names, "<i>{{spread}}"):
        assert escape(name) in page
    assert "<b>{{" not in page
    assert "<i>{{" not in page


def test_the_same_again_is_the_same(report, model, data):
    again = evaluate([f"a={model}"], str(data), metrics=[*METRICS, "stability"], device="cpu")
    assert again["models"]["a"] == report[1]["models"]["a"]


@pytest.mark.parametrize(
    ("protocol", "size"),
    [("native", (49, 64)), ("squash256", (256, 256)), ("center256", (256, 256))],
)
def test_protocols(protocol, size, data):
    photo = next(photo for photo in find_photos(data) if photo.name.endswith("1.png"))
    rgb = read_original(photo, protocol)
    assert (rgb.shape, rgb.dtype) == ((*size, 3), np.uint8)
    if protocol == "native":
        assert (rgb == landscape(1, 49, 64)).all()
    if protocol == "center256":
        whole = Image.fromarray(landscape(1, 49, 64)).resize((334, 256), Image.Resampling.BICUBIC)
        assert (rgb == np.asarray(whole)[:, 39:295]).all()


def test_gray_keeps_the_lightness():
    picture = as_picture(landscape(0, 40, 50))
    gray = gray_of(picture.L)
    again = as_picture(gray[..., None].repeat(3, axis=2))
    assert (again.L - picture.L).abs().max() < 0.3


def test_wrong_requests(model, data, tmp_path):
    cases = [
        ({"protocol": "nativ"}, UsageError, "known: native, squash256, center256"),
        ({"metrics": ["lpip"]}, UnknownNameError, "did you mean 'lpips'"),
        ({"device": "gpu"}, UsageError, "accepted are auto, cpu and cuda"),
        ({"limit": 0}, UsageError, "limit is 0"),
        ({"report": data / "0.png"}, UsageError, "0.png cannot be a folder: File exists"),
        ({"models": ["nothing"]}, UnknownNameError, "unknown model 'nothing'"),
        ({"models": [model, f"tiny={model}"]}, UsageError, "NAME=FOLDER"),
        ({"data": str(tmp_path / "none")}, ColorizerError, "no photos at"),
        ({"data": str(data / "gray.png")}, ColorizerError, "none of the 1 photos .* gray already"),
        ({"metrics": ["lpips"], "alexnet": "no.safetensors"}, UsageError, "alexnet 'no.safe"),
    ]
    for change, error, message in cases:
        options = {"models": [model], "data": str(data), "metrics": ["mse"], **change}
        with pytest.raises(error, match=message):
            evaluate(**options)


def test_metrics_without_weights_are_left_out_with_a_sentence(model, data):
    result = evaluate([model], str(data / "0.png"), device="cpu")
    assert "lpips" not in result["models"]["gray"]
    assert {"psnr", "psnr_pooled", "ssim", "channelwise_l2_a"} <= set(result["models"]["gray"])
    assert next(note for note in result["notes"] if "lpips is left out" in note).endswith(
        "--alexnet"
    )


def test_distances_between_sets(model, data):
    options = {"alexnet": "random", "vgg16": "random", "metrics": ["lpips", "frechet_vgg16"]}
    result = evaluate([model], str(data), device="cpu", **options)
    models = result["models"]
    assert models["original"]["lpips"]["mean"] == 0
    assert models["original"]["frechet_vgg16"]["mean"] == pytest.approx(0, abs=1e-6)
    assert models["gray"]["frechet_vgg16"]["mean"] > 0
    assert any(
        "biased upward with fewer than 2,000 pictures (5 here)" in n for n in result["notes"]
    )
    assert {pair["metric"] for pair in result["pairs"]} == {"lpips"}
    assert "untrained" in result["backbones"]["frechet_vgg16"]


def test_command_line(model, data, tmp_path, capsys):
    words = [
        "evaluate",
        "--model",
        model,
        "--data",
        str(data),
        "--limit",
        "3",
        "--metrics",
        "[psnr]",
    ]
    assert main([*words, "--report", str(tmp_path / "report")]) == 0
    out, _ = capsys.readouterr()
    assert re.search(r"^\| tiny \| \d+\.\d\d \|", out, re.MULTILINE)
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000
    assert main([*words[:5], "--protocol", "none"]) == 2
    assert "unknown protocol 'none'" in capsys.readouterr().err


def test_torch_and_onnx_runtime_agree(tmp_path):
    torch.manual_seed(0)
    model = create_model("constantnet", head="ab", width=8)
    folder = export(model, tmp_path / "net", settings={}, size=64)
    original = landscape(3, 50, 70)
    gray = gray_of(as_picture(original).L)
    network = TorchNetwork(ModelFolder.find(folder), "cpu")
    runtimes = [Colorizer(folder), Colorizer(network)]
    pair = [runtime.colorize(gray) for runtime in runtimes]
    scores = [peak_signal_noise_ratio(original, picture) for picture in pair]
    assert scores[0] == pytest.approx(scores[1], abs=0.01)
    assert scores[0] != peak_signal_noise_ratio(original, gray[..., None].repeat(3, axis=2))


def test_baselines_are_always_there(model):
    assert [row.name for row in contenders(["gray", model, "original"], None, "cpu")] == [
        *("original", "gray", "tiny"),
    ]


def test_the_best_quality_is_that_of_coloring(model):
    gray = gray_of(as_picture(landscape(3, 50, 70)).L)
    pictures = []
    for quality in ("fast", "best"):
        row = contenders([model], None, "cpu", quality)[-1]
        assert row.about["quality"] == quality
        pictures.append(row.color(gray, gray))
        np.testing.assert_array_equal(
            pictures[-1], Colorizer(model, quality=quality).colorize(gray)
        )
    assert (pictures[0] != pictures[1]).any()


def test_bootstrap_covers_the_mean():
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(100):
        rows = torch.from_numpy(rng.normal(3, 1, (60, 1)))
        low, high = bootstrap(rows, lambda mean: mean, seed)
        covered += bool(low < 3 < high)
        assert high - low == pytest.approx(2 * 1.96 * rows.std().item() / 60**0.5, rel=0.2)
    assert 87 <= covered <= 99


def test_jackknife_of_a_mean_is_its_standard_error():
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (400, 1)))
    low, high = jackknife(x, x, lambda a, b: a.mean(0))
    assert (high - low).item() == pytest.approx(2 * 1.96 / 20, rel=0.5)
    assert jackknife(x[:3], x[:3], lambda a, b: a.mean(0))[0].isnan()


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (3, 3), (10, 2), (0, 8), (700, 300)])
def test_sign_test_is_scipys(wins, losses):
    first = np.array([0.0] * wins + [1.0] * losses + [2.0] * 4)
    second = np.array([1.0] * wins + [0.0] * losses + [2.0] * 4)
    found = sign_test(first, second)
    assert found[:3] == (wins, losses, 4)
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1
    assert found.p == pytest.approx(expected, rel=1e-6)


def test_cells():
    shown = [cell(value) for value in (24.126, 1.2345, 0.07412, 0.0, -0.002, None)]
    assert shown == ["24.13", "1.234", "0.0741", "0.00", "\N{MINUS SIGN}0.0020", "\N{EN DASH}"]
