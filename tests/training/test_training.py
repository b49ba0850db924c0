import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from colorizer import UsageError, colorize, train
from colorizer.training.start import model_options
from tests.drawn import landscape
from tests.trainings import quick, rows


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(quick(photos, tmp_path_factory.mktemp("runs")))


def test_a_run_leaves_everything_in_its_folder(run: Path) -> None:
    with Image.open(run / "curves.png") as curves:
        assert curves.width > 100
    with Image.open(run / "grids" / "epoch_002.png") as grid:
        assert grid.size == (32, 3 * 32)  # one photo is held out
    assert any((run / "tensorboard").iterdir())
    assert yaml.safe_load((run / "settings.yaml").read_text())["trainer"]["epochs"] == 2
    assert [row["epoch"] for row in rows(run)] == ["1", "2"]
    facts = json.loads((run / "model" / "metrics.json").read_text())
    assert set(facts["metrics"]) > {"loss", "psnr"}
    assert facts["gray"]["psnr"] > 0
    assert facts["photos"] == 11
    assert "psnr" in (run / "model" / "card.md").read_text()


def test_the_model_folder_colors_a_photo(run: Path, photos: Path) -> None:
    colored = colorize(photos / "01.jpg", model=run / "model")
    assert colored.shape == (49, 63, 3)
    assert np.ptp(colored.astype(int), axis=2).max() > 0


def test_the_prior_of_the_photos_is_kept_with_the_model(run: Path) -> None:
    prior = load_file(run / "model" / "weights.safetensors")["head.training_prior"]
    assert prior.sum().item() == pytest.approx(1, abs=1e-2)
    assert prior.max() > 0.05


def test_the_same_settings_give_the_same_weights(run: Path, photos: Path, tmp_path: Path) -> None:
    again = train(quick(photos, tmp_path))
    one, other = (load_file(r / "model" / "weights.safetensors") for r in (run, again))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("head", "loss"), [("ab", "huber"), ("distribution", "distribution")])
def test_a_few_photos_can_be_learnt_by_heart(head: str, loss: str, tmp_path: Path) -> None:
    for i in range(4):
        Image.fromarray(landscape(i, 40, 40)).save(tmp_path / f"{i}.png")
    settings = quick(tmp_path, tmp_path / "runs", head=head)
    settings.loss = {loss: 1.0}
    settings.data.validation = str(tmp_path)
    settings.data.scale, settings.data.flip = (1.0, 1.0), False
    settings.optimizer.learning_rate = 5e-3
    settings.data.batch_size = 2
    settings.trainer.epochs, settings.trainer.ema = 30, 0.0
    settings.trainer.precision = "32-true"
    run = train(settings)
    losses = [float(row["loss"]) for row in rows(run)]
    assert losses[-1] < 0.5 * losses[0]
    facts = json.loads((run / "model" / "metrics.json").read_text())
    assert facts["metrics"]["channelwise_l2"] < 0.5 * facts["gray"]["channelwise_l2"]


def test_an_adversarial_loss_trains_both_networks(photos: Path, tmp_path: Path) -> None:
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"huber": 1.0, "adversarial": 0.05}
    run = train(settings)
    assert {"loss/huber", "loss/adversarial"} <= set(rows(run)[-1])
    assert (run / "model" / "model.onnx").is_file()


@pytest.mark.usefixtures("no_export")
def test_the_largest_batch_is_found_once_and_noted(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def largest(trial, device, most) -> int:
        trial(2)
        tried.append((device.type, most))
        return 5

    monkeypatch.setattr("colorizer.training.batch_size.largest_batch", largest)
    settings = quick(photos, tmp_path)
    settings.data.batch_size = "auto"
    run = train(settings)
    assert tried == [("cpu", 11)]
    assert yaml.safe_load((run / "settings.yaml").read_text())["data"]["batch_size"] == 5


@pytest.mark.usefixtures("no_export")
def test_a_model_that_cannot_be_compiled_is_trained_without(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_, **__):
        raise RuntimeError("no compiler here")

    monkeypatch.setattr("torch.compile", fail)
    settings = quick(photos, tmp_path)
    settings.trainer.compile = True
    with pytest.warns(UserWarning, match=r"torch\.compile failed .no compiler here.; the training"):
        other = train(settings)
    assert rows(other)[-1]["loss"] == rows(run)[-1]["loss"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_export")
@pytest.mark.filterwarnings("default")
def test_a_compiled_model_learns_the_same(run: Path, photos: Path, tmp_path: Path) -> None:
    settings = quick(photos, tmp_path)
    settings.trainer.compile = True
    other = train(settings)
    assert float(rows(other)[-1]["loss"]) == pytest.approx(float(rows(run)[-1]["loss"]), rel=0.02)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("model", {"name": "colornet19"}, "did you mean 'colornet18'"),
        ("loss", {"hubber": 1.0}, "did you mean 'huber'"),
        ("metrics", ["psnrr"], "did you mean 'psnr'"),
        ("model", {"name": "colornet18", "pretrained": False, "widht": 3}, "widht"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    part: str, value: object, message: str, photos: Path, tmp_path: Path
) -> None:
    settings = quick(photos, tmp_path)
    setattr(settings, part, value)
    with pytest.raises(UsageError, match=message):
        train(settings)
    assert not list(tmp_path.iterdir())


def test_training_starts_pretrained_unless_told_otherwise() -> None:
    assert model_options({"name": "colornet18"}) == {"name": "colornet18", "pretrained": True}
    assert model_options({"name": "constantnet"}) == {"name": "constantnet"}
    assert "pretrained" not in model_options({"name": "colornet18", "pretrained_file": "x.pth"})
    assert model_options({"name": "colornet18", "pretrained": False})["pretrained"] is False
