"""`colorizer prepare`: any tree of photos into clean training shards, with a report.

The light side: NumPy, libvips and Pillow, never torch.
"""

from colorizer.preparation.walk import PrepareResult, prepare

__all__ = ["PrepareResult", "prepare"]
