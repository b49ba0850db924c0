"""Training and validation photos as batches of crops, for Lightning."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import Dataset

from colorizer.color import gamut
from colorizer.color.tensors import rgb_to_lab
from colorizer.config import DataSettings, crop_at, last_crop
from colorizer.data.augment import DRAWS, center_crops, random_crops
from colorizer.data.cache import cache_folder, decode_all
from colorizer.data.datasets import DatasetPhotos, create_dataset
from colorizer.data.loader import BatchLoader, Photos, default_workers, equal_batches
from colorizer.data.photos import Photo, decode_photo, find_photos
from colorizer.data.remote import find_shards
from colorizer.data.resident import ResidentPhotos
from colorizer.data.streaming import StreamedPhotos
from colorizer.errors import ColorizerError, UsageError
from colorizer.support.machine import available
from colorizer.support.stores import is_remote

__all__ = ["PhotoModule"]

_DEVICE_SHARE = 0.4  # of a GPU's free memory that photos may take: the training needs the rest
_SYSTEM_SHARE = 0.6  # of the system's; what is mapped from a file can be dropped again
_CPU = torch.device("cpu")


class PhotoModule(LightningDataModule):
    """The photos that the settings name, decoded once where they fit.

    Args:
        settings: see `DataSettings`; `batch_size` must be a number by the time batches are made.
        seed: of order and crops.
        device: where the training takes place.
        ranks: processes that share the training; each trains on every so many-th photo. Where
            there are shards enough in a store, on those of every so many-th shard, and fetches
            no other; it does so for training photos if `data.validation` is set.
        rank: which of them this one is.
        datasets: in place of `data.train`, or of that and `data.validation`; see `DatasetPhotos`.

    It stands alone, too: `train_dataloader(epoch)` and `val_dataloader()` need no Trainer, and give
    batches (B, 3, crop, crop) uint8, sRGB.

    Attributes:
        train, validation: all photos, whichever process this is; or those of its own shards.
        loader: of the epoch at hand.
        place: how they are kept: a sentence for the user.

    Raises:
        UsageError: `data.train` is not set.
    """

    train: Photos
    validation: Photos
    loader: BatchLoader
    place: str

    def __init__(
        self,
        settings: DataSettings,
        seed: int = 0,
        device: torch.device = _CPU,
        ranks: int = 1,
        rank: int = 0,
        datasets: Dataset[Any] | tuple[Dataset[Any], Dataset[Any]] | None = None,
    ) -> None:
        super().__init__()
        given = (settings.train, settings.validation)
        if datasets is None and any(isinstance(place, dict) for place in given):
            datasets = _named_datasets(*given)
        self._datasets = datasets
        if settings.train is None and datasets is None:
            raise UsageError(
                "no training photos: set data.train to a folder of photos or tar shards "
                "(in config.py, or as --data.train FOLDER)"
            )
        self.settings, self.seed = settings, seed
        self.device, self.ranks, self.rank = device, ranks, rank
        self._notes: list[str] = []
        self._own: dict[str, Photos] = {}  # this process's share
        self._counts: dict[str, list[int]] = {}  # photos of each process
        self._sharded: set[str] = set()  # what each process has its own shards of

    def setup(self, stage: str | None = None) -> None:
        """Find the photos, and decode them if they fit; once.

        Raises:
            ColorizerError: there are too few photos, or none that can be read.
        """
        if "train" not in self.__dict__:
            self._open_both()
        if stage is not None and self.ranks > 1:
            # Where it was found by trials, each process made its own: the least fits everywhere.
            self.settings.batch_size = int(self._gather(self._batch_size).min())
            for which in self._sharded:
                own = len(getattr(self, which))
                self._counts[which] = [int(count) for count in self._gather(own)]

    def _open_both(self) -> None:
        if self._datasets is None:
            self._open_places()
        else:
            self._on_device = False
            self.train, self.validation = self._of_datasets()
            self.place = f"{len(self.train) + len(self.validation)} photos of a dataset: streamed"
        for which, found in (("train", self.train), ("validation", self.validation)):
            if which in self._sharded:
                self._counts[which] = [len(found)] * self.ranks  # until they can be compared
                continue
            if len(found) < self.ranks:
                raise ColorizerError(
                    f"data.{which}: {len(found)} photos for {self.ranks} devices; each needs one"
                )
            self._counts[which] = [len(range(i, len(found), self.ranks)) for i in range(self.ranks)]

    def _of_datasets(self) -> tuple[Photos, Photos]:
        """Training and validation photos, as they were given or held out."""
        size = self.settings.size
        if isinstance(self._datasets, tuple):
            train, validation = self._datasets
            return DatasetPhotos(train, size), DatasetPhotos(validation, size)
        assert self._datasets is not None
        photos = DatasetPhotos(self._datasets, size)
        held_out = self._held_out(len(photos), "the dataset")
        others = np.setdiff1d(np.arange(len(photos)), held_out)
        return photos.part(others), photos.part(held_out)

    def _held_out(self, count: int, place: str) -> np.ndarray:
        """Which of so many photos are set aside for validation."""
        held = max(1, round(self.settings.holdout * count))
        if held >= count:
            raise ColorizerError(
                f"{place} holds {'one photo' if count else 'no photo'}: training needs at least "
                "two, or data.validation"
            )
        return np.sort(np.random.default_rng(self.seed).permutation(count)[:held])

    def _open_places(self) -> None:
        photos, held_out = self._find()
        memory = self._memory([*photos, *held_out])
        self.place = "; ".join([self.place, *self._notes])
        self._on_device = memory is not None and memory.type != "cpu"
        self.train = self._open(photos, memory)
        self.validation = self._open(held_out, memory)

    def bring(self) -> None:
        """Bring this process's photos to its device, if that is where they are kept; once.

        It is done before anything else is measured against the memory that is left there.
        """
        for which in ("train", "validation"):
            self._share(which)

    def heaviest_batch(self, count: int, size: int) -> Tensor:
        """(count, 3, size, size) uint8 on the device; making it takes the memory of the worst case.

        Where photos are cut on the device, the largest crop of the largest photo, every time.
        """
        if not self._on_device:
            return torch.randint(
                0, 256, (count, 3, size, size), dtype=torch.uint8, device=self.device
            )
        photos = self._share("train")
        assert isinstance(photos, ResidentPhotos)  # streamed ones are on no device
        largest = np.full(count, photos.sizes.min(1).argmax())
        return photos.batch(largest, np.zeros((count, DRAWS)), center_crops, size)

    def count(self, which: str) -> int:
        """How many photos all processes have together, of "train" or "validation".

        Of shards that each has its own, it is known once a training has begun.
        """
        return sum(self._counts[which])

    def batches(self, which: str) -> int:
        """How many batches a process makes of "train" or "validation"; the same in each."""
        return equal_batches(self._counts[which], self._batch_size)

    @property
    def held_out(self) -> bool:
        """Whether the validation photos are some of those that were given for training."""
        datasets = self._datasets
        return self.settings.validation is None and not isinstance(datasets, tuple)

    @property
    def _batch_size(self) -> int:
        if self.settings.batch_size == "auto":
            raise UsageError("data.batch_size 'auto' is found by a training; alone, say a number")
        return int(self.settings.batch_size)

    @property
    def epochs(self) -> float:
        """How many the training takes: fewer than it was told where its steps end it.

        Without a Trainer there is no end.
        """
        if self.trainer is None:
            return math.inf
        trainer = self.trainer
        epochs = trainer.max_epochs or 1
        if trainer.max_steps < 0:
            return epochs
        steps = -(-self.batches("train") // trainer.accumulate_grad_batches)
        return min(epochs, trainer.max_steps / steps)

    def train_dataloader(self, epoch: int | None = None) -> BatchLoader:
        """One epoch: another order and other crops each time, the same for the same seed.

        Args:
            epoch: from 0 on; None is the Trainer's, or the first.
        """
        self.setup()
        trainer, s = self.trainer, self.settings
        if epoch is None:
            epoch = trainer.current_epoch if trainer else 0
        photos = self._share("train")
        rng = np.random.default_rng([self.seed, epoch, self.rank])
        order, draws = rng.permutation(len(photos)), rng.random((len(photos), DRAWS))
        self.loader = self._loader(
            photos,
            order,
            draws,
            partial(random_crops, scale=s.scale, flip=s.flip),
            crop_at(s, epoch / self.epochs),
            self.batches("train"),
            # Of this epoch: the loop counts from its start, or from where it was resumed.
            done=lambda: trainer.fit_loop.epoch_loop.batch_progress.current.ready if trainer else 0,
        )
        return self.loader

    def val_dataloader(self) -> BatchLoader:
        """The centered crops of the validation photos; of each process those of its share."""
        self.setup()
        photos = self._share("validation")
        order = np.arange(len(photos))
        return self._centered(photos, order, last_crop(self.settings), self.batches("validation"))

    def samples(self, count: int) -> Tensor:
        """(count, 3, crop, crop) uint8: validation photos, spread over the whole set."""
        order = np.linspace(0, len(self.validation) - 1, min(count, len(self.validation)))
        loader = self._centered(self.validation, order.astype(int), last_crop(self.settings), 1)
        return loader.batch(0)

    def color_prior(self, photos: int = 4000) -> np.ndarray:
        """How the training photos' colors spread over the in-gamut bins, smoothed.

        They are looked at in small, as the heads predict them; the same in all processes.

        Args:
            photos: how many to look at, spread over the whole set.

        Returns:
            (Q,) float32, sums to 1, in the order of `gamut.bins`.
        """
        self.setup()
        if sharded := "train" in self._sharded:
            photos = -(-photos // self.ranks)
        order = np.linspace(0, len(self.train) - 1, min(photos, len(self.train))).astype(int)
        histogram = np.zeros(len(gamut.bins()), np.int64)
        size = max(32, self.settings.crop // 4)
        for rgb in self._centered(self.train, order, size, -(-len(order) // 256)):
            ab = rgb_to_lab(rgb.float() / 255)[1]  # (N, 2, H, W)
            histogram += gamut.histogram(ab.permute(0, 2, 3, 1).reshape(-1, 2).numpy())
        if sharded:
            histogram = self._gather(histogram).sum(0)
        return gamut.smooth_prior(histogram)

    def _find(self) -> tuple[list[Photo], list[Photo]]:
        """Training and validation photos."""
        kept = self.settings.cache
        cache = None if kept in (None, "auto") else Path(kept).expanduser() / "shards"
        place, held_out = str(self.settings.train), self.settings.validation
        if isinstance(held_out, str):
            return self._find_own("train", place, cache), self._find_own(
                "validation", held_out, cache
            )
        photos = find_photos(place, cache, self._notes)
        chosen = set(self._held_out(len(photos), place).tolist())
        return (
            [photo for i, photo in enumerate(photos) if i not in chosen],
            [photo for i, photo in enumerate(photos) if i in chosen],
        )

    def _find_own(self, which: str, place: str, cache: Path | None) -> list[Photo]:
        """The photos of a place; of shards in a store, this process's own where they suffice."""
        share = (0, 1)
        if self.ranks > 1 and is_remote(place):
            shards = len(find_shards(place))
            if shards >= self.ranks:
                share = (self.rank, self.ranks)
                self._sharded.add(which)
                own = len(range(self.rank, shards, self.ranks))
                self._notes.append(f"{own} of {shards} {which} shards are this process's own")
        return find_photos(place, cache, self._notes, share)

    def _gather(self, own: int | np.ndarray) -> np.ndarray:
        """What every process has: (ranks, *shape)."""
        value = torch.as_tensor(own, device=self.device)
        return (
            self._trainer.strategy.all_gather(value).reshape(self.ranks, *value.shape).cpu().numpy()
        )

    def _memory(self, photos: Sequence[Photo]) -> torch.device | None:
        """The device whose memory keeps the photos; None if they are streamed."""
        taken, mode, device = self._estimate(photos), self.settings.mode, self.device
        system, own = available(_CPU), available(device)
        takes = f"{len(photos)} photos take about {_bytes(taken)} decoded"
        if mode == "streaming":
            self.place = f"{takes}: streamed, as data.mode says"
            return None
        if device.type == "cuda" and taken / self.ranks <= _DEVICE_SHARE * own:
            self.place = f"{takes}: resident on the GPU ({_bytes(own)} free)"
            return device
        if mode == "resident" or taken <= _SYSTEM_SHARE * system:
            self.place = f"{takes}: resident in the system's memory ({_bytes(system)} free)"
            return _CPU
        self.place = f"{takes}: streamed, as {_bytes(system)} of memory are free"
        return None

    def _estimate(self, photos: Sequence[Photo]) -> float:
        """Bytes that the photos take, decoded: by a sample."""
        chosen = np.unique(np.linspace(0, len(photos) - 1, 64).astype(int))
        sizes = []
        for i in chosen:
            try:
                sizes.append(decode_photo(photos[i], self.settings.size).nbytes)
            except ColorizerError:  # will be named when it is its turn
                continue
        return len(photos) * float(np.mean(sizes or [0]))

    def _open(self, photos: Sequence[Photo], memory: torch.device | None) -> Photos:
        if memory is None:
            return StreamedPhotos(photos, self.settings.size)
        cache = cache_folder(self.settings.cache)
        return ResidentPhotos(decode_all(photos, self.settings.size, cache))

    def _share(self, which: str) -> Photos:
        """This process's photos, on its device if that is where they are kept."""
        if which not in self._own:
            photos: Photos = getattr(self, which)
            if self.ranks > 1 and which not in self._sharded:
                photos = photos.part(np.arange(self.rank, len(photos), self.ranks))
            self._own[which] = photos.to(self.device) if self._on_device else photos
        return self._own[which]

    @property
    def _trainer(self) -> Trainer:
        assert self.trainer is not None  # who asks is part of a training
        return self.trainer

    def _centered(self, photos: Photos, order: np.ndarray, size: int, batches: int) -> BatchLoader:
        draws = np.zeros((len(order), DRAWS))
        return self._loader(photos, order, draws, center_crops, size, batches)

    def _loader(self, photos: Photos, *about, **options) -> BatchLoader:
        # What lies where the training takes place is cut in its turn; the rest is made ahead.
        at_hand = isinstance(photos, ResidentPhotos) and (
            photos.pixels.device.type == self.device.type
        )
        local = self.trainer.num_devices if self.trainer else 1
        workers = 0 if at_hand else self.settings.workers or default_workers(local)
        travels = any(photos is own for own in self._own.values())  # else it is looked at here
        pinned = travels and not at_hand and self.device.type == "cuda"
        return BatchLoader(photos, *about, workers=workers, pinned=pinned, **options)


def _named_datasets(
    train: Any, validation: Any
) -> Dataset[Any] | tuple[Dataset[Any], Dataset[Any]]:
    """Of `data.train`, and `data.validation` if it is set: both are to be datasets then."""
    for which, spec in (("train", train), ("validation", validation)):
        if not isinstance(spec, dict) and (which == "train" or spec is not None):
            raise UsageError(
                f"data.{which} is {spec!r}, and the other a dataset by name: name two, or leave "
                "data.validation out"
            )
    made = create_dataset(train)
    return made if validation is None else (made, create_dataset(validation))


def _bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
