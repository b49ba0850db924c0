import copy
import itertools
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from PIL import Image
from safetensors.torch import load_file

from colorizer import ColorizerError, Settings, UsageError, train
from colorizer.color.tensors import Prediction, Target
from colorizer.data.module import PhotoModule
from colorizer.registry import LOSSES
from colorizer.training import run as run_module
from colorizer.training.finite import FiniteCheck
from colorizer.training.task import ColorTask, EpochMean
from tests.trainings import quick, rows, save


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
def test_a_loss_that_is_no_number_ends_the_run(photos: Path, tmp_path: Path) -> None:
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"mse": 1.0}
    settings.optimizer.name, settings.optimizer.learning_rate = "sgd", 1e30
    settings.optimizer.clip, settings.schedule.warmup_steps = 0.0, 0
    with pytest.raises(ColorizerError, match=r"lower optimizer.learning_rate"):
        train(settings)


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


class Duel(torch.nn.Module):
    """A loss with a discriminator that scores a picture by its mean; spoilt in some steps."""

    active = True

    def __init__(self, *spoilt: int) -> None:
        super().__init__()
        self.discriminator = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 1, 1))
        self.spoilt, self.seen = spoilt, 0

    def forward(self, prediction: Prediction, target: Target) -> torch.Tensor:
        return 1e-3 * prediction.ab.square().mean()

    def discriminator_loss(self, prediction: Prediction, target: Target) -> torch.Tensor:
        self.seen += 1
        scores = self.discriminator(prediction.rgb.detach())
        return (scores - 1).square().mean() * (float("nan") if self.seen in self.spoilt else 1)


@pytest.mark.usefixtures("no_export")
def test_each_discriminator_has_an_optimizer_of_its_own(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    for name in ("first", "second"):
        monkeypatch.setitem(LOSSES._constructors, name, lambda n=name: made.setdefault(n, Duel()))
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"first": 1.0, "second": 1.0}
    starts = []
    monkeypatch.setattr(
        ColorTask,
        "on_train_start",
        lambda self: starts.extend(copy.deepcopy(n.state_dict()) for n in self.networks[1:]),
    )
    train(settings)
    assert len(starts) == 2
    for before, duel in zip(starts, made.values(), strict=True):
        after = duel.discriminator.state_dict()
        assert not torch.equal(before["1.weight"], after["1.weight"])


@pytest.mark.usefixtures("no_export")
def test_a_discriminators_bad_step_is_its_own(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's good step keeps its batch statistics; and twenty bad ones end the training."""
    duel = Duel(2)
    monkeypatch.setitem(LOSSES._constructors, "duel", lambda: duel)
    settings = quick(photos, tmp_path / "one", head="ab")
    settings.loss, settings.trainer.nonfinite = {"duel": 1.0}, "skip"
    states: list[list[dict]] = []

    def note(self, outputs, rgb, index) -> None:
        states.append([{k: v.clone() for k, v in n.state_dict().items()} for n in self.networks])

    with monkeypatch.context() as patch:
        patch.setattr(ColorTask, "on_train_batch_end", note)
        with pytest.warns(UserWarning, match=r"skipped a step: .*epoch 1, batch 2 of 3"):
            train(settings)
    (model, judge), (model_after, judge_after) = states[:2]
    assert all(torch.equal(judge[k], judge_after[k]) for k in judge)
    statistics = [k for k in model if k.endswith("running_mean")]
    assert statistics
    assert not all(torch.equal(model[k], model_after[k]) for k in statistics)

    monkeypatch.setitem(LOSSES._constructors, "duel", lambda: Duel(*range(1000)))
    settings.trainer.epochs = 20
    with (
        pytest.warns(UserWarning, match=r"skipped a step"),
        pytest.raises(ColorizerError, match=r"20 steps in a row were skipped"),
    ):
        train(settings)


@pytest.mark.usefixtures("no_export")
def test_a_flag_that_comes_late_is_told_with_its_own_epoch(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU a flag is read steps later: here, none before it is waited for."""

    class Late:
        def __init__(self) -> None:
            self.here = False

        def query(self) -> bool:
            return self.here

        def synchronize(self) -> None:
            self.here = True

    note = FiniteCheck.note

    def late(self, batch: int, finite: torch.Tensor) -> None:
        note(self, batch, finite)
        self._waiting.append((*self._waiting.pop()[:2], Late()))

    spoil(monkeypatch, 3)  # the last batch of the first epoch
    monkeypatch.setattr(FiniteCheck, "note", late)
    settings = quick(photos, tmp_path, head="ab")
    settings.loss = {"spoilt": 1.0}
    with pytest.raises(ColorizerError, match=r"not finite in epoch 1, batch 3 of 3"):
        train(settings)


@pytest.mark.usefixtures("no_export")
def test_crops_grow_during_the_training(
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
        patch.setattr("colorizer.training.finish.export", save)
        patch.setattr("colorizer.training.run.check_exportable", lambda model: None)
        build = run_module._trainer
        patch.setattr(
            run_module,
            "_trainer",
            lambda *a, **k: (t := build(*a, **k), t.callbacks.insert(0, Follow()))[0],
        )
        create = run_module.create_initial
        initial: dict[str, np.ndarray] = {}

        def created(*args, **options):
            model = create(*args, **options)
            initial.update(
                {k: v.detach().double().numpy().copy() for k, v in model.named_parameters()}
            )
            return model

        patch.setattr(run_module, "create_initial", created)
        made = load_file(train(settings) / "model" / "w.safetensors")
    assert count == 9
    for name, value in followed.items():
        np.testing.assert_allclose(made[name].numpy(), value, rtol=1e-4, atol=1e-6)


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
