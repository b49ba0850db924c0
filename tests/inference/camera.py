"""A photograph, and how tests of coloring write and read files."""

from pathlib import Path

import numpy as np
import pyvips
from PIL import Image
from skimage import color, data

CAMERA = data.camera()[:301:2, :400:2]  # 151 x 200


def lab(rgb: np.ndarray) -> np.ndarray:
    return color.rgb2lab(rgb / np.float64(np.iinfo(rgb.dtype).max))


def saved(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def opened(path: Path) -> np.ndarray:
    return pyvips.Image.new_from_file(str(path)).numpy()
