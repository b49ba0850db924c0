"""The settings, typed: one tree of dataclasses, the single source of every default."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, dataclass_transform

from colorizer.errors import UsageError
from colorizer.options import DEFAULT_MODEL
from colorizer.support.nearest import did_you_mean

__all__ = [
    "DataSettings",
    "InferenceSettings",
    "OptimizerSettings",
    "ScheduleSettings",
    "Settings",
    "TrainerSettings",
    "check",
    "crop_at",
    "last_crop",
    "recipe",
    "size_as_trained",
]


RECIPES = Path(__file__).resolve().parent / "recipes"
"""Files of whole experiments that ship with the package."""

T = TypeVar("T")


def _set_known(self: Any, name: str, value: Any) -> None:
    known = self.__dataclass_fields__
    if name not in known:
        hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
        raise UsageError(f"{type(self).__name__} has no setting {name!r}{hint}")
    object.__setattr__(self, name, value)


@dataclass_transform()
def _settings(cls: type[T]) -> type[T]:
    """A dataclass that refuses unknown names: `settings.trainer.epoch = 3` names `epochs`."""
    setattr(cls, "__setattr__", _set_known)  # noqa: B010 - which a type checker may overlook
    return dataclass(cls)


@_settings
class DataSettings:
    """Photos to learn from.

    Args:
        train: a folder of photos (any depth), a tar shard, a folder of shards, or a pattern such as
            `photos/train_*.tar`; or shards of a store: `s3://bucket/train_{000..999}.tar`. There
            is no default data set. Or a dataset by name, with keywords of its constructor, such as
            `{name: mymodule.Photos}` or `{name: hugging_face, path: user/photos, split: train}`.
        validation: likewise; without it `holdout` of the training photos are set aside.
        holdout: share of the training photos to validate on when `validation` is not set.
        size: short side in pixels at which photos are decoded and kept.
        mode: where decoded photos lie. "resident": on the training device, or in the system's
            memory, decoded once for all runs; "streaming": nowhere, each is decoded anew each
            epoch; "auto": resident if they fit.
        cache: the folder that keeps decoded photos for the next run; "auto" is one in the user's
            cache, None keeps nothing. When a new set makes it larger than a fifth of its disk, the
            sets that were used longest ago are removed.
        workers: threads that prepare batches where photos are not resident on the training device;
            None leaves one core to the training and takes the others.
        crop: side in pixels of the squares that the network is trained on.
        grow: larger squares later: share of the training from which on -> side in pixels, such as
            `{0.5: 192, 0.8: 256}`; an epoch has one size. Validation is at the last one.
        scale: smallest and largest side of a training square, as a share of the photo's short side.
        flip: mirror half of the training squares.
        augment: what changes training squares before anything else, in this order: names, each
            with keywords of its constructor, such as `{jitter: {saturation: 0.3}}`.
        degrade: keywords of `colorizer.data.degrade.Degradation`: make the lightness that the
            network sees look like that of an old photograph; `{}` is the default recipe, None is
            off.
        batch_size: squares per step on each device, or "auto": on an NVIDIA GPU the most that fit,
            found once and noted in the run's settings; elsewhere 64.
    """

    train: str | dict[str, Any] | None = None
    validation: str | dict[str, Any] | None = None
    holdout: float = 0.05
    size: int = 160
    mode: Literal["auto", "resident", "streaming"] = "auto"
    cache: str | None = "auto"
    workers: int | None = None
    crop: int = 128
    grow: dict[float, int] = field(default_factory=dict)
    scale: tuple[float, float] = (0.6, 1.0)
    flip: bool = True
    augment: dict[str, dict[str, Any]] = field(default_factory=dict)
    degrade: dict[str, Any] | None = None
    batch_size: int | Literal["auto"] = 64


@_settings
class OptimizerSettings:
    """How weights are updated.

    Args:
        name: the algorithm: adamw, adam, sgd, another one of torch's or timm's, such as nadam or
            lion, or `module.Class`.
        learning_rate: its peak, which the schedule scales.
        batch_rule: how it follows the effective batch (squares per step on all devices together):
            "sqrt" or "linear" in its ratio to `rule_batch`, or "none", not at all.
        rule_batch: the effective batch that `learning_rate` was chosen for.
        encoder_factor: the learning rate of a pretrained encoder, relative to the rest.
        weight_decay: of convolution weights; biases and normalisation have none.
        betas: running averages of adam and adamw, and of others that have two.
        momentum: of sgd, and of others that have it.
        clip: largest norm of the gradient; 0 for no limit.
        options: more keywords of its constructor.
    """

    name: str = "adamw"
    learning_rate: float = 1e-3
    batch_rule: Literal["none", "sqrt", "linear"] = "none"
    rule_batch: int = 64
    encoder_factor: float = 0.3
    weight_decay: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    momentum: float = 0.9
    clip: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


@_settings
class ScheduleSettings:
    """How the learning rate changes; every schedule begins with a linear warm-up.

    Args:
        name: the curve.
        warmup_steps: steps from 0 to the full learning rate; at most a tenth of the training.
        final: cosine and linear: the share of the learning rate that is left at the end.
        step_epochs: step: epochs between two reductions.
        milestones: milestones: the steps at which it is reduced.
        gamma: step and milestones: factor of each reduction.
    """

    name: Literal["cosine", "linear", "constant", "step", "milestones"] = "cosine"
    warmup_steps: int = 300
    final: float = 0.02
    step_epochs: int = 30
    milestones: list[int] = field(default_factory=list)
    gamma: float = 0.1


@_settings
class TrainerSettings:
    """The run.

    Args:
        epochs: how often every photo is seen.
        output: the folder that gets a folder for each run.
        seed: of weights, order and crops.
        precision: of the arithmetic in the network; color is float32 always. "auto": bfloat16 where
            the hardware has it, else float16 on an NVIDIA GPU, else float32.
        accelerator: where to train.
        devices: how many, on each node; above 1 they share the work (distributed data parallel).
        num_nodes: machines.
        compile: let torch.compile fuse the network's operations; slower to start.
        deterministic: on a GPU too, the same settings give the same weights; slower.
        ema: decay per step of the moving average of weights, which is what is validated and
            exported; 0 for none.
        accumulate: batches whose gradients make one step.
        checkpoint_minutes: longest time between two checkpoints; the end of an epoch makes one too.
        nonfinite: "stop" the run at the first loss or gradient that is not finite, or "skip" the
            step, which waits for the device at each one.
        grid: validation photos shown each epoch (original, gray, ours).
        max_steps: end after so many steps, if the epochs are not over by then; None is no limit.
        name: of the run's folder in `output`; None is the time and the model.
        best: the number of the validation by which the best epoch is kept, as `model-best` beside
            `model`, the last, unless it is the last itself: "val/loss", "val/psnr", ...; "auto" is
            "val/calibrated_nll" where the model predicts a distribution, else "val/loss"; None
            keeps none.
        loggers: names of what hears the numbers and grids of the run, "tensorboard", "csv",
            "wandb", "mlflow" or one's own; or name and keywords of each one's constructor, such as
            `{wandb: {project: colors}}`.
        threads: of the processor, for the network; None takes all cores. While other programs keep
            cores busy, 1 may be many times faster.
    """

    epochs: int = 100
    output: str = "runs"
    seed: int = 0
    precision: Literal["auto", "bf16-mixed", "16-mixed", "32-true"] = "auto"
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: int = 1
    num_nodes: int = 1
    compile: bool = False
    deterministic: bool = False
    ema: float = 0.999
    accumulate: int = 1
    checkpoint_minutes: float = 10.0
    nonfinite: Literal["stop", "skip"] = "stop"
    grid: int = 8
    max_steps: int | None = None
    name: str | None = None
    best: str | None = "auto"
    loggers: list[str] | dict[str, dict[str, Any]] = field(default_factory=lambda: ["tensorboard"])
    threads: int | None = None


@_settings
class InferenceSettings:
    """What `colorize.py --mode=inference` does.

    Args:
        model: a shipped model's name, or a model folder.
        output: the file to write.
    """

    model: str = DEFAULT_MODEL
    output: str = "colorizer/output/colored.jpg"


@_settings
class Settings:
    """Everything that can be set.

    Args:
        init: start from all the weights of this: a shipped model's name, a model folder (whose
            model counts unless `model` names another) or a state dict.
        model: its name (default: colornet18, or what `init` holds), and any keyword of its
            constructor.
        loss: name and weight of each loss, or its weight with any keywords of its constructor, such
            as `{huber: 1.0, contrastive: {weight: 0.1, mode: layers}}`.
        metrics: names of what is measured on the validation photos; or name and keywords of each
            metric's constructor, such as `{psnr: {}, lpips: {alexnet: alexnet.safetensors}}`.
        data: photos to learn from.
        optimizer: how weights are updated.
        schedule: how the learning rate changes.
        trainer: the run.
        inference: what `colorize.py --mode=inference` does.
        plugins: modules, or .py files, of your own to import first: what they register can be named
            above. They are noted in the run and in its model folder.
    """

    init: str | None = None
    model: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=lambda: {"distribution": 1.0})
    metrics: list[str] | dict[str, dict[str, Any]] = field(
        default_factory=lambda: ["mse", "channelwise_l2", "psnr"]
    )
    data: DataSettings = field(default_factory=DataSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    plugins: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, file: str | Path, **changes: Any) -> "Settings":
        """The settings of a YAML file: of an experiment, or the settings.yaml of a run.

        Args:
            file: the file, or the name of a recipe, such as "flagship".
            changes: what to set beside, by group (`trainer={"epochs": 3}`) or by dotted name
                (`**{"trainer.epochs": 3}`); what is not named in a group stays.

        Raises:
            UsageError: no such file, no YAML, a setting that is unknown or of another type.

        Example:
            >>> Settings.load("flagship", trainer={"epochs": 3}).trainer.epochs
            3
        """
        import yaml
        from jsonargparse import ArgumentError, ArgumentParser

        path = recipe(file)
        try:
            plain = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            if not isinstance(plain, dict):
                raise UsageError(f"{path} holds no settings: name them as group: {{name: value}}")
            for name, value in changes.items():
                _put(plain, name.split("."), value)
            parser = ArgumentParser(exit_on_error=False)
            parser.add_class_arguments(cls, "settings")
            return parser.instantiate(parser.parse_object({"settings": plain})).settings
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        except (ArgumentError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {' '.join(str(error).split())}") from error


def recipe(file: str | Path) -> Path:
    """A file of settings, or the recipe of this name that ships with the package.

    Raises: UsageError where it is neither.
    """
    path = Path(file).expanduser()
    if path.is_file():
        return path
    shipped = sorted(place.stem for place in RECIPES.glob("*.yaml"))
    if str(file) in shipped:
        return RECIPES / f"{file}.yaml"
    raise UsageError(
        f"there is no file {file}{did_you_mean(str(file), shipped)}; recipes: {', '.join(shipped)}"
    )


def _put(into: dict[str, Any], names: Sequence[str], value: Any) -> None:
    """Set a value at a place of a tree of dictionaries; of a dictionary, what it names."""
    name, *rest = names
    below = into.get(name)
    if rest:
        into[name] = dict(below) if isinstance(below, dict) else {}
        _put(into[name], rest, value)
    elif isinstance(value, Mapping) and isinstance(below, dict):
        for key, each in value.items():
            _put(below, [str(key)], each)
    else:
        into[name] = value


def last_crop(data: DataSettings) -> int:
    """The side in pixels of the squares at the end of the training."""
    return data.grow[max(data.grow)] if data.grow else data.crop


def crop_at(data: DataSettings, progress: float) -> int:
    """The side in pixels of the squares when `progress`, 0..1, of the training is done."""
    begun = [start for start in data.grow if start <= progress]
    return data.grow[max(begun)] if begun else data.crop


def size_as_trained(data: DataSettings) -> int:
    """The short side, in pixels, at which a network sees things as large as in its training."""
    return max(32, 32 * round(last_crop(data) / (sum(data.scale) / 2) / 32))


_AT_LEAST = {
    **dict.fromkeys(("data.size", "data.crop"), 32),
    **dict.fromkeys(("data.workers", "data.batch_size", "optimizer.rule_batch"), 1),
    **dict.fromkeys(("optimizer.encoder_factor", "optimizer.weight_decay", "optimizer.clip"), 0),
    "schedule.warmup_steps": 0,
    **dict.fromkeys(("schedule.step_epochs", "trainer.epochs", "trainer.devices"), 1),
    **dict.fromkeys(("trainer.num_nodes", "trainer.accumulate", "trainer.grid"), 1),
    **dict.fromkeys(("trainer.max_steps", "trainer.threads"), 1),
}
"""Settings that have a lowest value; None and "auto" pass."""


def check(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, every type and range checked; raises UsageError."""
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Settings)
    try:
        parser.parse_object(plain := asdict(settings))
    except ArgumentError as error:
        raise UsageError(f"settings: {' '.join(str(error).split())}") from error
    low, high = settings.data.scale
    epochs, freeze = max(1, settings.trainer.epochs), settings.model.get("freeze")
    last = (epochs - 1) / epochs  # when the last epoch begins: later shares would never come
    milestones = settings.schedule.milestones
    limits = {
        "data.holdout (0 < holdout < 1)": 0 < settings.data.holdout < 1,
        "data.scale (0 < low <= high <= 1)": 0 < low <= high <= 1,
        f"data.grow (from a share in 0..{last:.4g} of {epochs} epochs on, at least 32)": all(
            0 < start <= last and side >= 32 for start, side in settings.data.grow.items()
        ),
        f"model.freeze (up to {last:.4g} of {epochs} epochs, or true)": not (
            isinstance(freeze, float) and last < freeze < 1
        ),
        "optimizer.learning_rate (above 0)": settings.optimizer.learning_rate > 0,
        "optimizer.betas (0 <= each < 1)": all(0 <= b < 1 for b in settings.optimizer.betas),
        "optimizer.momentum (0 <= momentum < 1)": 0 <= settings.optimizer.momentum < 1,
        "schedule.final (0 <= final <= 1)": 0 <= settings.schedule.final <= 1,
        "schedule.gamma (0 < gamma <= 1)": 0 < settings.schedule.gamma <= 1,
        "schedule.milestones (steps in order, and only with the name milestones)": (
            milestones == sorted({step for step in milestones if step > 0})
            and (settings.schedule.name == "milestones") == bool(milestones)
        ),
        "trainer.checkpoint_minutes (above 0)": settings.trainer.checkpoint_minutes > 0,
        "trainer.ema (0 <= ema < 1)": 0 <= settings.trainer.ema < 1,
        "trainer.name (a name, no path)": settings.trainer.name is None
        or re.fullmatch(r"[^/\\\0]*[^/\\\0.][^/\\\0]*", settings.trainer.name) is not None,
    }
    for name, least in _AT_LEAST.items():
        group, _, key = name.partition(".")
        value = getattr(getattr(settings, group), key)
        limits[f"{name} (at least {least})"] = value in (None, "auto") or value >= least
    wrong = [name for name, holds in limits.items() if not holds]
    if wrong:
        raise UsageError(f"settings out of range: {'; '.join(wrong)}")
    return plain
