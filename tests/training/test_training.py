import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from colorizer import UsageError, colorize, train
from colorizer.cli import main
from colorizer.color.tensors import Prediction, rgb_to_lab
from colorizer.data.module import PhotoModule
from colorizer.models import create_model
from colorizer.training.start import model_options
from tests.drawn import landscape
from tests.trainings import quick, rows, save


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


def test_the_prior_of_the_photos_is_kept_with_the_model(
    run: Path, photos: Path, tmp_path: Path
) -> None:
    data = PhotoModule(quick(photos, tmp_path).data)
    data.setup()
    kept = load_file(run / "model" / "weights.safetensors")["head.training_prior"]
    np.testing.assert_allclose(kept.float(), data.color_prior(), rtol=1e-3, atol=1e-6)


def test_the_same_settings_give_the_same_weights(run: Path, photos: Path, tmp_path: Path) -> None:
    again = train(quick(photos, tmp_path))
    one, other = (load_file(r / "model" / "weights.safetensors") for r in (run, again))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("head", "loss"),
    [
        pytest.param("ab", "huber", marks=pytest.mark.slow),
        ("distribution", "distribution"),
    ],
)
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


@pytest.mark.usefixtures("no_export")
@pytest.mark.slow
def test_an_adversarial_loss_trains_both_networks(photos: Path, tmp_path: Path) -> None:
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"huber": 1.0, "adversarial": 0.05}
    run = train(settings)
    assert {"loss/huber", "loss/adversarial"} <= set(rows(run)[-1])


@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize(("start", "active"), [(0.5, True), (0.9, False)])
def test_a_loss_starts_within_an_epoch(
    photos: Path, tmp_path: Path, start: float, active: bool
) -> None:
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"huber": 1.0, "adversarial": {"start": start, "channels": 2}}
    settings.data.batch_size, settings.trainer.epochs = 4, 1  # of 11 photos: the last at two thirds
    (row,) = rows(train(settings))
    assert (float(row["loss/adversarial"]) != 0) == active


@pytest.mark.usefixtures("no_export")
def test_the_batch_is_found_once_and_noted_in_the_run_alone(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorizer.training.run.fit_batch", lambda *_: 5)
    settings = quick(photos, tmp_path)
    settings.data.batch_size = "auto"
    before = copy.deepcopy(settings)
    run = train(settings)
    noted = yaml.safe_load((run / "settings.yaml").read_text())
    assert noted["data"]["batch_size"] == 5
    assert noted["trainer"]["precision"] != "auto"
    assert settings == before


@pytest.mark.usefixtures("no_export")
def test_a_grid_shows_the_weights_that_are_validated(photos: Path, tmp_path: Path) -> None:
    settings = quick(photos, tmp_path)
    settings.optimizer.learning_rate, settings.trainer.ema = 0.05, 0.9
    settings.schedule.warmup_steps = 0
    run = train(settings)
    model = create_model(**settings.model)
    model.load_state_dict(load_file(run / "model" / "w.safetensors"), strict=False)
    data = PhotoModule(settings.data)
    data.setup()
    L, _ = rgb_to_lab(data.samples(8).float() / 255)
    with torch.no_grad():
        ours = Prediction(L, model.eval()(L), model.decode).rgb[0]
    with Image.open(run / "grids" / "epoch_002.png") as grid:
        drawn = torch.from_numpy(np.array(grid)[-32:]).permute(2, 0, 1) / 255
    assert (drawn - ours).abs().max() < 0.03  # bfloat16 at most


@pytest.mark.slow
def test_curves_are_drawn_without_touching_the_notebooks_backend(run: Path) -> None:
    """In a process of its own: another test may have chosen a backend."""
    code = (
        "import matplotlib; matplotlib.use('svg')\n"
        "from pathlib import Path\n"
        "from colorizer.training.callbacks.log import _draw_curves, epoch_rows\n"
        f"_draw_curves(epoch_rows(Path({str(run / 'metrics.csv')!r})), Path('c.png'))\n"
        "assert matplotlib.get_backend() == 'svg', matplotlib.get_backend()\n"
    )
    env = os.environ | {"PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=run, env=env)
    with Image.open(run / "c.png") as curves:
        assert curves.width > 100


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
        ("model", {"name": "constantnet", "head": "distributon"}, "did you mean 'distribution'"),
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


RECIPES = sorted((Path(__file__).parents[2] / "colorizer" / "recipes").glob("*.yaml"))


SMALLER = {
    "cic": {"model.width": "8"},
    "ddcolor": {
        "model.pretrained": "false",
        "model.encoder": "test_convnext",
        "loss": "{l1: 0.1, perceptual: {weight: 5.0, style: 0.0, vgg16: random}, adversarial: 1.0,"
        " colorfulness: 0.5}",
    },
    "icolorit": {"model.width": "16", "model.depth": "1"},
}


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(r, marks=[pytest.mark.slow] * (r.stem in ("ddcolor", "flagship")))
        for r in RECIPES
    ],
    ids=lambda recipe: recipe.stem,
)
def test_recipes_train(
    recipe: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorizer.training.finish.export", save)
    monkeypatch.setattr("colorizer.training.run.check_exportable", lambda model: None)
    fewer = {
        **SMALLER.get(recipe.stem, {"model.pretrained": "false"}),  # ImageNet's are not here
        "data.size": "32",
        "data.crop": "32",
        "data.grow": "{0.5: 48}",
        "data.batch_size": "4",
        "trainer.epochs": "3",  # frozen, larger crops, and no longer frozen
        "trainer.accelerator": "cpu",
        "trainer.output": str(tmp_path),
    }
    flags = [part for name, value in fewer.items() for part in (f"--{name}", value)]
    assert main(["train", "--config", str(recipe), "--data.train", str(photos), *flags]) == 0
    (run,) = tmp_path.iterdir()
    assert float(rows(run)[-1]["val/psnr"]) > 5
