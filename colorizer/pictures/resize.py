"""Bilinear to an exact size, by libvips."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyvips

__all__ = ["enlarge", "resize"]


def enlarge(image: "pyvips.Image", width: int, height: int) -> "pyvips.Image":
    """Bilinear to exactly `width` x `height`, pixel centers aligned; shrinks by averaging."""
    import pyvips

    across, down = width / image.width, height / image.height
    if across < 1 or down < 1:
        shrunk = image.resize(min(across, 1), vscale=min(down, 1), kernel="linear")
        return shrunk if across <= 1 and down <= 1 else enlarge(shrunk, width, height)
    return image.affine(
        [across, 0, 0, down],
        interpolate=pyvips.Interpolate.new("bilinear"),
        oarea=[0, 0, width, height],
        odx=(across - 1) / 2,
        ody=(down - 1) / 2,
        extend="copy",
        premultiplied=True,  # the bands are numbers, the last one no transparency
    )


def resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w) or (h, w, C) -> (height, width, C) float32, as `enlarge`."""
    import pyvips

    image = pyvips.Image.new_from_array(np.ascontiguousarray(values, np.float32))
    return enlarge(image, width, height).numpy().reshape(height, width, -1)
