"""Photos decoded once, kept as one flat uint8 tensor; crops are gathered where it lies."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from colorizer.data.photos import Photo, decode
from colorizer.errors import ColorizerError

__all__ = ["Crop", "ResidentPhotos"]


@dataclass(frozen=True)
class Crop:
    """A square of a photo, in pixels; `flip` mirrors it left to right."""

    photo: int
    top: int
    left: int
    side: int
    flip: bool = False


class ResidentPhotos:
    """Decoded photos of various sizes, side by side in memory.

    Attributes:
        names: of the photos that could be read, in order.
        sizes: height and width of each, in pixels.
        pixels: (sum of H * W, 3) uint8, sRGB.
        starts: the row of `pixels` at which each photo begins.
    """

    def __init__(self, names: Sequence[str], pictures: Sequence[np.ndarray]) -> None:
        self.names = list(names)
        sizes = np.array([picture.shape[:2] for picture in pictures], np.int64).reshape(-1, 2)
        areas = sizes.prod(1)
        self.sizes = sizes.tolist()
        self.starts = (np.cumsum(areas) - areas).tolist()
        self.pixels = torch.empty((int(areas.sum()), 3), dtype=torch.uint8)
        for start, area, picture in zip(self.starts, areas.tolist(), pictures, strict=True):
            self.pixels[start : start + area] = torch.from_numpy(picture.reshape(-1, 3))

    @classmethod
    def read(cls, photos: Sequence[Photo], short_side: int) -> "ResidentPhotos":
        """Decode `photos` in parallel; the unreadable ones are named in one warning.

        Raises ColorizerError if not one of them can be read.
        """

        def attempt(photo: Photo) -> np.ndarray | ColorizerError:
            try:
                return decode(photo, short_side)
            except ColorizerError as error:
                return error

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(
                tqdm(pool.map(attempt, photos), "decoding photos", len(photos), disable=None)
            )
        failed = [result for result in results if isinstance(result, ColorizerError)]
        if len(failed) == len(photos):
            raise ColorizerError(
                f"none of {len(photos)} photos can be read; the first: {failed[0]}"
            )
        if failed:
            listing = "; ".join(str(error) for error in failed[:10])
            more = f"; and {len(failed) - 10} more" if len(failed) > 10 else ""
            warnings.warn(f"{len(failed)} photos are left out: {listing}{more}", stacklevel=2)
        kept = [
            (p.name, r) for p, r in zip(photos, results, strict=True) if isinstance(r, np.ndarray)
        ]
        return cls([name for name, _ in kept], [picture for _, picture in kept])

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device | str) -> "ResidentPhotos":
        """Move all pixels to `device`, in place."""
        self.pixels = self.pixels.to(device)
        return self

    def __getitem__(self, index: int) -> Tensor:
        """(H, W, 3) uint8: a view of one photo."""
        height, width = self.sizes[index]
        start = self.starts[index]
        return self.pixels[start : start + height * width].view(height, width, 3)

    def crops(self, crops: Sequence[Crop], size: int) -> Tensor:
        """Cut the crops and resample them to `size` pixels (bilinear, antialiased).

        Returns:
            (N, 3, size, size) uint8, sRGB, where the pixels lie.
        """
        out = torch.empty((len(crops), 3, size, size), dtype=torch.uint8, device=self.pixels.device)
        for into, crop in zip(out, crops, strict=True):
            rows = slice(crop.top, crop.top + crop.side)
            columns = slice(crop.left, crop.left + crop.side)
            cut = self[crop.photo][rows, columns].permute(2, 0, 1)[None]
            if cut.is_cuda:
                cut = cut.float()  # torch resamples bytes on the CPU only
            cut = F.interpolate(cut, size=(size, size), mode="bilinear", antialias=True)[0]
            into.copy_(cut.flip(-1) if crop.flip else cut)
        return out
