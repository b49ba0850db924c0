"""The settings, typed: one tree of dataclasses, the single source of every default, in one file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, dataclass_transform

from colorizer.errors import UsageError
from colorizer.options import DEFAULT_MODEL
from colorizer.support.fields import astray, documented, option
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

_GROUPS = ("data", "optimizer", "schedule", "trainer")

T = TypeVar("T")


def _set_known(self: Any, name: str, value: Any) -> None:
    known = self.__dataclass_fields__
    if name not in known:
        hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
        raise UsageError(f"{type(self).__name__} has no setting {name!r}{hint}")
    object.__setattr__(self, name, value)


@dataclass_transform(field_specifiers=(option,))
def _settings(cls: type[T]) -> type[T]:
    """A dataclass that refuses unknown names: `settings.trainer.epoch = 3` names `epochs`."""
    setattr(cls, "__setattr__", _set_known)  # noqa: B010 - which a type checker may overlook
    return dataclass(documented(cls))


@_settings
class DataSettings:
    """Photos to learn from."""

    train: str | dict[str, Any] | None = option(
        None,
        "a folder of photos (any depth), a tar shard, a folder of shards, or a pattern such "
        "as `photos/train_*.tar`; or shards of a store: `s3://bucket/train_{000..999}.tar`. "
        "There is no default data set. Or a dataset by name, with keywords of its "
        "constructor, such as `{name: mymodule.Photos}` or `{name: hugging_face, path: "
        "user/photos, split: train}`",
    )
    validation: str | dict[str, Any] | None = option(
        None, "likewise; without it `holdout` of the training photos are set aside"
    )
    holdout: float = option(
        0.05,
        "share of the training photos to validate on when `validation` is not set",
        above=0,
        below=1,
    )
    size: int = option(160, "short side in pixels at which photos are decoded and kept", low=32)
    mode: Literal["auto", "resident", "streaming"] = option(
        "auto",
        'where decoded photos lie. "resident": on the training device, or in the system\'s '
        'memory, decoded once for all runs; "streaming": nowhere, each is decoded anew each '
        'epoch; "auto": resident if they fit',
    )
    cache: str | None = option(
        "auto",
        'the folder that keeps decoded photos for the next run; "auto" is one in the user\'s '
        "cache, None keeps nothing. When a new set makes it larger than a fifth of its disk, "
        "the sets that were used longest ago are removed",
    )
    workers: int | None = option(
        None,
        "threads that prepare batches where photos are not resident on the training device; "
        "None leaves one core to the training and takes the others",
        low=1,
    )
    crop: int = option(128, "side in pixels of the crops that the network is trained on", low=32)
    grow: dict[float, int] = option(
        {},
        "larger crops later: share of the training from which on -> side in pixels, such as"
        " `{0.5: 192, 0.8: 256}`; an epoch has one size. Validation is at the last one",
    )
    scale: tuple[float, float] = option(
        (0.6, 1.0),
        "smallest and largest side of a training crop, as a share of the photo's short side",
        above=0,
        high=1,
    )
    flip: bool = option(True, "mirror half of the training crops")
    augment: dict[str, dict[str, Any]] = option(
        {},
        "what changes training crops before anything else, in this order: names, each with "
        "keywords of its constructor, such as `{jitter: {saturation: 0.3}}`",
    )
    degrade: dict[str, Any] | None = option(
        None,
        "keywords of `colorizer.data.degrade.Degradation`: make the lightness that the "
        "network sees look like that of an old photograph; `{}` is the default recipe, None "
        "is off",
    )
    batch_size: int | Literal["auto"] = option(
        64,
        'crops per step on each device, or "auto": on an NVIDIA GPU the most that fit, '
        "found once and noted in the run's settings; elsewhere 64",
        low=1,
    )


@_settings
class OptimizerSettings:
    """How weights are updated."""

    name: str = option(
        "adamw",
        "the algorithm: adamw, adam, sgd, another one of torch's or timm's, such as nadam or "
        "lion, or `module.Class`",
    )
    learning_rate: float = option(1e-3, "its peak, which the schedule scales", above=0)
    batch_rule: Literal["none", "sqrt", "linear"] = option(
        "none",
        "how it follows the effective batch (crops per step on all devices together): "
        '"sqrt" or "linear" in its ratio to `rule_batch`, or "none", not at all',
    )
    rule_batch: int = option(64, "the effective batch that `learning_rate` was chosen for", low=1)
    encoder_factor: float = option(
        0.3, "the learning rate of a pretrained encoder, relative to the rest", low=0
    )
    weight_decay: float = option(
        0.02, "of convolution weights; biases and normalisation have none", low=0
    )
    betas: tuple[float, float] = option(
        (0.9, 0.99),
        "running averages of adam and adamw, and of others that have two",
        low=0,
        below=1,
    )
    momentum: float = option(0.9, "of sgd, and of others that have it", low=0, below=1)
    clip: float = option(1.0, "largest norm of the gradient; 0 for no limit", low=0)
    options: dict[str, Any] = option({}, "more keywords of its constructor")


@_settings
class ScheduleSettings:
    """How the learning rate changes; every schedule begins with a linear warm-up."""

    name: Literal["cosine", "linear", "constant", "step", "milestones"] = option(
        "cosine", "the curve"
    )
    warmup_steps: int = option(
        300, "steps from 0 to the full learning rate; at most a tenth of the training", low=0
    )
    final: float = option(
        0.02,
        "cosine and linear: the share of the learning rate that is left at the end",
        low=0,
        high=1,
    )
    step_epochs: int = option(30, "step: epochs between two reductions", low=1)
    milestones: list[int] = option([], "milestones: the steps at which it is reduced", low=1)
    gamma: float = option(0.1, "step and milestones: factor of each reduction", above=0, high=1)


@_settings
class TrainerSettings:
    """The run."""

    epochs: int = option(100, "how often every photo is seen", low=1)
    output: str = option("runs", "the folder that gets a folder for each run")
    seed: int = option(0, "of weights, order and crops")
    precision: Literal["auto", "bf16-mixed", "16-mixed", "32-true"] = option(
        "auto",
        'of the arithmetic in the network; color is float32 always. "auto": bfloat16 where '
        "the hardware has it, else float16 on an NVIDIA GPU, else float32",
    )
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = option("auto", "where to train")
    devices: int = option(
        1, "how many, on each node; above 1 they share the work (distributed data parallel)", low=1
    )
    num_nodes: int = option(1, "machines", low=1)
    compile: bool = option(
        False, "let torch.compile fuse the network's operations; slower to start"
    )
    deterministic: bool = option(
        False, "on a GPU too, the same settings give the same weights; slower"
    )
    ema: float = option(
        0.999,
        "decay per step of the moving average of weights, which is what is validated and "
        "exported; 0 for none",
        low=0,
        below=1,
    )
    accumulate: int = option(1, "batches whose gradients make one step", low=1)
    checkpoint_minutes: float = option(
        10.0, "longest time between two checkpoints; the end of an epoch makes one too", above=0
    )
    nonfinite: Literal["stop", "skip"] = option(
        "stop",
        '"stop" the run at the first loss or gradient that is not finite, or "skip" the step,'
        " which waits for the device at each one",
    )
    grid: int = option(8, "validation photos shown each epoch (original, gray, ours)", low=1)
    max_steps: int | None = option(
        None, "end after so many steps, if the epochs are not over by then; None is no limit", low=1
    )
    name: str | None = option(
        None, "of the run's folder in `output`; None is the time and the model"
    )
    best: str | None = option(
        "auto",
        "the number of the validation by which the best epoch is kept, as `model-best` beside"
        ' `model`, the last, unless it is the last itself: "val/loss", "val/psnr", ...; '
        '"auto" is "val/calibrated_nll" where the model predicts a distribution, else '
        '"val/loss"; None keeps none',
    )
    loggers: list[str] | dict[str, dict[str, Any]] = option(
        ["tensorboard"],
        'names of what hears the numbers and grids of the run, "tensorboard", "csv", "wandb",'
        " \"mlflow\" or one's own; or name and keywords of each one's constructor, such as "
        "`{wandb: {project: colors}}`",
    )
    threads: int | None = option(
        None,
        "of the processor, for the network; None takes all cores. While other programs keep "
        "cores busy, 1 may be many times faster",
        low=1,
    )


@_settings
class InferenceSettings:
    """What `colorize.py --mode=inference` does."""

    model: str = option(DEFAULT_MODEL, "a shipped model's name, or a model folder")
    output: str = option("colorizer/output/colored.jpg", "the file to write")


@_settings
class Settings:
    """Everything that can be set."""

    init: str | None = option(
        None,
        "start from all the weights of this: a shipped model's name, a model folder (whose "
        "model counts unless `model` names another) or a state dict",
    )
    model: dict[str, Any] = option(
        {},
        "its name (default: colornet18, or what `init` holds), and any keyword of its constructor",
    )
    loss: dict[str, Any] = option(
        {"distribution": 1.0},
        "name and weight of each loss, or its weight with any keywords of its constructor, "
        "such as `{huber: 1.0, contrastive: {weight: 0.1, mode: layers}}`",
    )
    metrics: list[str] | dict[str, dict[str, Any]] = option(
        ["mse", "channelwise_l2", "psnr"],
        "names of what is measured on the validation photos; or name and keywords of each "
        "metric's constructor, such as `{psnr: {}, lpips: {alexnet: alexnet.safetensors}}`",
    )
    data: DataSettings = option(DataSettings(), "photos to learn from")
    optimizer: OptimizerSettings = option(OptimizerSettings(), "how weights are updated")
    schedule: ScheduleSettings = option(ScheduleSettings(), "how the learning rate changes")
    trainer: TrainerSettings = option(TrainerSettings(), "the run")
    inference: InferenceSettings = option(
        InferenceSettings(), "what `colorize.py --mode=inference` does"
    )
    plugins: list[str] = option(
        [],
        "modules, or .py files, of your own to import first: what they register can be named "
        "above. They are noted in the run and in its model folder",
    )

    @classmethod
    def load(cls, file: str | Path, **changes: Any) -> "Settings":
        """The settings of a YAML file: of an experiment, or the settings.yaml of a run.

        Args:
            file: the file, or the name of a recipe, such as "flagship".
            changes: what to set beside, by group (`trainer={"epochs": 3}`) or by dotted name
                (`**{"trainer.epochs": 3}`); what is not named in a group stays.

        Raises:
            UsageError: no such file, no YAML, a setting that is unknown or of another type.

        Examples:
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
    """The side in pixels of the crops at the end of the training."""
    return data.grow[max(data.grow)] if data.grow else data.crop


def crop_at(data: DataSettings, progress: float) -> int:
    """The side in pixels of the crops when `progress`, 0..1, of the training is done."""
    begun = [start for start in data.grow if start <= progress]
    return data.grow[max(begun)] if begun else data.crop


def size_as_trained(data: DataSettings) -> int:
    """The short side, in pixels, at which a network sees things as large as in its training."""
    return max(32, 32 * round(last_crop(data) / (sum(data.scale) / 2) / 32))


def check(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, every type and range checked; raises UsageError."""
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Settings)
    try:
        parser.parse_object(plain := asdict(settings))
    except ArgumentError as error:
        raise UsageError(f"settings: {' '.join(str(error).split())}") from error
    wrong = [f"{group}.{told}" for group in _GROUPS for told in astray(getattr(settings, group))]
    wrong += [told for told, holds in _together(settings).items() if not holds]
    if wrong:
        raise UsageError(f"settings out of range: {'; '.join(wrong)}")
    return plain


def _together(settings: Settings) -> dict[str, bool]:
    """What must hold between settings, each with its words."""
    low, high = settings.data.scale
    epochs, freeze = max(1, settings.trainer.epochs), settings.model.get("freeze")
    last = (epochs - 1) / epochs  # when the last epoch begins: later shares would never come
    milestones, name = settings.schedule.milestones, settings.trainer.name
    return {
        "data.scale (low <= high)": low <= high,
        f"data.grow (from a share in 0..{last:.4g} of {epochs} epochs on, at least 32)": all(
            0 < start <= last and side >= 32 for start, side in settings.data.grow.items()
        ),
        f"model.freeze (up to {last:.4g} of {epochs} epochs, or true)": not (
            isinstance(freeze, float) and last < freeze < 1
        ),
        "schedule.milestones (steps in order, and only with the name milestones)": (
            milestones == sorted(set(milestones))
            and (settings.schedule.name == "milestones") == bool(milestones)
        ),
        "trainer.name (a name, no path)": name is None
        or re.fullmatch(r"[^/\\\0]*[^/\\\0.][^/\\\0]*", name) is not None,
    }
