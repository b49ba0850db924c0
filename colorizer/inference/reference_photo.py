"""Reference photos as they are read, small, and what they lend to the pictures of a network."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from colorizer.color.has_color import CHROMA, highest_chroma
from colorizer.color.lab import RGB_WHITE, light_to_lab
from colorizer.errors import UsageError
from colorizer.inference.network import Network, pad, working_size
from colorizer.inference.predict import over_picture
from colorizer.inference.propagate import grid
from colorizer.inference.reference import Lent, Shown
from colorizer.model_folder import BORROWING, learning
from colorizer.pictures.picture import Picture, Source
from colorizer.pictures.resize import resize

__all__ = ["ReferencePhoto", "lent_by", "read_references"]

SMALLEST = 32  # pixels of the short side


@dataclass(frozen=True, eq=False)
class ReferencePhoto:
    """A photo in color at the working size.

    Attributes:
        size: that working size.
        L: (H, W), 0..100.
        ab: (H, W, 2), Lab units.
    """

    size: int
    L: np.ndarray
    ab: np.ndarray

    @cached_property
    def key(self) -> bytes:
        """Two that have it in common are the same."""
        return hashlib.sha256(self.L.tobytes() + self.ab.tobytes()).digest()


def read_references(told: Any, size: int, max_pixels: int) -> tuple[ReferencePhoto, ...]:
    """Read references; of several pages the first.

    Args:
        told: a photo in color, or a list of them.
        size: the working size.
        max_pixels: larger ones are refused.

    Raises:
        ColorizerError: one cannot be read.
        UsageError: one is gray, or too small.
    """
    photos = told if isinstance(told, list | tuple) else [told]
    if not photos:
        raise UsageError("reference is an empty list; give a photo, several, or leave it out")
    return tuple(_read(photo, size, max_pixels) for photo in photos)


def lent_by(
    network: Network, references: Sequence[ReferencePhoto], told: Mapping[str, Any]
) -> Lent:
    """What references lend, predicted as pictures are: with temperature and prior of `told`.

    Raises:
        UsageError: a network that has not learnt to take it.
        ColorizerError: it has, but for other weights.
    """
    if (borrowing := network.borrowing) is None:
        folder = network.folder.path
        raise UsageError(
            f"the model folder {folder} has no {BORROWING}, so it takes no references; learn it"
            f" with `{learning(BORROWING, folder)}`, or choose a shipped model"
        )
    seen: list[Shown] = []
    for photo in references:
        predicted, features = network.chroma_and_features(pad(photo.L), **told)
        features = over_picture(features, photo.L)
        cells = grid(features)
        every = photo.L, over_picture(predicted, photo.L), photo.ab
        L, predicted, ab = (resize(values, *cells) for values in every)
        seen.append(Shown(resize(features, *cells), L[..., 0], predicted, ab))
    return borrowing.lend(seen)


def _read(source: Source, size: int, max_pixels: int) -> ReferencePhoto:
    picture = Picture.open(source, max_pixels)
    width, height = picture.width, picture.height
    if min(width, height) < SMALLEST:
        raise UsageError(
            f"{picture} has {width}x{height} pixels, too few for a reference; choose a photo whose"
            f" short side has {SMALLEST} or more"
        )
    small = working_size(width, height, size)
    found = picture.light(small)
    ab = None if found is None else light_to_lab(found[0].astype(np.float64), RGB_WHITE)[..., 1:]
    if ab is None or highest_chroma(ab) < CHROMA:
        raise UsageError(f"{picture} has no colors, so it is no reference; choose a photo in color")
    L, _ = picture.thumbnail(0, small)
    return ReferencePhoto(size, L, ab.astype(np.float32))
