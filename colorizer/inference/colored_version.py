"""Take the colors of another colored version of a photo: of an image editor, or of another tool.

Where it shows what the photo shows, its colors are taken; elsewhere (repainted, cropped, left
transparent) the prediction is, as if what is known were hints on it. Lightness, size and depth stay
the photo's own.
"""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from colorizer.color.has_color import CHROMA, highest_chroma
from colorizer.color.lab import RGB_WHITE, lab_to_light, light_to_lab, light_to_srgb, srgb_to_light
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.compose import fit_chroma
from colorizer.inference.predict import Seen
from colorizer.inference.propagate import Marks, Spread, carried
from colorizer.pictures.picture import Picture, Source
from colorizer.pictures.resize import resize

__all__ = ["ColoredVersion", "read_colored_version"]

LARGEST = 1024  # pixels of the longer side, at which its colors are taken
LEAST = 256  # likewise: a smaller version makes nothing else coarser
SMALLEST = 32  # pixels of the shorter one
ASPECT = 0.02  # by which a version with transparency may differ from the photo
SAID = 1 / 512  # of opacity: less says nothing
LATTICE = 8, 12  # places, down and across, that tell the rest of the picture what is known
CERTAIN = 0.9  # agreement of such a place, at least
OPEN = 0.5  # agreement below which a place is to be filled


@dataclass(frozen=True, eq=False)
class ColoredVersion:
    """A colored version of a photo.

    Attributes:
        lab: (h, w, 3) float32, of its colors.
        opaque: (h, w), 0..1; None if all of it is.
        name: for messages.
        kept: what was found of the last photo, which is looked at again and again on a page.
    """

    lab: np.ndarray
    opaque: np.ndarray | None
    name: str
    kept: dict[bytes, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    @cached_property
    def key(self) -> bytes:
        """Two that have it in common have the same colors."""
        found = hashlib.sha256(self.lab.tobytes() + bytes(str(self.lab.shape), "ascii"))
        found.update(b"" if self.opaque is None else self.opaque.tobytes())
        return found.digest()

    def size_on(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the copy of a photo of this size that `lend` takes."""
        scale = min(1.0, max(LEAST, *self.lab.shape[:2]) / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def lend(self, L: np.ndarray, seen: Seen, rest: tuple[tuple[int, int], Spread] | None) -> Seen:
        """What was seen of a photo, in the colors of this version.

        Args:
            L: (H, W), 0..100, of `size_on`.
            seen: of the photo.
            rest: the grid on which what is known spreads to where nothing is, and how; None leaves
                the prediction there.

        Raises:
            UsageError: one with transparency, and another aspect.
            ColorizerError: it does not show what the photo shows.
        """
        ab, agreement = self._on(L)
        slope, offset = (resize(values, *L.shape) for values in (seen.slope, seen.offset))
        predicted = slope * L[..., None] + offset
        if agreement.min() < OPEN and rest is not None:
            cells, spread = rest
            told = _speaking(ab, agreement, cells)
            change = carried(seen.L, seen.slope, seen.offset, told, spread)
            predicted = predicted + resize(change, *L.shape)
        ab = predicted + agreement[..., None] * (ab - predicted)
        slope, offset = fit_chroma(L, ab.transpose(2, 0, 1))
        return replace(seen, L=L, slope=slope, offset=offset)

    def _on(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Its colors at each place of a photo (H, W, 2), and how surely they are of it (H, W)."""
        key = hashlib.sha256(L.tobytes()).digest() + bytes(str(L.shape), "ascii")
        found = self.kept.get(key)
        if found is None:
            found = self._found_in(L) if self.opaque is None else self._laid_over(L)
            self.kept.clear()
            self.kept[key] = found
        return found

    def _found_in(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `_on`, of a picture that is found in the photo."""
        from colorizer.inference.registration import ALIKE, comparable, register, taken

        found = register(comparable(L), comparable(self.lab[..., 0]))
        if found.alike < ALIKE:
            raise ColorizerError(
                f"{self.name} does not show what the photo shows: their structure has a correlation"
                f" of {found.alike:.2f}, and at least {ALIKE} is wanted; give a colored version of"
                " this very photo"
            )
        where = resize(np.dstack([found.x, found.y, found.agreement]), *L.shape)
        x, y, agreement = np.moveaxis(where, -1, 0)
        return taken(self.lab[..., 1:], x, y), agreement.clip(0, 1)

    def _laid_over(self, L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `_on`, of one with transparency: as an image editor lays it over the photo."""
        assert self.opaque is not None
        height, width = L.shape
        aspect, wanted = self.lab.shape[1] / self.lab.shape[0], width / height
        if abs(aspect / wanted - 1) > ASPECT + 1 / min(*L.shape, *self.lab.shape[:2]):
            raise UsageError(
                f"{self.name} has transparency, and is {aspect:.3f} times as wide as high, the"
                f" photo {wanted:.3f} times; make such a layer from the whole upright photo"
            )
        lab, opaque = resize(self.lab, height, width), resize(self.opaque, height, width)
        gray = np.dstack([L, np.zeros_like(L), np.zeros_like(L)])
        own, under = (light_to_srgb(lab_to_light(v, RGB_WHITE).clip(0, 1)) for v in (lab, gray))
        light = srgb_to_light(under + opaque * (own - under))
        return light_to_lab(light, RGB_WHITE)[..., 1:], (opaque[..., 0] / SAID).clip(0, 1)


def read_colored_version(source: Source, max_pixels: int) -> ColoredVersion:
    """Read a colored version of a photo; of several pages the first.

    Args:
        source: a picture in color.
        max_pixels: a larger one is refused.

    Raises:
        ColorizerError: it cannot be read.
        UsageError: it has no colors, or is too small.
    """
    picture = Picture.open(source, max_pixels)
    if min(picture.width, picture.height) < SMALLEST:
        raise UsageError(
            f"{picture} has {picture.width}x{picture.height} pixels; a colored version needs"
            f" {SMALLEST} on each side at least"
        )
    scale = min(1.0, LARGEST / max(picture.width, picture.height))
    width, height = (max(1, round(side * scale)) for side in (picture.width, picture.height))
    found = picture.light((width, height))
    if found is None:
        raise _gray(picture)
    light, opaque = found
    opaque = None if opaque is None or opaque.min() > 1 - SAID else opaque
    if opaque is None:
        import colorizer.inference.registration  # noqa: F401  # which says what it lacks
    lab = light_to_lab(light, RGB_WHITE).astype(np.float32)
    said = lab if opaque is None else lab[opaque > SAID]
    if not said.size or highest_chroma(said[..., 1:]) < CHROMA:
        raise _gray(picture)
    return ColoredVersion(lab, opaque, str(picture))


def _speaking(ab: np.ndarray, agreement: np.ndarray, cells: tuple[int, int]) -> Marks:
    """Some of what is known for sure, as hints on a grid of cells."""
    known = resize(np.dstack([ab, agreement]), *cells)
    rows, columns = (
        ((np.arange(n) + 0.5) / n * side).astype(int)
        for n, side in zip(LATTICE, cells, strict=True)
    )
    hold = np.zeros(cells)
    hold[np.ix_(rows, columns)] = known[..., 2][np.ix_(rows, columns)] > CERTAIN
    all_over = np.ones(cells)
    return Marks(hold, known[..., :2], all_over, all_over, np.full(cells, np.inf))


def _gray(picture: Picture) -> UsageError:
    return UsageError(f"{picture} has no colors to take; give a version of the photo in color")
