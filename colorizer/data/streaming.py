"""Photos that are decoded anew each time they are looked at."""

import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from colorizer.data.augment import Where
from colorizer.data.photos import Photo, decode_in_color
from colorizer.data.resident import cut_out
from colorizer.errors import ColorizerError

__all__ = ["StreamedPhotos"]


class StreamedPhotos:
    """Photos on disk, for sets that fit no memory; otherwise as `ResidentPhotos`.

    Args:
        photos: which.
        short_side: in pixels, at which they are decoded.
    """

    def __init__(self, photos: Sequence[Photo], short_side: int) -> None:
        self._photos, self._short_side = list(photos), short_side
        self._unreadable: set[str] = set()

    def __len__(self) -> int:
        return len(self._photos)

    @property
    def names(self) -> list[str]:
        """The names of the photos, in order."""
        return [photo.name for photo in self._photos]

    def part(self, chosen: np.ndarray) -> Self:
        """Some of the photos, by index."""
        other = type(self)([self._photos[i] for i in chosen.tolist()], self._short_side)
        other._unreadable = self._unreadable
        return other

    def to(self, device: torch.device) -> Self:
        """Itself: its batches are made by the processor and follow to the device."""
        return self

    def batch(self, photos: np.ndarray, draws: np.ndarray, where: Where, size: int) -> Tensor:
        """As `ResidentPhotos.batch`; what cannot be read or is gray is named once.

        Raises:
            ColorizerError: none can be read.
        """
        out = torch.empty((len(photos), 3, size, size), dtype=torch.uint8)
        count = 0
        for photo, draw in zip(photos.tolist(), draws, strict=True):
            try:
                picture = decode_in_color(self._photos[photo], self._short_side)
            except ColorizerError as error:
                self._complain(error, last=photo == photos[-1] and not count)
                continue
            crop = where(np.array([picture.shape[:2]]), draw[None])[0]
            # A copy: Pillow's pixels are read-only, which torch warns of.
            cut_out(torch.from_numpy(picture.copy()), crop, out[count])
            count += 1
        return out[:count]

    def _complain(self, error: ColorizerError, last: bool) -> None:
        if last:
            raise ColorizerError(f"no photo of a batch can be used; the last: {error}") from error
        if str(error) not in self._unreadable:
            self._unreadable.add(str(error))
            warnings.warn(f"left out: {error}", stacklevel=2)
