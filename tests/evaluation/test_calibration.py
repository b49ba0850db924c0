"""How a model is decoded best, found on photos."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from colorizer import UsageError, create_model
from colorizer.evaluation.calibration import Setting, best, calibrate
from colorizer.export import export
from colorizer.inference.colorizer import Colorizer
from tests.drawn import landscape

TINY = {"name": "colornet", "encoder": "test_resnet", "last_stride": 8, "width": 8}


def setting(
    colorfulness: float, delta_e: float, lpips: float | None = None, hue_shares: float = 0.5
) -> Setting:
    return Setting(256, 0.4, 0.5, 1.0, 20.0, delta_e, colorfulness, hue_shares, lpips)


def test_the_rule_is_lively_enough_and_then_most_like_the_originals() -> None:
    gray = {"psnr": 20.0, "delta_e": 10.0, "lpips": 0.4, "hue_shares": 1.0}
    dull, lively, vivid = setting(30, 5, 0.1), setting(35, 7, 0.2), setting(45, 9, 0.3)
    assert best([vivid, lively, dull], gray, original=40) == lively
    assert best([vivid, lively, dull], gray, original=33) == dull
    assert best([vivid, lively, dull], gray, original=90) == vivid
    looks, colors = setting(40, 9, 0.2), setting(40, 8.7, 0.21)  # 0.9 + 0.5, 0.87 + 0.525
    assert best([looks, colors], gray, original=40) == colors
    in_place = setting(40, 8.7, 0.21, hue_shares=0.4)
    assert best([colors, in_place], gray, original=40) == in_place
    del gray["lpips"]
    by_delta_e = [setting(40, 8), setting(40, 6), setting(10, 1)]
    assert best(by_delta_e, gray, original=40) == by_delta_e[1]


def colorfulness(photos: Path) -> float:
    """Mean over the photos of Hasler and Suesstrunk's measure, by hand."""
    values = []
    for photo in photos.glob("[0-9].png"):
        r, g, b = np.moveaxis(np.asarray(Image.open(photo).convert("RGB"), float), -1, 0)
        rg, yb = r - g, (r + g) / 2 - b
        spread, center = np.hypot(rg.std(), yb.std()), np.hypot(rg.mean(), yb.mean())
        values.append(spread + 0.3 * center)
    return float(np.mean(values))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model folder whose head prefers some colors, and photos."""
    place = tmp_path_factory.mktemp("calibration")
    torch.manual_seed(0)
    model = create_model(**TINY)
    torch.nn.init.normal_(model.head.project.bias, std=2.0)
    prior = torch.rand(len(model.head.bins))
    model.head.training_prior.copy_(prior / prior.sum())
    (place / "photos").mkdir()
    for i in range(2):
        Image.fromarray(landscape(i, 48, 64)).save(place / "photos" / f"{i}.png")
    Image.fromarray(np.full((40, 40), 99, np.uint8)).save(place / "photos" / "gray.png")
    return export(model, place / "model", settings={}, size=64), place / "photos"


def test_the_choice_is_written_and_colors_as_it_was_measured(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, photos = made
    grid = {"sizes": [32, 64], "temperatures": [0.3], "moderations": [0.0, 1.0]}
    grid["gains"] = [0.8, 1.3]
    result = calibrate(folder, str(photos), tmp_path / "out", **grid)
    assert len(result.settings) == 8
    assert result.photos == 2
    (note,) = result.notes
    assert "gray.png: it is gray already" in note
    assert result.gray["colorfulness"] == pytest.approx(0, abs=0.5)
    assert result.original == pytest.approx(colorfulness(photos), rel=0.01)
    assert result.chosen == best(result.settings, result.gray, result.original)
    inference = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())["inference"]
    chosen = result.chosen
    assert inference == {
        "size": chosen.size,
        "temperature": chosen.temperature,
        "moderation": chosen.moderation,
        "gain": chosen.gain,
    }
    table = str(result)
    assert table.count("chosen") == 1
    assert "| gray |" in table
    # What was measured is what the written folder does: PSNR, by hand, of the sRGB values.
    errors = []
    for photo in sorted(photos.glob("[0-9].png")):
        original = np.asarray(Image.open(photo).convert("RGB"))
        gray = Colorizer(folder, vividness=0.0).colorize(original)[..., :1]
        colored = Colorizer(tmp_path / "out").colorize(gray[..., 0].copy())
        mse = ((colored / 255.0 - original / 255.0) ** 2).mean()
        errors.append(-10 * np.log10(mse))
    assert chosen.psnr == pytest.approx(np.mean(errors), abs=0.15)


@pytest.mark.slow
def test_sizes_that_are_padded_alike_are_measured_apart(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, photos = made
    one = {"temperatures": [0.3], "moderations": [1.0], "gains": [1.0]}
    sizes = [46, 47, 48]
    together = calibrate(folder, str(photos), tmp_path / "out", sizes=sizes, **one).settings
    alone = [
        calibrate(folder, str(photos), tmp_path / "out", sizes=[size], **one).settings[0]
        for size in sizes
    ]
    assert together == alone
    assert len({setting.delta_e for setting in together}) == 3


def test_what_cannot_be_calibrated_is_said(made: tuple[Path, Path], tmp_path: Path) -> None:
    folder, photos = made
    with pytest.raises(UsageError, match="ships with the package: name a folder"):
        calibrate("colornet18", str(photos))
    for wrong in ([0.0], [], ["warm"]):
        with pytest.raises(UsageError, match="accepted are lists of numbers above 0, up to 10"):
            calibrate(folder, str(photos), temperatures=wrong)
    plain = export(create_model(**TINY, head="ab"), tmp_path / "ab", settings={})
    with pytest.raises(UsageError, match="predicts no distribution"):
        calibrate(plain, str(photos))
