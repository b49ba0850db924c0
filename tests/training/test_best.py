"""The best epoch beside the last, and by what it is judged."""

import json
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from safetensors.torch import load_file

from colorizer import Settings, UsageError, train
from colorizer.metrics.base import ImageMean, Number
from colorizer.registry import METRICS
from tests.trainings import quick, rows


class Preset(ImageMean):
    """A number of each epoch, whatever was colored."""

    numbers = (Number("preset", "Preset", higher_is_better=True),)
    values = (1.0, 3.0, 2.0)
    epoch = 0

    def per_image(self, prediction, target):
        return torch.full((len(target.L), 1), self.values[min(Preset.epoch, 2)])


class Watching(Callback):
    """Keeps what was validated, and tells the metric the epoch."""

    def __init__(self) -> None:
        self.seen = []

    def on_validation_epoch_end(self, trainer, task):
        state = task.model.state_dict()
        self.seen.append({name: value.clone() for name, value in state.items()})
        Preset.epoch = trainer.current_epoch + 1

    def on_validation_epoch_start(self, trainer, task):
        Preset.epoch = trainer.current_epoch


@pytest.fixture
def settings(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setitem(METRICS._constructors, "preset", Preset)
    settings = quick(photos, tmp_path)
    settings.metrics, settings.trainer.epochs = ["preset"], 3
    settings.trainer.best = "val/preset"
    return settings


@pytest.mark.usefixtures("no_export")
@pytest.mark.parametrize("resumed", [False, True])
def test_the_best_epoch_is_kept_beside_the_last(settings, resumed, capsys) -> None:
    watching = Watching()
    if resumed:  # the best one lies before the checkpoint
        settings.trainer.epochs = 2
        run = train(settings, callbacks=[watching])
        assert not (run / "model-best").exists()
        assert "best epoch by val/preset: the last" in capsys.readouterr().out
        train(Settings(), run, changes={"trainer.epochs": 3}, callbacks=[watching])
    else:
        run = train(settings, callbacks=[watching])
    assert "best epoch by val/preset: 2 of 3" in capsys.readouterr().out
    for name, seen in (("model-best", watching.seen[1]), ("model", watching.seen[-1])):
        found = load_file(run / name / "w.safetensors")
        assert all(torch.equal(found[key], value) for key, value in seen.items())
    assert [float(row["val/preset"]) for row in rows(run)] == [1, 3, 2]


def test_the_best_models_folder_has_its_own_numbers(settings) -> None:
    run = train(settings, callbacks=[Watching()])
    for name, epoch, value in (("model-best", 2, 3.0), ("model", 3, 2.0)):
        facts = json.loads((run / name / "metrics.json").read_text())
        assert (facts["epoch"], facts["metrics"]["preset"]) == (epoch, value)


@pytest.mark.usefixtures("no_export")
def test_a_distribution_is_judged_by_what_it_knows(photos: Path, tmp_path: Path, capsys) -> None:
    settings = quick(photos, tmp_path)
    settings.data.holdout, settings.trainer.epochs = 0.4, 1
    run = train(settings)
    assert 0 < float(rows(run)[0]["val/calibrated_nll"]) < 10
    assert "val/calibrated_nll_temperature" in rows(run)[0]
    assert "best epoch by val/calibrated_nll: the last" in capsys.readouterr().out
    settings.model["head"], settings.loss = "ab", {"mse": 1.0}
    run = train(settings)
    assert not any("calibrated" in name for name in rows(run)[0])
    assert "best epoch by val/loss: the last" in capsys.readouterr().out
    settings.trainer.best = "val/nothing"
    with pytest.raises(UsageError, match=r"'val/nothing', which is not measured: val/loss, val/"):
        train(settings)


def test_it_may_be_asked_for_by_name(photos: Path, tmp_path: Path) -> None:
    settings = quick(photos, tmp_path)
    settings.data.holdout, settings.trainer.epochs = 0.4, 1
    settings.metrics = ["calibrated_nll", "psnr"]
    run = train(settings)
    facts = json.loads((run / "model" / "metrics.json").read_text())
    assert "calibrated_nll" in facts["metrics"]
    assert "calibrated_nll" not in facts["gray"]
