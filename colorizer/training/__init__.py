"""Training: settings in, a run folder with a model folder out."""

from colorizer.training.run import train
from colorizer.training.task import ColorTask

__all__ = ["ColorTask", "train"]
