"""Decoded photos as one flat uint8 tensor; crops are cut from it where it lies."""

from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorizer.data.augment import Where
from colorizer.data.cache import Decoded

__all__ = ["ResidentPhotos", "cut_out"]

_BLOCK = 2**24  # rows of pixels, 48 MB


class ResidentPhotos:
    """Decoded photos of various sizes, side by side in memory.

    Args:
        decoded: the photos; their pixels are shared, not copied.

    Attributes:
        names: of the photos, in order.
        sizes: (N, 2) int64, height and width of each, in pixels.
        starts: (N,) int64, the row of `pixels` at which each photo begins.
        pixels: (rows, 3) uint8, sRGB.
    """

    def __init__(self, decoded: Decoded) -> None:
        self.names = list(decoded.names)
        self.sizes = decoded.sizes
        areas = self.sizes.prod(1)
        self.starts = np.cumsum(areas) - areas
        self.pixels = torch.from_numpy(decoded.pixels)

    def __len__(self) -> int:
        return len(self.names)

    def part(self, chosen: np.ndarray) -> Self:
        """Some of the photos, by index; shares the pixels."""
        other = object.__new__(type(self))
        other.names = [self.names[i] for i in chosen.tolist()]
        other.sizes, other.starts = self.sizes[chosen], self.starts[chosen]
        other.pixels = self.pixels
        return other

    def to(self, device: torch.device) -> Self:
        """A copy of these photos' pixels on `device`; itself if they are there."""
        if self.pixels.device == device:
            return self
        areas = self.sizes.prod(1)
        other = self.part(np.arange(len(self)))
        other.starts = np.cumsum(areas) - areas
        other.pixels = torch.empty((int(areas.sum()), 3), dtype=torch.uint8, device=device)
        # In blocks: a copy for each of a hundred thousand photos would take minutes.
        for first, last in _blocks(other.starts):
            block = torch.cat([self[i].reshape(-1, 3) for i in range(first, last)])
            begin = int(other.starts[first])
            other.pixels[begin : begin + len(block)].copy_(block)
        return other

    def __getitem__(self, index: int) -> Tensor:
        """(H, W, 3) uint8: a view of one photo."""
        height, width = self.sizes[index].tolist()
        start = int(self.starts[index])
        return self.pixels[start : start + height * width].view(height, width, 3)

    def batch(self, photos: np.ndarray, draws: np.ndarray, where: Where, size: int) -> Tensor:
        """Squares of photos, resampled.

        Args:
            photos: (N,) int64, by index.
            draws: (N, 4), uniform in [0, 1): what is random about each crop.
            where: which crop, see `colorizer.data.augment`.
            size: side of the result, in pixels.

        Returns:
            (N, 3, size, size) uint8, sRGB, where the pixels lie.
        """
        return self.crops(photos, where(self.sizes[photos], draws), size)

    def crops(self, photos: np.ndarray, crops: np.ndarray, size: int) -> Tensor:
        """Cut crops and resample them (bilinear, antialiased).

        Args:
            photos: (N,) int64, which photo each crop is of.
            crops: (N, 4), see `colorizer.data.augment`.
            size: side of the result, in pixels.

        Returns:
            (N, 3, size, size) uint8, sRGB, where the pixels lie.
        """
        if self.pixels.device.type != "cpu":
            return self._crops_at_once(photos, crops, size)
        out = torch.empty((len(photos), 3, size, size), dtype=torch.uint8)
        for into, photo, crop in zip(out, photos.tolist(), crops, strict=True):
            cut_out(self[photo], crop, into)
        return out

    def _crops_at_once(self, photos: np.ndarray, crops: np.ndarray, size: int) -> Tensor:
        """As `crops`, in a few operations for the whole batch, which the device need not wait
        for: one gather, then resampling as two matrix products."""
        rows = np.concatenate(
            [self.starts[photos, None], self.sizes[photos, 1:], crops], 1, dtype=np.int64
        )
        table = torch.from_numpy(rows)
        if self.pixels.is_cuda:
            table = table.pin_memory()
        table = table.to(self.pixels.device, non_blocking=True)
        start, width, top, left, side, flip = table[:, :, None].unbind(1)  # (N, 1) each
        # The largest crop of the batch, rounded up: fewer shapes for the allocator to hold.
        reach = torch.arange(-(-int(crops[:, 2].max()) // 16) * 16, device=table.device)
        inside = torch.minimum(reach, side - 1)  # (N, reach)
        down, across = start + (top + inside) * width, left + inside
        cut = self.pixels[down[:, :, None] + across[:, None, :]].float()  # (N, reach, reach, 3)
        weights = _resampling(side, reach, size)  # (N, size, reach)
        mirrored = torch.where(flip[:, :, None] > 0, weights.flip(1), weights)
        out = torch.einsum("nyr,nrkc,nxk->ncyx", weights, cut, mirrored)
        return out.round().clamp(0, 255).to(torch.uint8)


def _blocks(starts: np.ndarray) -> list[tuple[int, int]]:
    """First and last (exclusive) photo of blocks that begin about `_BLOCK` rows apart."""
    firsts = np.unique(starts // _BLOCK, return_index=True)[1].tolist()
    return list(zip(firsts, [*firsts[1:], len(starts)], strict=True))


def cut_out(picture: Tensor, crop: np.ndarray, into: Tensor) -> None:
    """Resample one crop of one photo.

    Args:
        picture: (H, W, 3) uint8, on the processor.
        crop: (4,), see `colorizer.data.augment`.
        into: (3, size, size) uint8, is overwritten.
    """
    top, left, side, flip = crop.tolist()
    cut = picture[top : top + side, left : left + side].permute(2, 0, 1)[None]
    size = (into.shape[1], into.shape[2])
    cut = F.interpolate(cut, size=size, mode="bilinear", antialias=True)[0]
    into.copy_(cut.flip(-1) if flip else cut)


def _resampling(side: Tensor, reach: Tensor, size: int) -> Tensor:
    """The antialiased bilinear weights that bring `side` pixels to `size`, as torch has them.

    Shape: side (N, 1), reach (R,) -> (N, size, R) float32; rows sum to 1.
    """
    scale = (side.float() / size)[:, :, None]  # (N, 1, 1)
    center = (torch.arange(size, device=side.device)[:, None] + 0.5) * scale - 0.5  # (N, size, 1)
    weight = (1 - (reach - center).abs() / scale.clamp(min=1)).clamp(min=0)
    weight = weight * (reach < side[:, :, None])
    return weight / weight.sum(2, keepdim=True)
