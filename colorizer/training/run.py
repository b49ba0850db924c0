"""A whole training: settings in, a run folder with a model folder out."""

import copy
import inspect
import json
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.utils.data import Dataset

from colorizer import config
from colorizer.config import DataSettings, OptimizerSettings, Settings
from colorizer.data import jitter  # noqa: F401  (registers it)
from colorizer.data.degrade import Degradation
from colorizer.data.module import PhotoModule
from colorizer.errors import ColorizerError, UsageError
from colorizer.export import check_exportable
from colorizer.losses import WeightedSum, create_loss
from colorizer.models import ColorModel
from colorizer.registry import AUGMENTATIONS
from colorizer.support.allocator import keep_freed_memory
from colorizer.support.files import write_whole
from colorizer.support.machine import busy_cores, cores
from colorizer.support.plugins import load_plugins
from colorizer.training.baseline import gray_baseline
from colorizer.training.batch_size import fit_batch
from colorizer.training.callbacks import (
    BestEpoch,
    ColorPrior,
    EpochLog,
    MovingAverage,
    SampleGrid,
    StepLog,
)
from colorizer.training.callbacks.checkpoints import Checkpoints, StoppedError, newest_checkpoint
from colorizer.training.finish import STARTS, finish, read_starts
from colorizer.training.finite import NotFiniteError
from colorizer.training.folder import SETTINGS, claimed, resumed_settings
from colorizer.training.loggers import create_loggers
from colorizer.training.optimizer import batch_factor, optimizer_class
from colorizer.training.precision import resolve_precision
from colorizer.training.record import hardware, provenance
from colorizer.training.start import (
    chosen_model,
    create_initial,
    load_teacher,
)
from colorizer.training.task import Augmentation, ColorTask

__all__ = ["train"]

HOLDOUT = "holdout.txt"
"""In each run folder without `data.validation`: the photos that were set aside."""


def train(
    settings: Settings,
    resume: str | Path | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    model: ColorModel | None = None,
    loss: nn.Module | None = None,
    data: Dataset[Any] | tuple[Dataset[Any], Dataset[Any]] | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Path:
    """Train a model; its run folder gets settings, logs, curves, grids, checkpoints and the model.

    With several devices this runs in a process for each: Lightning starts the others with the same
    command, or a launcher such as torchrun has started all of them.

    Args:
        settings: everything; see `colorizer.config.Settings`. They are left as they are.
        resume: a run folder to go on with, from its newest whole checkpoint, in the middle of an
            epoch too; its own settings then count. Objects below are to be given again.
        changes: of a resumed run, what to set anew, as of `Settings.load`: what shapes neither
            weights nor data.
        model: to train, in place of `settings.model`; with the weights that it has.
        loss: called with (prediction, target), in place of `settings.loss`.
        data: photos in place of `settings.data.train`, or training and validation photos: each
            item an (H, W, 3) uint8 array in sRGB, a picture of Pillow's, or a tuple that begins
            with one.
        callbacks: of Lightning's, beside ours.
        loggers: of Lightning's, beside those of `settings.trainer.loggers`.

    Returns:
        The run folder; `model` inside it is a model folder for `colorizer.Colorizer`.

    Raises:
        UsageError: a setting is wrong. ColorizerError: the photos or the weights are, or the
            training was interrupted or lost its way.
    """
    if resume is not None:
        settings = resumed_settings(Path(resume), changes or {})
    settings = copy.deepcopy(settings)  # what "auto" comes to is noted in ours
    if model is not None:
        settings.model = model.described()
    if loss is not None:
        settings.loss = {f"{type(loss).__module__}.{type(loss).__qualname__}": 1.0}
    plain = config.check(settings)
    load_plugins(settings.plugins)
    optimizer_class(settings.optimizer.name)  # an unknown one is told before anything is read
    if model is None:
        plain["model"] = chosen_model(settings)
    settings = replace(settings, model=plain["model"])
    plain.pop("inference")
    if settings.trainer.threads is not None:
        torch.set_num_threads(settings.trainer.threads)
    lightning.seed_everything(settings.trainer.seed, verbose=False)
    photos = PhotoModule(settings.data, settings.trainer.seed, datasets=data)
    terms = create_loss(settings.loss) if loss is None else WeightedSum({"own": loss}, {"own": 1.0})
    terms.set_teachers(load_teacher)
    _check_adversarial(terms, settings)
    with claimed(settings, None if resume is None else Path(resume)) as run:
        checkpoint = newest_checkpoint(run / "checkpoints")
        if model is None:
            model = create_initial(settings, resumed=checkpoint is not None)
        return _train(
            settings,
            plain,
            run,
            checkpoint,
            resume is not None,
            model,
            terms,
            photos,
            callbacks,
            loggers,
        )


def _train(
    settings: Settings,
    plain: dict[str, Any],
    run: Path,
    checkpoint: Path | None,
    resumed: bool,
    model: ColorModel,
    loss: WeightedSum,
    data: PhotoModule,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
) -> Path:
    """What `train` does once all parts are there."""
    t = settings.trainer
    t.precision = resolve_precision(t.precision, t.accelerator, scalable=not loss.adversaries)
    plain["trainer"]["precision"] = t.precision
    task = ColorTask(
        model,
        loss,
        settings.metrics,
        settings.optimizer,
        settings.schedule,
        augment=_augmentations(settings.data),
        degradation=_degradation(settings.data),
        seed=settings.trainer.seed,
        compiled=settings.trainer.compile,
        skip_nonfinite=settings.trainer.nonfinite == "skip",
    )
    first = [ColorPrior()] if loss.needs_prior and checkpoint is None else []
    trainer = _trainer(
        settings, run, [*first, *callbacks], loggers, ddp_finds_unused=bool(loss.adversaries)
    )
    data.device, data.ranks = trainer.strategy.root_device, trainer.world_size
    data.rank = trainer.global_rank
    if data.device.type == "cpu":
        keep_freed_memory()
    data.setup()
    if settings.data.batch_size == "auto":
        settings.data.batch_size = fit_batch(task, settings, data)
        plain["data"]["batch_size"] = settings.data.batch_size
    if trainer.is_global_zero:
        if checkpoint is None:
            check_exportable(model)  # now, and not after hours
        _begin(run, plain, data, trainer, checkpoint, resumed)
    _fit(trainer, task, data, checkpoint)
    gray = gray_baseline(trainer, task, data)
    if trainer.is_global_zero:
        best = next((c for c in _callbacks(trainer) if isinstance(c, BestEpoch)), None)
        finish(run, plain, data, model, gray, best)
    if trainer.world_size > 1:
        # The others stay until the model is exported: a launcher takes the first to leave, or one
        # that leaves its connections open, for a failure of all.
        trainer.strategy.barrier()
        torch.distributed.destroy_process_group()
    return run


def _fit(trainer: Trainer, task: ColorTask, data: PhotoModule, checkpoint: Path | None) -> None:
    """Train; whatever ends it early is told with the way to go on."""
    with warnings.catch_warnings():
        # Batches are made by threads, which Lightning does not look for.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists")  # a resumed run's
        warnings.filterwarnings("ignore", "Found .* module.s. in eval mode")  # frozen ones
        try:
            trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
        except StoppedError as stop:
            raise ColorizerError(f"{stop}; {_way_on(trainer)}") from stop
        except NotFiniteError as error:
            raise ColorizerError(
                f"{error}: lower optimizer.learning_rate, use trainer.precision 32-true or "
                f"trainer.nonfinite skip as you go on; {_way_on(trainer)}"
            ) from error
        except SystemExit as stop:  # Lightning's answer to Ctrl-C
            raise ColorizerError(f"training was stopped at once; {_way_on(trainer)}") from stop


def _callbacks(trainer: Trainer) -> list[Callback]:
    return trainer.callbacks  # ty: ignore[missing-attribute]


def _folder(trainer: Trainer) -> Path:
    """The run folder that the first process has made: all agree on it when they have met."""
    (checkpoints,) = (each for each in _callbacks(trainer) if isinstance(each, Checkpoints))
    return checkpoints.folder.parent


def _way_on(trainer: Trainer) -> str:
    run = _folder(trainer)
    last = newest_checkpoint(run / "checkpoints")
    where = f"from {last.name}" if last else "from its start, as there is no checkpoint yet"
    return f"go on {where}: colorizer train --resume {run}"


def _begin(
    run: Path,
    plain: dict[str, Any],
    data: PhotoModule,
    trainer: Trainer,
    checkpoint: Path | None,
    resumed: bool,
) -> None:
    """Note in the run folder what starts now, and say it."""
    try:
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ColorizerError(f"the run folder {run} cannot be made: {error.strerror}") from error
    write_whole(run / SETTINGS, yaml.safe_dump(plain, sort_keys=False))
    t, batch = plain["trainer"], plain["data"]["batch_size"]
    ranks, effective = trainer.world_size, batch * trainer.world_size * t["accumulate"]
    optimizer = OptimizerSettings(**plain["optimizer"])
    learning_rate = optimizer.learning_rate * batch_factor(optimizer, effective)
    start = {
        "resumed_from": checkpoint.name if checkpoint else None,
        "photos": len(data.train),
        "validation_photos": len(data.validation),
        "place": data.place,
        "effective_batch": effective,
        "learning_rate": learning_rate,
        "seed": t["seed"],
        **provenance(),
        "hardware": hardware(trainer.strategy.root_device, ranks),
    }
    write_whole(run / STARTS, json.dumps([*read_starts(run), start], indent=2) + "\n")
    print(
        f"training {plain['model']['name']} on {len(data.train)} photos, validating on "
        f"{len(data.validation)}; run folder: {run}\n{data.place}\n"
        f"a step takes {effective} photos ({batch} at a time x {ranks} devices x "
        f"{t['accumulate']} accumulated); learning rate {learning_rate:g}",
        flush=True,
    )
    if data.held_out and not (run / HOLDOUT).exists():
        write_whole(run / HOLDOUT, "\n".join([*data.validation.names, ""]))
    for logger in trainer.loggers:
        logger.log_hyperparams(plain)
    threads = torch.get_num_threads()
    if trainer.strategy.root_device.type == "cpu" and threads > 1:
        busy, count = busy_cores(), cores()
        if busy > count - threads + 0.5:
            print(
                f"note: other programs keep {busy:.1f} of {count} cores busy; {threads} threads "
                f"may be many times slower than --trainer.threads {max(1, round(count - busy))}",
                flush=True,
            )
    if resumed:
        print(f"going on from {checkpoint.name if checkpoint else 'the start'}", flush=True)


def _augmentations(data: DataSettings) -> list[Augmentation]:
    """Those that the settings name, tried on a picture."""
    made = [AUGMENTATIONS.create(name, **(options or {})) for name, options in data.augment.items()]
    rgb, generator = torch.full((1, 3, 32, 32), 0.5), torch.Generator().manual_seed(0)
    for name, change in zip(data.augment, made, strict=True):
        found = change(rgb, generator)
        if getattr(found, "shape", None) != rgb.shape:
            raise UsageError(
                f"augmentation {name!r} made {type(found).__name__} of shape "
                f"{tuple(getattr(found, 'shape', ()))} of (1, 3, 32, 32): it is to keep the shape"
            )
    return made


def _degradation(data: DataSettings) -> Degradation | None:
    if data.degrade is None:
        return None
    accepted = list(inspect.signature(Degradation).parameters)
    if unknown := data.degrade.keys() - accepted:
        raise UsageError(
            f"data.degrade has no {', '.join(sorted(unknown))}; it takes {', '.join(accepted)}"
        )
    return Degradation(**data.degrade)


def _check_adversarial(loss: WeightedSum, settings: Settings) -> None:
    t = settings.trainer
    if loss.adversaries and t.max_steps is not None:
        raise UsageError(
            "trainer.max_steps counts the steps of one optimizer, and a loss with a discriminator "
            "has several: say trainer.epochs"
        )
    if loss.adversaries and (t.accumulate > 1 or t.precision == "16-mixed"):
        raise UsageError(
            "a loss with a discriminator (adversarial) steps an optimizer of its own: it needs "
            "trainer.accumulate 1 and trainer.precision bf16-mixed or 32-true"
        )


def _trainer(
    settings: Settings,
    run: Path,
    first: Sequence[Callback],
    loggers: Sequence[Logger],
    ddp_finds_unused: bool,
) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it advertises
    t = settings.trainer
    # The grid is drawn before the average gives place to the weights that are trained.
    callbacks: list[Callback] = [*first, EpochLog(run), StepLog(), SampleGrid(run, t.grid)]
    if t.best is not None:
        callbacks.append(BestEpoch(t.best))
    if t.ema:
        callbacks.append(MovingAverage(t.ema))
    callbacks.append(Checkpoints(run / "checkpoints", t.checkpoint_minutes))
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules  # a terminal, or a notebook
    if watched:
        callbacks.append(RichProgressBar())
    # A launcher such as torchrun says how many processes it has started.
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", t.devices))
    nodes = int(os.environ.get("WORLD_SIZE", devices * t.num_nodes)) // devices
    several = DDPStrategy(find_unused_parameters=ddp_finds_unused, gradient_as_bucket_view=True)
    return Trainer(
        accelerator=t.accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=several if devices * nodes > 1 else "auto",
        precision=resolve_precision(t.precision, t.accelerator),
        deterministic=t.deterministic,
        benchmark=not t.deterministic,
        max_epochs=t.epochs,
        accumulate_grad_batches=t.accumulate,
        callbacks=callbacks,
        max_steps=t.max_steps or -1,
        logger=[*create_loggers(t.loggers, run), *loggers],
        log_every_n_steps=1,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_progress_bar=watched,
    )
