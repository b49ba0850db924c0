"""What goes along with a training: the colors' prior, a log, a grid of pictures, averaged weights,
the best epoch, checkpoints."""

from colorizer.training.callbacks.average import MovingAverage
from colorizer.training.callbacks.best import BestEpoch
from colorizer.training.callbacks.grid import SampleGrid
from colorizer.training.callbacks.log import EpochLog, epoch_rows
from colorizer.training.callbacks.prior import ColorPrior
from colorizer.training.callbacks.steps import StepLog

__all__ = [
    "BestEpoch",
    "ColorPrior",
    "EpochLog",
    "MovingAverage",
    "SampleGrid",
    "StepLog",
    "epoch_rows",
]
