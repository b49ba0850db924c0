import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from colorizer import ColorizerError, Settings, UsageError, train
from colorizer.training.callbacks import checkpoints
from colorizer.training.callbacks.checkpoints import newest_checkpoint
from colorizer.training.run import _way_on
from tests.kill_and_resume import CASES, settings
from tests.systems import needs_posix
from tests.trainings import quick, save

slow = pytest.mark.slow


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (path,) = folder.glob("*/model/*.safetensors")
    return load_file(path)


def rows(folder: Path) -> list[dict[str, str]]:
    """What was logged of each epoch, but for the time that it took."""
    (path,) = folder.glob("*/metrics.csv")
    with path.open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@needs_posix("fork")
@pytest.mark.parametrize(
    "case",
    [case if case == "distribution" else pytest.param(case, marks=[slow]) for case in CASES],
)
def test_a_killed_and_resumed_run_ends_with_the_same_weights(
    case: str, photos: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.kill_and_resume", photos, tmp_path, case, "3"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    killed = json.loads(result.stdout.splitlines()[-1])
    assert killed, "no run was killed"
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


@pytest.fixture(scope="module", autouse=True)
def _quick_export() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("colorizer.training.finish.export", save)
        patch.setattr("colorizer.training.run.check_exportable", lambda model: None)
        yield


@pytest.fixture(params=[(1, 1), (0, 3)])
def stopped(
    request: pytest.FixtureRequest, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A run that was told to stop, in the middle and at the end of an epoch."""

    def stop(self, trainer, task, batch, index) -> None:
        if (trainer.current_epoch, index) == request.param:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "on_train_batch_start", stop)
        with pytest.raises(
            ColorizerError, match=r"training was stopped; go on from step-0.*--resume"
        ):
            train(settings(str(photos), str(tmp_path), "accumulate"))
    (run,) = tmp_path.iterdir()
    return run


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return train(settings(str(photos), str(folder), "accumulate")).parent


@needs_posix("such signals")
def test_a_signal_leaves_a_checkpoint_from_which_it_goes_on(stopped: Path, whole: Path) -> None:
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert not (stopped / "model").exists()
    assert train(Settings(), resume=stopped) == stopped
    one, other = weights(stopped.parent), weights(whole)
    assert rows(stopped.parent) == rows(whole)
    assert all(torch.equal(one[name], other[name]) for name in one)
    starts = json.loads((stopped / "starts.json").read_text())
    assert [bool(start["resumed_from"]) for start in starts] == [False, True]


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        digest = hashlib.sha256(b"weights %d" % step).hexdigest()
        (tmp_path / f"step-{step:09d}-{digest[:16]}.ckpt").write_bytes(b"weights %d" % step)
    (tmp_path / "unfinished.tmp").write_bytes(b"x")
    older, newer, newest = sorted(tmp_path.glob("*.ckpt"))
    assert newest_checkpoint(tmp_path) == newest
    newest.write_bytes(b"weights 101")
    with pytest.warns(UserWarning, match=rf"{newest.name} is damaged"):
        assert newest_checkpoint(tmp_path) == newer
    newest.unlink()
    newer.write_bytes(b"weigh")
    older.write_bytes(b"")
    with pytest.warns(UserWarning, match=r"is damaged"):
        assert newest_checkpoint(tmp_path) is None


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"settings\.yaml"):
        train(Settings(), resume=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainer: {epochs: many}", r"settings\.yaml: .*epochs"),
        ("trainer: {epoch: 3}", r"settings\.yaml: .*epoch"),
        ("trainer: {epochs: 3", r"settings\.yaml: "),
    ],
)
def test_a_slip_in_the_settings_of_a_run_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        train(Settings(), resume=tmp_path)


def test_each_process_knows_the_run_folder_of_the_first(tmp_path: Path) -> None:
    """By its own clock the second has called it otherwise."""
    first, second = tmp_path / "2026-01-01_000000_x", tmp_path / "2026-01-01_000001_x"
    mine = checkpoints.Checkpoints(second / "checkpoints", 1.0)
    strategy = SimpleNamespace(broadcast=lambda _: str(first / "checkpoints"))
    trainer = SimpleNamespace(strategy=strategy, callbacks=[mine])
    mine.setup(trainer, None, "fit")
    assert _way_on(trainer).endswith(f"--resume {first}")


def test_a_setting_that_changes_on_resuming_counts(photos: Path, tmp_path: Path) -> None:
    """The checkpoint's own learning rate came back in its place, without a word."""
    made = quick(photos, tmp_path, head="ab")
    made.loss, made.trainer.ema, made.trainer.epochs = {"l1": 1.0}, 0.0, 1
    made.schedule.warmup_steps, made.optimizer.weight_decay = 0, 0.0
    run = train(made)
    before = weights(run.parent)
    changes = {"trainer.epochs": 2, "optimizer.learning_rate": 1e-12}
    train(Settings(), resume=run, changes=changes)
    after = weights(run.parent)
    moved = [
        name
        for name, value in before.items()
        if "running" not in name
        and not torch.allclose(value, after[name], atol=1e-7)
        and value.is_floating_point()
    ]
    assert not moved
    assert len(rows(run.parent)) == 2
