"""A picture that is colored again and again while its options change."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from colorizer.errors import UsageError
from colorizer.inference.compose import compose, gray
from colorizer.inference.hints import read_hints
from colorizer.inference.predict import Seen
from colorizer.inference.steered import SteeredModel
from colorizer.inference.suggest import colors_at
from colorizer.pictures.lightness import lightness
from colorizer.pictures.picture import MAX_PIXELS, Picture, Source
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
        salvage: take of a damaged picture what can be decoded; told in its notes.

    Attributes:
        picture: its header.
        width, height: of what is shown.

    Raises:
        ColorizerError: the picture cannot be read.
    """

    def __init__(
        self,
        source: Source,
        max_pixels: int = MAX_PIXELS,
        side: int = SIDE,
        *,
        salvage: bool = False,
    ) -> None:
        picture = Picture.open(source, max_pixels)
        self.picture = picture.salvaged() if salvage else picture
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
        slope, offset = self._steered(colorizer)
        L = self._lightness()
        if shrink > 1:
            L = enlarge(L, max(1, L.width // shrink), max(1, L.height // shrink))
        return compose(L, slope, offset, bits=8).numpy()

    def region(
        self,
        colorizer: SteeredModel | None,
        page: "pyvips.Image",
        box: tuple[int, int, int, int],
        shrink: int = 1,
    ) -> "pyvips.Image":
        """A part of the picture with its own pixels, as `Colorizer.colorize_file` colors them.

        Args:
            colorizer: what to color it with; None leaves it gray.
            page: the first page, upright, of any part of which pixels can be had.
            box: left, top, width and height in pixels of `page`; what lies outside is cut off.
            shrink: show it so many times smaller.

        Returns:
            A lazy sRGB image, uchar.

        Raises:
            UsageError: nothing of the box lies inside. ColorizerError: as of `colorize`.
        """
        L = lightness(page)
        if shrink > 1:
            L = L.shrink(shrink, shrink)
        left, top = (max(0, side // shrink) for side in box[:2])
        width = min(-(-(box[0] + box[2]) // shrink), L.width) - left
        height = min(-(-(box[1] + box[3]) // shrink), L.height) - top
        if width < 1 or height < 1:
            raise UsageError(f"there is nothing of the picture in {box}")
        if colorizer is None:
            shown = gray(L, bits=8)
        else:
            shown = compose(L, *self._steered(colorizer), bits=8)
        return shown.crop(left, top, width, height)

    def gray(self) -> np.ndarray:
        """(height, width, 3) uint8: the picture without color, for comparison."""
        return gray(self._lightness(), bits=8).numpy()

    def close(self) -> None:
        """Let go of all pixels; they are read again when they are needed."""
        self._shown = None
        self._small = {}
        self._seen.clear()

    def suggest(self, colorizer: SteeredModel, x: float, y: float, n: int = 9) -> list[str]:
        """The likeliest colors of a place of this picture, as `Colorizer.suggest` gives them."""
        return colors_at(colorizer, self.picture, self._thumbnail, x, y, n)

    def follows(
        self, colorizer: SteeredModel, x: float, y: float, colors: Sequence[str]
    ) -> list[float]:
        """How much of this picture would follow each of some colors set at a place, were it alone;
        as `Colorizer.follows` gives it."""
        seen = self._look(colorizer, with_features=True)
        hints = read_hints([{"at": [x, y], "color": color} for color in colors])
        return [colorizer.follow_share(seen, hint) for hint in hints.points]

    def sentences(self, colorizer: SteeredModel) -> tuple[str, ...]:
        """What `Colorizer.colorize_file` tells of this coloring: that no reference is alike."""
        seen = self._look(colorizer, bool(colorizer.hints.on(1)))
        return (colorizer.unlike_note(self.picture),) if seen.is_unlike else ()

    def lightness_at(self, x: float, y: float) -> float:
        """L of the place as it is shown."""
        L = self._lightness()
        return float(L(min(int(x * L.width), L.width - 1), min(int(y * L.height), L.height - 1))[0])

    def _steered(self, colorizer: SteeredModel) -> tuple[np.ndarray, np.ndarray]:
        hints = colorizer.hints.on(1)
        if hints.layer is not None:
            hints.layer.check_fits(self.picture.width, self.picture.height)
        return colorizer.steer(self._look(colorizer, bool(hints)), hints)

    def _look(self, colorizer: SteeredModel, with_features: bool) -> Seen:
        key = colorizer.look_key
        seen = self._seen.get(key)
        if seen is None or (with_features and seen.features is None):
            seen = colorizer.look(self._thumbnail, self.picture, with_features=with_features)
            self._seen[key] = seen
        self._seen.move_to_end(key)
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)
        return seen

    def _thumbnail(self, size: tuple[int, int]) -> np.ndarray:
        small = self._small.get(size)
        if small is None:
            small, self.has_color = self.picture.thumbnail(0, size)
            self._small[size] = small
        return small

    def _lightness(self) -> "pyvips.Image":
        shown = self._shown
        if shown is None:
            import pyvips

            shrink = self.picture.shrink_for(self.width, times=1)
            with self.picture.reading():
                L = self.picture.lightness(0, shrink)
                L = enlarge(L, self.width, self.height).numpy()
            self._shown = shown = pyvips.Image.new_from_array(L.clip(0, 100))
        return shown
