import csv
import itertools
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import Callback
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from colorizer import ColorizerError, Settings, UsageError, colorize, create_model, train
from colorizer.color import Prediction, Target
from colorizer.config import OptimizerSettings, ScheduleSettings
from colorizer.data.module import PhotoModule
from colorizer.registry import LOSSES
from colorizer.training import run as run_module
from colorizer.training.finite import FiniteCheck
from colorizer.training.optimizer import batch_factor, create_optimizer, rate
from colorizer.training.precision import resolve_precision
from colorizer.training.run import model_options
from colorizer.training.task import ColorTask, EpochMean
from tests.kill_and_resume import save
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


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the model folder is not what is tested: exporting takes longer than training."""
    monkeypatch.setattr("colorizer.training.run.export", save)


class Spoilt(torch.nn.Module):
    """A loss that is no number for the batches of the given numbers."""

    def __init__(self, *batches: int) -> None:
        super().__init__()
        self.batches, self.seen = batches, 0

    def forward(self, prediction: Prediction, target: Target) -> torch.Tensor:
        if self.training:
            self.seen += 1
        spoilt = self.training and self.seen in self.batches
        return prediction.ab.square().mean() * (float("nan") if spoilt else 1e-3)


def spoil(monkeypatch: pytest.MonkeyPatch, *batches: int) -> None:
    monkeypatch.setitem(LOSSES._constructors, "spoilt", lambda: Spoilt(*batches))


@pytest.mark.usefixtures("no_export")
def test_a_loss_that_is_no_number_is_told_with_its_photos(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 5)
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"spoilt": 1.0}
    message = (
        r"not finite in epoch 2, batch 2 of 3 \(step 5\), with the photos (.*): lower optimizer"
        r".*go on from step-000000004"
    )
    settings.trainer.checkpoint_minutes = 1e-9
    with pytest.raises(ColorizerError, match=message) as caught:
        train(settings)
    data = PhotoModule(settings.data)
    data.setup()
    order = np.random.default_rng([0, 1, 0]).permutation(11)[4:8]  # retyped: seed, epoch, rank
    told = re.search(message, str(caught.value))[1]
    assert told.split(", ") == [data.train.names[i] for i in order]


@pytest.mark.usefixtures("no_export")
def test_a_skipped_step_changes_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 2)
    settings = quick(photos, tmp_path, head="ab")
    settings.loss, settings.trainer.nonfinite = {"spoilt": 1.0}, "skip"
    states = []

    def note(self, outputs, rgb, index) -> None:
        states.append({k: v.clone() for k, v in self.model.state_dict().items()})

    monkeypatch.setattr(ColorTask, "on_train_batch_end", note)
    with pytest.warns(UserWarning, match=r"skipped a step: .*epoch 1, batch 2 of 3"):
        run = train(settings)
    same = [all(torch.equal(a[k], b[k]) for k in a) for a, b in itertools.pairwise(states)]
    assert same == [True, False, False, False, False]
    assert math.isfinite(float(rows(run)[0]["loss"]))


@pytest.mark.usefixtures("no_export")
def test_a_training_that_only_skips_is_given_up(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, *range(1000))
    settings = quick(photos, tmp_path, head="ab")
    settings.loss, settings.trainer.nonfinite = {"spoilt": 1.0}, "skip"
    settings.trainer.epochs = 20
    with (
        pytest.warns(UserWarning, match=r"skipped a step"),
        pytest.raises(ColorizerError, match=r"20 steps in a row were skipped"),
    ):
        train(settings)


@pytest.mark.usefixtures("no_export")
def test_squares_grow_during_the_training(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    batch = ColorTask.training_step
    monkeypatch.setattr(
        ColorTask,
        "training_step",
        lambda self, rgb, i: (sizes.append(rgb.shape[-1]), batch(self, rgb, i))[1],
    )
    settings = quick(photos, tmp_path)
    settings.data.grow, settings.trainer.epochs = {0.25: 40, 0.75: 48}, 4
    run = train(settings)
    assert sizes == [32] * 3 + [40] * 6 + [48] * 3
    with Image.open(run / "grids" / "epoch_001.png") as grid:
        assert grid.size == (48, 3 * 48)


@pytest.mark.usefixtures("no_export")
def test_the_network_sees_degraded_lightness_and_learns_true_chroma(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = []

    class Spy(torch.nn.Module):
        def forward(self, prediction: Prediction, target: Target) -> torch.Tensor:
            pairs.append((self.training, prediction, target))
            return prediction.ab.square().mean()

    seen = []
    monkeypatch.setitem(LOSSES._constructors, "spy", Spy)
    settings = quick(photos, tmp_path, head="ab")
    settings.loss, settings.data.degrade = {"spy": 1.0}, {"probability": 1.0, "grain": 0.2}
    task = ColorTask.predict

    def predict(self, rgb):
        handle = self.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        made = task(self, rgb)
        handle.remove()
        return made

    monkeypatch.setattr(ColorTask, "predict", predict)
    train(settings)
    trained = [(p, t) for training, p, t in pairs if training]
    assert len(trained) == 6
    assert len(seen) == 6  # validation does without hooks: it calls forward itself
    for L, (prediction, target) in zip(seen, trained, strict=True):
        assert torch.equal(prediction.L, target.L)
        assert (L - target.L).abs().mean() > 1
    with pytest.raises(UsageError, match=r"data\.degrade has no grian; it takes probability"):
        train(Settings(**vars(settings) | {"data": replace(settings.data, degrade={"grian": 1})}))


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


def test_the_moving_average_is_that_of_its_formula(photos: Path, tmp_path: Path) -> None:
    """Retyped, step by step, in double precision."""
    settings = quick(photos, tmp_path)
    settings.trainer.ema, settings.trainer.epochs = 0.4, 3
    followed: dict[str, np.ndarray] = {}
    count = 0

    class Follow(Callback):
        def on_train_batch_end(self, trainer, task, outputs, batch, index) -> None:
            nonlocal count
            count += 1
            decay = min(0.4, count / (9 + count))
            for name, value in task.model.named_parameters():
                new = value.detach().double().numpy()
                old = followed.get(name, initial[name])
                followed[name] = decay * old + (1 - decay) * new

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("colorizer.training.run.export", save)
        build = run_module._trainer
        patch.setattr(
            run_module,
            "_trainer",
            lambda *a, **k: (t := build(*a, **k), t.callbacks.insert(0, Follow()))[0],
        )
        create = run_module._create_model
        initial: dict[str, np.ndarray] = {}

        def created(*args, **options):
            model = create(*args, **options)
            initial.update(
                {k: v.detach().double().numpy().copy() for k, v in model.named_parameters()}
            )
            return model

        patch.setattr(run_module, "_create_model", created)
        made = load_file(train(settings) / "model" / "w.safetensors")
    assert count == 9
    for name, value in followed.items():
        np.testing.assert_allclose(made[name].numpy(), value, rtol=1e-4, atol=1e-6)


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


@pytest.mark.parametrize(("rule", "factor"), [("none", 1), ("sqrt", 2), ("linear", 4)])
def test_the_learning_rate_follows_the_effective_batch(rule: str, factor: float) -> None:
    settings = OptimizerSettings(batch_rule=rule, rule_batch=64)
    assert batch_factor(settings, 256) == factor
    model = create_model("colornet18", head="ab")
    groups = create_optimizer(model, settings, factor=batch_factor(settings, 256)).param_groups
    assert {group["lr"] for group in groups} == {1e-3 * factor}


@pytest.mark.parametrize(
    ("gpu", "bfloat16", "scalable", "precision"),
    [
        (True, True, True, "bf16-mixed"),
        (True, False, True, "16-mixed"),
        (True, False, False, "32-true"),
        (False, True, True, "bf16-mixed"),
        (False, False, True, "32-true"),
    ],
)
def test_precision_suits_the_hardware(
    gpu: bool, bfloat16: bool, scalable: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: bfloat16)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: bfloat16)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert resolve_precision("auto", "auto", scalable) == precision
    assert resolve_precision("32-true", "gpu") == "32-true"


def test_an_epochs_mean_is_over_its_photos() -> None:
    mean = EpochMean()
    for value, count in ((1.0, 4), (float("nan"), 4), (7.0, 2)):
        mean.update(torch.tensor(value), count)
    assert mean.compute().item() == pytest.approx((4 * 1 + 2 * 7) / 6)
    assert set(mean.state_dict()) == {"total", "count"}


def test_a_flag_is_read_when_it_has_come() -> None:
    check = FiniteCheck()
    assert check.first_bad() is None
    for batch, finite in enumerate([True, True, False, True]):
        check.note(batch, torch.tensor(finite))
    assert check.first_bad() == 2
    assert check.first_bad(wait=True) is None


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
