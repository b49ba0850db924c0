"""What goes along with a training: a log, a grid of pictures, averaged weights, checkpoints."""

from colorizer.training.callbacks.average import MovingAverage
from colorizer.training.callbacks.grid import SampleGrid
from colorizer.training.callbacks.log import EpochLog, epoch_rows

__all__ = ["EpochLog", "MovingAverage", "SampleGrid", "epoch_rows"]
