import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from colorizer import ColorizerError, Settings, UsageError, colorize, create_model, train
from colorizer.config import OptimizerSettings, ScheduleSettings
from colorizer.training.optimizer import create_optimizer, rate
from colorizer.training.run import model_options
from tests.pictures import landscape


def quick(photos: Path, out: Path, **model: object) -> Settings:
    """Settings of a training that takes seconds."""
    settings = Settings(
        model={"name": "colornet", "encoder": "test_resnet", "pretrained": False, **model}
    )
    settings.data.train = str(photos)
    settings.data.size = settings.data.crop = 32
    settings.data.batch_size = 4
    settings.trainer.output = str(out)
    settings.trainer.epochs = 2
    settings.trainer.accelerator = "cpu"
    return settings


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


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


def test_a_loss_that_is_no_number_ends_the_run(photos: Path, tmp_path: Path) -> None:
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"mse": 1.0}
    settings.optimizer.name, settings.optimizer.learning_rate = "sgd", 1e30
    settings.optimizer.clip, settings.schedule.warmup_steps = 0.0, 0
    with pytest.raises(ColorizerError, match=r"lower optimizer.learning_rate"):
        train(settings)


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


def test_cosine_warms_up_and_ends_at_its_final_share() -> None:
    settings = ScheduleSettings(name="cosine", warmup_steps=100, final=0.02)
    rates = [rate(settings, step, 1001, 100) for step in range(1002)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[100] == pytest.approx(1)
    assert rates[550] == pytest.approx(0.02 + 0.98 * (1 + math.cos(math.pi * 450 / 901)) / 2)
    assert rates[-1] == pytest.approx(0.02)


def test_steps_reduce_the_rate_every_so_many_epochs() -> None:
    settings = ScheduleSettings(name="step", warmup_steps=0, step_epochs=2, gamma=0.1)
    rates = [rate(settings, step, 60, 10) for step in (0, 19, 20, 39, 40)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimizers_by_name(name: str) -> None:
    model = create_model("colornet18", head="ab")
    optimizer = create_optimizer(model, OptimizerSettings(name=name, weight_decay=0.5))
    assert type(optimizer).__name__.lower() == name
    plain = {id(m.weight) for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
    for group in optimizer.param_groups:
        assert group["lr"] == 1e-3
        assert all(
            (id(p) in plain or p.ndim == 1) == (group["weight_decay"] == 0) for p in group["params"]
        )


def test_a_pretrained_encoder_learns_slower_and_a_frozen_one_not_at_all() -> None:
    model = create_model("colornet", encoder="test_resnet", freeze=True)
    model.config["pretrained"] = True
    trained = {
        id(p)
        for g in create_optimizer(model, OptimizerSettings()).param_groups
        for p in g["params"]
    }
    assert trained.isdisjoint(id(p) for p in model.encoder.parameters())
    model.encoder.requires_grad_(True)
    groups = create_optimizer(model, OptimizerSettings(encoder_factor=0.3)).param_groups
    encoder = {id(p) for p in model.encoder.parameters()}
    for group in groups:
        slow = {id(p) in encoder for p in group["params"]}
        assert len(slow) == 1
        assert group["lr"] == pytest.approx(3e-4 if slow.pop() else 1e-3)
