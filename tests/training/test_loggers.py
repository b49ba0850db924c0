"""Where the numbers of a run go, by name."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch.loggers import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from colorizer import ColorizerError, UnknownNameError, UsageError, train
from colorizer.registry import LOGGERS
from colorizer.training.loggers import create_loggers, list_loggers, show_picture
from tests.trainings import quick

STEP = {"step/loss", "step/learning_rate", "step/gradient_norm"}


class Own(Logger):
    """A logger of one's own."""

    def __init__(self, folder: str, word: str = "") -> None:
        super().__init__()
        self.folder, self.word = folder, word
        self.heard: dict[str, list] = {}
        self.settings: dict = {}
        self.shapes: list = []

    name = version = "own"

    def log_metrics(self, metrics, step=None):
        for name, value in metrics.items():
            self.heard.setdefault(name, []).append((step, float(value)))

    def log_hyperparams(self, params, *args, **kwargs):
        self.settings = params

    def log_image(self, key, images, step=None):
        self.shapes += [(key, image.shape, image.dtype.name) for image in images]


@pytest.mark.usefixtures("no_export")
def test_each_hears_steps_epochs_settings_and_grids(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Own] = []
    monkeypatch.setitem(
        LOGGERS._constructors, "own", lambda folder: made.append(Own(folder)) or made[0]
    )
    settings = quick(photos, tmp_path)
    settings.trainer.loggers = ["tensorboard", "csv", "own"]
    run = train(settings)
    (own,) = made
    assert own.folder == str(run)
    assert {*STEP, "val/loss", "loss"} <= own.heard.keys()
    assert all(value > 0 for _, value in own.heard["step/gradient_norm"])
    assert own.settings["data"]["size"] == 32
    assert len(own.shapes) == 2
    assert own.shapes[0] == ("grid", (96, 32, 3), "uint8")
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert {*STEP, "val/loss"} <= set(events.Tags()["scalars"])
    assert len(events.Images("grid")) == 2
    with (run / "csv" / "metrics.csv").open(newline="") as file:
        assert set(csv.DictReader(file).fieldnames or ()) >= STEP


def test_wrong_loggers_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_loggers() == ["csv", "mlflow", "tensorboard", "wandb"]
    with pytest.raises(UnknownNameError, match=r"unknown logger 'wanb'; did you mean 'wandb'"):
        create_loggers(["wanb"], tmp_path)
    for name in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(UsageError, match=f"logger '{name}' needs its package: pip install"):
            create_loggers({name: {}}, tmp_path)
    with pytest.raises(UsageError, match=r"logger 'csv'.*it takes folder"):
        create_loggers({"csv": {"project": "x"}}, tmp_path)
    monkeypatch.setitem(LOGGERS._constructors, "none", lambda: "text")
    with pytest.raises(UsageError, match="logger 'none' is a str, no Logger of Lightning"):
        create_loggers(["none"], tmp_path)
    made = create_loggers({f"{__name__}.Own": {"word": "hello"}}, tmp_path)
    assert (made[0].word, made[0].folder) == ("hello", str(tmp_path))


def test_tables_of_a_resumed_run_lie_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (logger,) = create_loggers(["csv"], tmp_path)
    assert Path(logger.log_dir) == tmp_path / "csv-2"


def test_one_that_cannot_begin_is_told_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refused:
        def __init__(self, **options: object) -> None:
            self.options = options

        @property
        def experiment(self) -> None:
            raise RuntimeError(f"no connection\nto {self.options['tracking_uri']}")

    monkeypatch.setattr("colorizer.training.loggers._of_package", lambda *names: Refused)
    with pytest.raises(ColorizerError, match=r"logger 'mlflow': RuntimeError: no connection to x$"):
        create_loggers({"mlflow": {"uri": "x"}}, tmp_path)


@pytest.mark.filterwarnings("ignore")  # of packages that are the user's
@pytest.mark.parametrize(
    ("name", "options", "kept"),
    [("mlflow", {}, "mlflow.db"), ("wandb", {"offline": True}, "wandb/offline-run-*")],
)
def test_packages_of_the_users_for_real(
    name: str, options: dict, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (logger,) = create_loggers({name: options}, tmp_path / "run")
    logger.log_hyperparams({"trainer": {"epochs": 3, "name": None}, "data": {"scale": (0.5, 1)}})
    logger.log_metrics({"val/loss": 1.5}, 3)
    show_picture(logger, "grid", np.zeros((8, 8, 3), np.uint8), 3)
    logger.finalize("success")
    assert list((tmp_path / "run").glob(kept))
    if name == "mlflow":
        assert len(list((tmp_path / "run" / "mlflow").rglob("*.png"))) == 1
        found = logger.experiment.get_run(logger.run_id)
        assert found.data.metrics == {"val/loss": 1.5}
        assert found.data.params["trainer/epochs"] == "3"
    else:
        import wandb

        wandb.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
