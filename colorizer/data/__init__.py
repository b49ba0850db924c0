"""Photos for training: found, decoded once, cut into batches."""

from colorizer.data.module import PhotoModule
from colorizer.data.photos import find_photos

__all__ = ["PhotoModule", "find_photos"]
