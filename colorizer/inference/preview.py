"""A picture that is colored again and again while its options change."""

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from colorizer.inference.compose import compose
from colorizer.inference.predict import Seen
from colorizer.inference.steered import SteeredModel
from colorizer.inference.suggest import colors_at
from colorizer.options import MAX_PIXELS
from colorizer.pictures import header as pictures
from colorizer.pictures.header import Source
from colorizer.pictures.lightness import lightness
from colorizer.pictures.resize import enlarge

if TYPE_CHECKING:
    import pyvips

__all__ = ["Preview"]

SIDE = 1600  # pixels
KEPT = 3  # ways of looking at the picture, whose results are kept


class Preview:
    """The first page of a picture, decoded once, to be colored small.

    The coloring is that of the full size: the same network at the same working size, the same
    hints; only what it is laid over has fewer pixels.

    Args:
        source: as for `Colorizer.colorize`.
        max_pixels: a larger picture is refused.
        side: the longer side of what is shown, at most.

    Attributes:
        picture: its header.
        width, height: of what is shown.

    Raises:
        ColorizerError: the picture cannot be read.
    """

    def __init__(self, source: Source, max_pixels: int = MAX_PIXELS, side: int = SIDE) -> None:
        self.picture = pictures.read(source, max_pixels)
        sides = self.picture.width, self.picture.height
        scale = min(1, side / max(sides))
        self.width, self.height = (max(1, round(scale * s)) for s in sides)
        self.has_color = False  # known when it was looked at
        self._shown: pyvips.Image | None = None
        self._small: dict[tuple[int, int], np.ndarray] = {}
        self._seen: OrderedDict[tuple, Seen] = OrderedDict()

    def colorize(self, colorizer: SteeredModel, shrink: int = 1) -> np.ndarray:
        """Color it as `colorizer` is told to.

        Args:
            shrink: show it so many times smaller, for a quicker answer.

        Returns:
            (height, width, 3) uint8, sRGB.

        Raises:
            ColorizerError: the file is damaged, or the network failed.
        """
        hints = colorizer.hints.on(1)
        if hints.layer is not None:
            hints.layer.check_fits(self.picture.width, self.picture.height)
        slope, offset = colorizer.steer(self._look(colorizer, bool(hints)), hints)
        L = self._lightness()
        if shrink > 1:
            L = enlarge(L, max(1, L.width // shrink), max(1, L.height // shrink))
        return compose(L, slope, offset, bits=8, flat=colorizer.flat).numpy()

    def gray(self) -> np.ndarray:
        """(height, width, 3) uint8: the picture without color, for comparison."""
        nothing = np.zeros((1, 1, 2))
        return compose(self._lightness(), nothing, nothing, bits=8).numpy()

    def close(self) -> None:
        """Let go of all pixels; they are read again when they are needed."""
        self._shown = None
        self._small = {}
        self._seen.clear()

    def suggest(self, colorizer: SteeredModel, x: float, y: float, n: int = 9) -> list[str]:
        """As `Colorizer.suggest`."""
        return colors_at(colorizer, self.picture, self._thumbnail, x, y, n)

    def lightness_at(self, x: float, y: float) -> float:
        """L of the place as it is shown."""
        L = self._lightness()
        return float(L(min(int(x * L.width), L.width - 1), min(int(y * L.height), L.height - 1))[0])

    def _look(self, colorizer: SteeredModel, with_features: bool) -> Seen:
        key = colorizer.look_key
        seen = self._seen.get(key)
        if seen is None or (with_features and seen.features is None):
            small = self._thumbnail(colorizer.look_size(self.picture))
            seen = colorizer.see(small, self.picture, with_features=with_features)
            self._seen[key] = seen
        self._seen.move_to_end(key)
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)
        return seen

    def _thumbnail(self, size: tuple[int, int]) -> np.ndarray:
        small = self._small.get(size)
        if small is None:
            small, self.has_color = pictures.thumbnail(self.picture, 0, size)
            self._small[size] = small
        return small

    def _lightness(self) -> "pyvips.Image":
        shown = self._shown
        if shown is None:
            import pyvips

            shrink = 1
            while self.picture.loader == "jpegload" and shrink < 8:
                if self.picture.width < 2 * shrink * self.width:
                    break
                shrink *= 2
            with pictures.reading(self.picture.source):
                image = pictures.open_page(self.picture, 0, shrink)
                L = enlarge(lightness(image), self.width, self.height).numpy()
            self._shown = shown = pyvips.Image.new_from_array(L.clip(0, 100))
        return shown
