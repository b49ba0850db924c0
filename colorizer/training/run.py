"""A whole training: settings in, a run folder with a model folder out."""

import importlib.metadata
import inspect
import json
import logging
import platform
import subprocess
import sys
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from colorizer import config
from colorizer.config import Settings
from colorizer.data import PhotoModule
from colorizer.errors import ColorizerError, UsageError
from colorizer.export import export
from colorizer.losses import create_loss
from colorizer.models import create_model
from colorizer.models.heads import DistributionHead
from colorizer.registry import MODELS
from colorizer.training.callbacks import (
    EpochLog,
    MovingAverage,
    SampleGrid,
    epoch_rows,
    gray_baseline,
)
from colorizer.training.card import card
from colorizer.training.task import ColorTask

__all__ = ["model_options", "train"]


def train(settings: Settings, resume: str | Path | None = None) -> Path:
    """Train a model; its run folder gets settings, logs, curves, grids, checkpoints and the model.

    Args:
        settings: everything; see `colorizer.config.Settings`.
        resume: a run folder to go on with, from its last whole epoch; its own settings then count.

    Returns:
        The run folder; `model` inside it is a model folder for `colorizer.Colorizer`.

    Raises:
        UsageError: a setting is wrong. ColorizerError: the photos or the weights are, or the
            training was interrupted or lost its way.
    """
    if resume is not None:
        settings = _saved_settings(Path(resume))
    plain = config.check(settings)
    plain.pop("inference")
    lightning.seed_everything(settings.trainer.seed, verbose=False)
    data = PhotoModule(settings.data, settings.trainer.seed)
    loss = create_loss(settings.loss)
    model = create_model(**model_options(settings.model))
    if loss.adversarial and (
        settings.trainer.accumulate > 1 or settings.trainer.precision == "16-mixed"
    ):
        raise UsageError(
            "the adversarial loss steps two optimizers: it needs trainer.accumulate 1 and "
            "trainer.precision bf16-mixed or 32-true"
        )
    task = ColorTask(model, loss, settings.metrics, settings.optimizer, settings.schedule)
    data.setup()
    if loss.needs_prior:
        prior = torch.from_numpy(data.color_prior())
        loss.set_prior(prior)
        if isinstance(model.head, DistributionHead):
            model.head.training_prior.copy_(prior)

    run = Path(resume) if resume is not None else _new_folder(settings)
    (run / "settings.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    print(
        f"training {settings.model['name']} on {len(data.train)} photos, validating on "
        f"{len(data.validation)}; run folder: {run}",
        flush=True,
    )
    trainer = _trainer(settings, run, task.automatic_optimization)
    surroundings = _surroundings()  # now: the checkout may change while it trains
    try:
        _fit(trainer, task, data, run / "checkpoints/last.ckpt" if resume else None)
    except SystemExit as stop:  # Lightning's answer to Ctrl-C
        raise ColorizerError(
            f"training was stopped; go on from its last whole epoch: colorizer train --resume {run}"
        ) from stop
    facts = {
        "metrics": {
            name.removeprefix("val/"): round(value.item(), 6)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/")
        },
        "gray": {name: round(value, 6) for name, value in gray_baseline(trainer, task).items()},
        "photos": len(data.train),
        "validation_photos": len(data.validation),
        "seconds": round(sum(float(row["seconds"]) for row in epoch_rows(run / "metrics.csv"))),
        "resumed": resume is not None,
        **surroundings,
        "hardware": _hardware(task.device),
    }
    described = plain | {"model": {**model.config, "head": model.head.name}}
    texts = {
        "metrics.json": json.dumps(facts, indent=2) + "\n",
        "card.md": card(described, facts),
    }
    size = config.working_size(settings.data)
    export(model, run / "model", settings=plain, size=size, extra_files=texts)
    print(f"model folder: {run / 'model'}", flush=True)
    return run


def _fit(trainer: Trainer, task: ColorTask, data: PhotoModule, checkpoint: Path | None) -> None:
    with warnings.catch_warnings():
        # Photos are resident: there are no loader workers to recommend.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists")  # a resumed run's
        trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)


def model_options(model: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of `create_model`; training starts pretrained unless told otherwise."""
    options = dict(model)
    accepted = inspect.signature(MODELS[options["name"]]).parameters
    if "pretrained" in accepted and not options.get("pretrained_file"):
        options.setdefault("pretrained", True)
    return options


def _new_folder(settings: Settings) -> Path:
    stamp = datetime.now().strftime("%Y-%m-%d_%H%M%S")
    run = Path(settings.trainer.output) / f"{stamp}_{settings.model['name']}"
    try:
        run.mkdir(parents=True)
    except OSError as error:
        raise ColorizerError(f"the run folder {run} cannot be made: {error.strerror}") from error
    return run


def _saved_settings(run: Path) -> Settings:
    from jsonargparse import ArgumentParser

    for needed in ("settings.yaml", "checkpoints/last.ckpt"):
        if not (run / needed).is_file():
            raise UsageError(f"{run} is no run that can be resumed: it has no {needed}")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Settings, "settings")
    saved = yaml.safe_load((run / "settings.yaml").read_text(encoding="utf-8"))
    return parser.instantiate(parser.parse_object({"settings": saved})).settings


def _trainer(settings: Settings, run: Path, automatic: bool) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it advertises
    t = settings.trainer
    callbacks: list[Callback] = [
        ModelCheckpoint(run / "checkpoints", filename="last", enable_version_counter=False),
        EpochLog(run),
        SampleGrid(run, t.grid),
    ]
    if t.ema:
        callbacks.insert(0, MovingAverage(t.ema))
    if sys.stderr.isatty():
        callbacks.append(RichProgressBar())
    # With two optimizers the task clips for itself, and Lightning refuses to.
    by_trainer = {"gradient_clip_val": settings.optimizer.clip or None} if automatic else {}
    return Trainer(
        accelerator=t.accelerator,
        devices=1,
        precision=t.precision,
        max_epochs=t.epochs,
        accumulate_grad_batches=t.accumulate,
        callbacks=callbacks,
        logger=TensorBoardLogger(run, "", "tensorboard"),
        log_every_n_steps=1,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        **by_trainer,
    )


def _surroundings() -> dict[str, str]:
    """Where a result comes from: versions, commit, date."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return {
        "colorizer": importlib.metadata.version("colorizer"),
        "commit": commit,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now().date().isoformat(),
    }


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}), {torch.get_num_threads()} threads"
