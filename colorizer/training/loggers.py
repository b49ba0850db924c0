"""Where the numbers and grids of a run go: Lightning's loggers, by name."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger

from colorizer.errors import ColorizerError, UsageError
from colorizer.registry import LOGGERS

__all__ = ["create_loggers", "list_loggers", "show_picture"]


def list_loggers(pattern: str | None = None) -> list[str]:
    """The names that `trainer.loggers` may have, sorted."""
    return LOGGERS.names(pattern)


def create_loggers(
    names: Sequence[str] | Mapping[str, Mapping[str, Any] | None], run: Path
) -> list[Logger]:
    """Loggers by name, or by name with keywords of their constructors.

    One whose constructor takes a `folder` is given that of the run.

    Raises: UnknownNameError for a name; UsageError for a keyword, or a package that is missing;
        ColorizerError for one that cannot be begun, as without a login or a connection.
    """
    options = names if isinstance(names, Mapping) else dict.fromkeys(names)
    made = []
    for name, given in options.items():
        chosen = dict(given or {})
        if "folder" in inspect.signature(LOGGERS[name]).parameters:
            chosen.setdefault("folder", str(run))
        logger = LOGGERS.create(name, **chosen)
        if not isinstance(logger, Logger):
            raise UsageError(
                f"logger {name!r} is a {type(logger).__name__}, no Logger of Lightning"
            )
        made.append(logger)
    return made


def show_picture(logger: Logger, name: str, picture: np.ndarray, step: int) -> None:
    """Hand a picture, (H, W, 3) uint8, to a logger that can show any.

    A logger of one's own has `log_image(key, images, step)` for it, as that of W&B does.
    """
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, picture, step, dataformats="HWC")
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, picture, f"{name}_{step}.png")
    elif callable(show := getattr(logger, "log_image", None)):
        show(name, [picture], step)


@LOGGERS.register("tensorboard")
def tensorboard(folder: str) -> Logger:
    """Event files in the run's folder `tensorboard`."""
    return TensorBoardLogger(folder, "", "tensorboard")


@LOGGERS.register("csv")
def csv_files(folder: str) -> Logger:
    """`csv/metrics.csv` in the run's folder, of a resumed run `csv-2`, and so on."""
    names = ("csv", *(f"csv-{i}" for i in range(2, 1_000_000)))
    free = next(name for name in names if not (Path(folder) / name).exists())
    return CSVLogger(folder, "", free)


@LOGGERS.register("wandb")
def wandb(folder: str, project: str = "colorizer", offline: bool = False) -> Logger:
    """Weights & Biases, which sends what is logged to its server unless `offline`."""
    kind = _of_package("wandb", "WandbLogger")
    options = {"project": project, "offline": offline}
    return _begun("wandb", lambda: kind(name=Path(folder).name, save_dir=folder, **options))


@LOGGERS.register("mlflow")
def mlflow(folder: str, experiment: str = "colorizer", uri: str | None = None) -> Logger:
    """MLflow, at a tracking server's `uri` or in the run's folder: `mlflow.db` and `mlflow`."""
    kind = _of_package("mlflow", "MLFlowLogger")
    own, options = Path(folder).resolve(), {"tracking_uri": uri}
    if uri is None:  # MLflow 3 refuses a folder, which it took before
        options["tracking_uri"] = f"sqlite:///{(own / 'mlflow.db').as_posix()}"
        options["artifact_location"] = (own / "mlflow").as_uri()
    name = {"experiment_name": experiment, "run_name": own.name}
    return _begun("mlflow", lambda: kind(**name, **options))


def _of_package(package: str, name: str) -> Any:
    try:
        import_module(package)
    except ImportError as error:
        raise UsageError(f"logger {package!r} needs its package: pip install {package}") from error
    return getattr(import_module("lightning.pytorch.loggers"), name)


def _begun(name: str, create: Callable[[], Logger]) -> Logger:
    """A logger that has reached its server or file: else it would be told after the first epoch.

    Raises: ColorizerError where it has not.
    """
    try:
        logger = create()
        _ = logger.experiment  # ty: ignore[missing-attribute]
    except Exception as error:  # no login, no connection, no room: in the package's own ways
        reason = " ".join(str(error).split())[:200]
        raise ColorizerError(f"logger {name!r}: {type(error).__name__}: {reason}") from error
    return logger
