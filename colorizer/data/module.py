"""Training and validation photos as batches of squares, for Lightning."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from colorizer import gamut
from colorizer.color import rgb_to_lab
from colorizer.config import DataSettings
from colorizer.data.augment import center_crop, random_crop
from colorizer.data.photos import find_photos
from colorizer.data.resident import Crop, ResidentPhotos
from colorizer.errors import ColorizerError, UsageError

__all__ = ["CropLoader", "PhotoModule"]


class CropLoader:
    """Batches of squares, each photo once, cut on the device where the photos lie.

    Args:
        photos: to cut from.
        order: (N,) which photos, in which order.
        crop: photo, height, width -> square.
        size: side of the squares, in pixels.
        batch_size: squares per batch; the last batch may be smaller.

    Yields:
        (B, 3, size, size) uint8, sRGB.
    """

    def __init__(
        self,
        photos: ResidentPhotos,
        order: np.ndarray,
        crop: Callable[[int, int, int], Crop],
        size: int,
        batch_size: int,
    ) -> None:
        self.photos, self.order, self.crop = photos, order, crop
        self.size, self.batch_size = size, batch_size

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        for first in range(0, len(self.order), self.batch_size):
            chosen = self.order[first : first + self.batch_size].tolist()
            crops = [self.crop(photo, *self.photos.sizes[photo]) for photo in chosen]
            yield self.photos.crops(crops, self.size)


class PhotoModule(LightningDataModule):
    """The photos that the settings name, decoded once and resident in memory.

    Raises UsageError when `data.train` is not set, ColorizerError when it holds no photo.
    """

    def __init__(self, settings: DataSettings, seed: int = 0) -> None:
        super().__init__()
        if settings.train is None:
            raise UsageError(
                "no training photos: set data.train to a folder of photos or tar shards "
                "(in config.py, or as --data.train FOLDER)"
            )
        self.settings, self.seed = settings, seed
        self.train: ResidentPhotos | None = None
        self.validation: ResidentPhotos | None = None

    def setup(self, stage: str | None = None) -> None:
        """Find and decode the photos, once."""
        if self.train is not None:
            return
        photos = find_photos(self.settings.train)
        if self.settings.validation is not None:
            held_out = find_photos(self.settings.validation)
        else:
            count = max(1, round(self.settings.holdout * len(photos)))
            if count == len(photos):
                raise ColorizerError(
                    f"{self.settings.train} holds one photo: training needs at least two, "
                    "or data.validation"
                )
            chosen = set(np.random.default_rng(self.seed).permutation(len(photos))[:count].tolist())
            held_out = [photo for i, photo in enumerate(photos) if i in chosen]
            photos = [photo for i, photo in enumerate(photos) if i not in chosen]
        self.train = ResidentPhotos.read(photos, self.settings.size)
        self.validation = ResidentPhotos.read(held_out, self.settings.size)

    def train_dataloader(self) -> CropLoader:
        """One epoch: another order and other squares each time, the same for the same seed."""
        device, epoch = self.trainer.strategy.root_device, self.trainer.current_epoch
        rng = np.random.default_rng([self.seed, epoch])
        s = self.settings

        def crop(photo: int, height: int, width: int) -> Crop:
            return random_crop(photo, height, width, rng, s.scale, s.flip)

        order = rng.permutation(len(self.train))
        return CropLoader(self.train.to(device), order, crop, s.crop, s.batch_size)

    def val_dataloader(self) -> CropLoader:
        """The centered squares of the validation photos."""
        photos = self.validation.to(self.trainer.strategy.root_device)
        return self._centered(photos, np.arange(len(photos)))

    def _centered(self, photos: ResidentPhotos, order: np.ndarray) -> CropLoader:
        return CropLoader(photos, order, center_crop, self.settings.crop, self.settings.batch_size)

    def samples(self, count: int) -> Tensor:
        """(count, 3, crop, crop) uint8: validation photos, spread over the whole set."""
        order = np.linspace(0, len(self.validation) - 1, min(count, len(self.validation)))
        return torch.cat(list(self._centered(self.validation, order.astype(int))))

    def color_prior(self, photos: int = 4000) -> np.ndarray:
        """How the training photos' colours spread over the in-gamut bins, smoothed.

        Args:
            photos: how many to look at, spread over the whole set.

        Returns:
            (Q,) float32, sums to 1, in the order of `gamut.bins`.
        """
        order = np.linspace(0, len(self.train) - 1, min(photos, len(self.train))).astype(int)
        histogram = np.zeros(len(gamut.bins()), np.int64)
        for rgb in self._centered(self.train, order):
            ab = rgb_to_lab(rgb.float() / 255)[1]  # (N, 2, H, W)
            histogram += gamut.histogram(ab.permute(0, 2, 3, 1).reshape(-1, 2).cpu().numpy())
        return gamut.smooth_prior(histogram)
