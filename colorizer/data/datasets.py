"""Photos of a dataset of one's own: whatever has a length and pictures by index."""

from collections.abc import Mapping, Sized
from typing import Any, Self, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from colorizer.data import hugging_face  # noqa: F401  (registers it)
from colorizer.data.augment import Where
from colorizer.data.resident import cut_out
from colorizer.errors import ColorizerError, UsageError
from colorizer.registry import DATASETS

__all__ = ["DatasetPhotos", "create_dataset"]


def create_dataset(spec: Mapping[str, Any]) -> Dataset[Any]:
    """A dataset by name, with keywords of its constructor: `{"name": "module.Photos", ...}`.

    Raises: UsageError for a keyword, or no name; UnknownNameError for a name.
    """
    options = dict(spec)
    if not isinstance(name := options.pop("name", None), str):
        raise UsageError(
            f"data {dict(spec)}: it lacks its name, such as {{name: hugging_face, path: "
            "user/photos}"
        )
    return DATASETS.create(name, **options)


class DatasetPhotos:
    """The pictures of a dataset, asked for anew each epoch; otherwise as `ResidentPhotos`.

    Args:
        dataset: with a length; each item an (H, W, 3) uint8 array in sRGB, a picture of Pillow's,
            or a tuple that begins with one.
        short_side: in pixels, to which larger pictures are reduced.

    Raises: UsageError: it has no length.
    """

    def __init__(self, dataset: Dataset[Any], short_side: int) -> None:
        if not hasattr(dataset, "__len__"):
            raise UsageError(f"data: {type(dataset).__name__} has no length; it needs one")
        self._dataset, self._short_side = dataset, short_side
        self._chosen = np.arange(len(cast(Sized, dataset)))

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def names(self) -> list[str]:
        """Of the photos, in order: their numbers."""
        return [f"item {i}" for i in self._chosen.tolist()]

    def part(self, chosen: np.ndarray) -> Self:
        """Some of the photos, by index."""
        other = type(self)(self._dataset, self._short_side)
        other._chosen = self._chosen[chosen]
        return other

    def to(self, device: torch.device) -> Self:
        """Itself: its batches are made by the processor and follow to the device."""
        return self

    def batch(self, photos: np.ndarray, draws: np.ndarray, where: Where, size: int) -> Tensor:
        """As `ResidentPhotos.batch`.

        Raises:
            ColorizerError: an item is no picture.
        """
        out = torch.empty((len(photos), 3, size, size), dtype=torch.uint8)
        for into, index, draw in zip(out, self._chosen[photos].tolist(), draws, strict=True):
            picture = self._picture(index)
            crop = where(np.array([picture.shape[:2]]), draw[None])[0]
            cut_out(torch.from_numpy(picture), crop, into)
        return out

    def _picture(self, index: int) -> np.ndarray:
        item = self._dataset[index]
        found = item[0] if isinstance(item, tuple | list) else item
        if isinstance(found, Image.Image):
            found = np.asarray(found.convert("RGB"))
        picture = np.asarray(found)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ColorizerError(
                f"data: item {index} is {picture.dtype} of shape {picture.shape}; a picture is "
                "uint8 of shape (H, W, 3), sRGB"
            )
        height, width = picture.shape[:2]
        scale = self._short_side / min(height, width)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
        return picture.copy()  # of Pillow's, which torch could not write to
