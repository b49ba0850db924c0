"""One epoch of photos as batches of crops."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch import Tensor

from colorizer.data.augment import Where
from colorizer.data.datasets import DatasetPhotos
from colorizer.data.resident import ResidentPhotos
from colorizer.data.streaming import StreamedPhotos
from colorizer.support.machine import cores
from colorizer.support.pool import in_order

__all__ = ["BatchLoader", "Photos", "default_workers", "equal_batches"]

Photos = ResidentPhotos | StreamedPhotos | DatasetPhotos


class BatchLoader:
    """Batches of crops, each photo once; batches differ in size by one at most.

    Args:
        photos: to cut from.
        order: (N,) which photos, in which order.
        draws: (N, 4), uniform in [0, 1): what is random about each crop.
        where: which crop of a photo.
        size: side of the crops, in pixels.
        batches: how many.
        workers: threads that make batches ahead of time; 0 makes each when it is asked for.
        pinned: leave batches in memory that a GPU can copy from while it computes.
        done: how many batches of this epoch a resumed training has seen already.

    Yields:
        (B, 3, size, size) uint8, sRGB.
    """

    def __init__(
        self,
        photos: Photos,
        order: np.ndarray,
        draws: np.ndarray,
        where: Where,
        size: int,
        batches: int,
        *,
        workers: int = 0,
        pinned: bool = False,
        done: Callable[[], int] = lambda: 0,
    ) -> None:
        self.photos, self.where, self.size = photos, where, size
        self.workers, self.pinned, self.done = workers, pinned, done
        self.order, self.draws = np.array_split(order, batches), np.array_split(draws, batches)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Tensor]:
        left = range(self.done(), len(self))
        return in_order(self.batch, left, self.workers)

    def batch(self, index: int) -> Tensor:
        """The batch of this index: (N, 3, size, size)."""
        crops = self.photos.batch(self.order[index], self.draws[index], self.where, self.size)
        return crops.pin_memory() if self.pinned else crops

    def names(self, index: int) -> list[str]:
        """Of the photos in the batch of this index."""
        names = self.photos.names
        return [names[photo] for photo in self.order[index].tolist()]

    def state_dict(self) -> dict[str, int]:
        """Empty: where to go on is the training's knowledge (`done`). Lightning asks for it."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Does nothing, see `state_dict`."""


def equal_batches(counts: Sequence[int], size: int) -> int:
    """How many batches each process makes, which has to be the same number in all.

    They are of at most `size` photos, unless one process has fewer photos than that asks for.

    Args:
        counts: photos of each process.
        size: photos of a batch.
    """
    return min(-(-max(counts) // size), min(counts))


def default_workers(ranks: int = 1) -> int:
    """All cores but one, shared by the processes of this machine; at least one."""
    return max(1, cores() // ranks - 1)
