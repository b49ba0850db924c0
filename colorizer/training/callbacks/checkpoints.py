"""Checkpoints: written whole, often enough, and when the training is told to stop."""

import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from colorizer.errors import ColorizerError
from colorizer.support.files import commit, sha256

__all__ = ["Checkpoints", "StoppedError", "is_last", "newest_checkpoint"]

KEPT = 2  # so that there is one more if the newest is damaged
_PAUSE = 10.0  # seconds since the last checkpoint, from which on the end of an epoch makes one
_CONSULTED = 20  # steps between two questions of several processes to each other
_NAME = re.compile(r"step-\d+-([0-9a-f]{16})\.ckpt")


class StoppedError(ColorizerError):
    """The training was told to stop, and did, with a checkpoint."""


class Checkpoints(Checkpoint):
    """Saves the training at the end of an epoch, every so many minutes, and on a signal.

    A checkpoint is written under another name and then renamed; its name ends with the beginning
    of its sha256. Ctrl-C and SIGTERM end the training after the batch at hand, a second Ctrl-C at
    once.

    Args:
        folder: for the checkpoints.
        minutes: longest time between two of them.
    """

    def __init__(self, folder: Path, minutes: float) -> None:
        self.folder, self.minutes = folder, minutes
        self._saved = 0.0
        self._between_epochs = False
        self._signal: int | None = None
        self._previous: dict[int, Any] = {}

    def setup(self, trainer: Trainer, task: LightningModule, stage: str) -> None:
        # Each process has named the run by its own clock.
        self.folder = Path(trainer.strategy.broadcast(str(self.folder)))

    def on_train_start(self, trainer: Trainer, task: LightningModule) -> None:
        self._saved = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            # Lightning's own handler of SIGTERM would leave without a checkpoint.
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        # It also asks the other processes for a SIGTERM before each step, which waits for the GPU.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None

    def on_train_batch_end(
        self, trainer: Trainer, task: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loop = trainer.fit_loop
        if loop.epoch_loop.batch_progress.is_last_batch or loop._should_accumulate():
            return  # the epoch's end is near, or gradients would be lost
        stop = self._signal is not None
        due = time.monotonic() - self._saved > 60 * self.minutes
        if trainer.world_size > 1:  # all of them must come to the same decision
            if batch_idx % _CONSULTED:
                return
            stop, due = (  # sync: every 20th step of several processes
                trainer.strategy.reduce_boolean_decision(x, all=False) for x in (stop, due)
            )
        if stop or due:
            self._save(trainer, task)
        if stop:
            raise StoppedError("training was stopped")

    def on_train_epoch_end(self, trainer: Trainer, task: LightningModule) -> None:
        ask = trainer.strategy.reduce_boolean_decision
        last = is_last(trainer)
        stop = ask(self._signal is not None, all=False)
        # An epoch may take seconds, and losing a few of them is no loss.
        rested = time.monotonic() - self._saved > min(_PAUSE, 60 * self.minutes)
        if stop or last or ask(rested, all=False):
            self._between_epochs = True
            self._save(trainer, task)
            self._between_epochs = False
        if stop and not last:
            raise StoppedError("training was stopped")

    def on_save_checkpoint(
        self, trainer: Trainer, task: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if not self._between_epochs:
            return
        # Lightning would take a checkpoint of this moment for one of the epoch's last batch, and
        # count the epoch twice. This says that the next one has not begun.
        loop = checkpoint["loops"]["fit_loop"]
        for epochs in (loop["epoch_progress"]["total"], loop["epoch_progress"]["current"]):
            epochs["completed"] = epochs["processed"]
        batches = loop["epoch_loop.batch_progress"]
        batches["current"] = dict.fromkeys(batches["current"], 0)
        batches["is_last_batch"] = False
        loop["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1  # which it adds on resuming

    def on_train_end(self, trainer: Trainer, task: LightningModule) -> None:
        self._restore_handlers()

    def on_exception(
        self, trainer: Trainer, task: LightningModule, exception: BaseException
    ) -> None:
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number
        print("stopping after this batch; Ctrl-C again stops at once", file=sys.stderr, flush=True)

    def _save(self, trainer: Trainer, task: Any) -> None:
        task.check_finite(wait=True)  # sync: what is saved is whole in this sense too
        work = self.folder / "unfinished.tmp"
        trainer.save_checkpoint(work)
        if trainer.is_global_zero:
            name = f"step-{trainer.global_step:09d}-{sha256(work)[:16]}.ckpt"
            commit(work, self.folder / name)
            for old in list(_newest_first(self.folder))[KEPT:]:
                old.unlink()
        self._saved = time.monotonic()


def is_last(trainer: Trainer) -> bool:
    """Whether the epoch at hand is the last one: by its number, or as the steps are over."""
    over = 0 < trainer.max_steps <= trainer.global_step
    return over or trainer.current_epoch + 1 == trainer.max_epochs


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint in a folder that is whole; None if there is none.

    A damaged one is passed over, with a warning.
    """
    for path in _newest_first(folder):
        match = _NAME.fullmatch(path.name)
        if match and sha256(path).startswith(match[1]):
            return path
        warnings.warn(f"{path} is damaged and is passed over", stacklevel=2)
    return None


def _newest_first(folder: Path) -> Iterator[Path]:
    found = [path for path in folder.glob("*.ckpt") if _NAME.fullmatch(path.name)]
    yield from sorted(found, key=lambda path: (path.name[:14], path.stat().st_mtime), reverse=True)
