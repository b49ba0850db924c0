"""The folder of a run: claimed by one training, and gone on with under its own settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from colorizer.config import Settings
from colorizer.errors import ColorizerError, UsageError

__all__ = ["CHANGEABLE", "SETTINGS", "claimed", "resumed_settings"]

SETTINGS = "settings.yaml"
"""In each run folder: all that it was told."""

CHANGEABLE = (
    *("trainer.epochs", "trainer.max_steps", "trainer.checkpoint_minutes", "trainer.nonfinite"),
    *(
        "trainer.grid",
        "trainer.loggers",
        "trainer.precision",
        "trainer.accelerator",
        "trainer.compile",
    ),
    *("trainer.threads", "optimizer.learning_rate", "optimizer.encoder_factor"),
    *("optimizer.weight_decay", "optimizer.betas", "optimizer.momentum", "optimizer.clip"),
    *("schedule.name", "schedule.warmup_steps", "schedule.final", "schedule.step_epochs"),
    *("schedule.milestones", "schedule.gamma", "data.workers", "data.mode", "data.cache"),
)
"""What a resumed run may set anew: neither weights, nor which crops come when, depend on it."""


def resumed_settings(run: Path, changes: Mapping[str, Any]) -> Settings:
    """The settings of a run, with what is to change in them.

    Args:
        run: the folder.
        changes: by group, or by dotted name.

    Raises:
        UsageError: no run; or a change of what its weights and data were made with.
    """
    path = run / SETTINGS
    if not path.is_file():
        raise UsageError(f"{run} is no run that can be resumed: it has no {SETTINGS}")
    before, after = Settings.load(path), Settings.load(path, **changes)
    fixed = [name for name in _differing(before, after) if name not in CHANGEABLE]
    if fixed:
        raise UsageError(
            f"{', '.join(fixed)}: {run} was begun with another value, which cannot be changed; "
            f"--resume takes {', '.join(CHANGEABLE)}. For another training start a new run, with "
            f"--init {run / 'model'} from these weights"
        )
    return after


@contextmanager
def claimed(settings: Settings, resume: Path | None) -> Iterator[Path]:
    """The folder of a run, made by the first process; it goes again if nothing came into it.

    Runs that begin in the same second have folders of their own.

    Raises:
        UsageError: there is a run of this name. ColorizerError: the folder cannot be made.
    """
    rank = getattr(rank_zero_only, "rank", 0)
    if resume is not None or rank:  # another process: it hears of the folder later
        yield resume or _unclaimed(settings)
        return
    output = Path(settings.trainer.output)
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    run = _claim(settings)
    try:
        yield run
    except BaseException:
        with suppress(OSError):  # it is not empty
            for folder in (run, *made):
                folder.rmdir()
        raise


def _claim(settings: Settings) -> Path:
    base = run = _unclaimed(settings)
    count = 1
    while True:
        try:
            run.parent.mkdir(parents=True, exist_ok=True)
            run.mkdir()
            return run
        except FileExistsError as error:
            if not run.is_dir():
                raise ColorizerError(f"the run folder {run} cannot be made: a file") from error
            if settings.trainer.name is not None:
                raise UsageError(
                    f"there is a run {run}: choose another trainer.name, or go on with it: "
                    f"colorizer train --resume {run}"
                ) from error
        except OSError as error:
            reason = error.strerror
            raise ColorizerError(f"the run folder {run} cannot be made: {reason}") from error
        count += 1
        run = base.with_name(f"{base.name}-{count}")


def _unclaimed(settings: Settings) -> Path:
    stamp = datetime.now().strftime("%Y-%m-%d_%H%M%S")
    name = settings.trainer.name or f"{stamp}_{settings.model['name'].rpartition('.')[2]}"
    return Path(settings.trainer.output) / name


def _differing(before: Settings, after: Settings) -> list[str]:
    """Dotted names of the settings that are not the same in both."""
    found = []
    for group, value in vars(before).items():
        other = getattr(after, group)
        if hasattr(value, "__dataclass_fields__"):
            found += [f"{group}.{k}" for k, v in vars(value).items() if v != getattr(other, k)]
        elif isinstance(value, dict) and isinstance(other, dict):
            keys = dict.fromkeys((*value, *other))
            found += [f"{group}.{k}" for k in keys if value.get(k) != other.get(k)]
        elif value != other:
            found.append(group)
    return found
