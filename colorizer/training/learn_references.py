"""Learn what references lend, over the frozen network of a model folder.

As for hints (`training/learn_likeness.py`) the network looks at each photo once, and what it saw
stays in memory: two crops, of which one is mirrored, of another size and under another light.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from colorizer.data.photos import Photo, decode_in_color, evenly_spread, find_photos
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.network import MULTIPLE, Network
from colorizer.model_folder import BORROWING
from colorizer.options import LikenessOptions
from colorizer.training.borrowing import BorrowingNet
from colorizer.training.on_top import crop_in_lab, fit, look_at, write_learnt
from colorizer.training.pairing import Cells, Sight, draw_pair, relit, seen_of

__all__ = ["learn_references"]

BATCH = 8  # pairs of a step
AVERAGE = 0.995
ROBUST = 5.0  # Lab units, from which on an error counts by its size, below by its square


def learn_references(
    model: str | Path, data: str, wanted: LikenessOptions
) -> tuple[Path, list[str]]:
    """Learn what references lend, and write it into the model's folder.

    Args:
        model: a model folder, or a shipped model's name, with the distribution head.
        data: photos in color, as `find_photos` takes them; neighbors in a folder, by name, are
            taken for photos of an album.
        wanted: how long, and on how many photos.

    Returns:
        The file, and sentences: what was left out, and how the error fell.

    Raises:
        UsageError: a model that takes no references.
        ColorizerError: no photo can be used, or the file cannot be written.
    """
    network = Network(model, wanted.threads)
    if not (network.has_prior and network.has_features):
        raise UsageError(f"the model {network.name} takes no references: there is nothing to learn")
    notes: list[str] = []
    photos = evenly_spread(find_photos(data, notes=notes), wanted.photos)
    rng = np.random.default_rng(wanted.seed)
    sights = _look(network, photos, rng, notes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(wanted.seed)
        net = BorrowingNet(len(sights[0].means))

    def errors() -> list[tuple[Tensor, float]]:
        return [_errors(net, *draw_pair(sights, rng)) for _ in range(BATCH)]

    before, after, net = fit(net, wanted.steps, errors, AVERAGE)
    notes.append(f"mean error with a reference is about {before:.2f}, now {after:.2f}")
    return write_learnt(net, network, BORROWING), notes


def _look(
    network: Network, photos: Sequence[Photo], rng: np.random.Generator, notes: list[str]
) -> list[Sight]:
    """Two crops of each photo, one after another, seen at the working size."""
    side = MULTIPLE * max(1, round(network.size / MULTIPLE))
    sights: list[Sight] = []
    for number, photo in enumerate(
        tqdm(photos, desc="looking at photos", unit="photo", disable=None)
    ):
        try:
            rgb = decode_in_color(photo, network.size)
        except ColorizerError as error:
            notes.append(f"left out: {error}")
            continue
        first = rng.uniform(0.55, 1)
        second = np.clip(first * np.exp(rng.uniform(np.log(0.6), np.log(1.6))), 0.45, 1)
        for is_second, share in enumerate((first, second)):
            lab = crop_in_lab(rgb, share, side, rng)
            if is_second and rng.random() < 0.5:
                lab = lab[:, ::-1].copy()
            if is_second and rng.random() < 0.8:
                lab[..., 0] = relit(lab[..., 0], rng)
            features, L, predicted, ab = look_at(network, lab)
            album = str(PurePosixPath(photo.name).parent)
            sights.append(seen_of(features, L, predicted, ab, (number, album), rng))
    if not sights:
        raise ColorizerError(f"none of {len(photos)} photos can be learnt from; {notes[-1]}")
    return sights


def _errors(net: BorrowingNet, asks: Cells, lends: Cells) -> tuple[Tensor, float]:
    """The mean error at places that ask: with the network, and without."""
    fine, coarse = (
        [torch.from_numpy(np.asarray(values, np.float32)) for values in vars(one).values()]
        for one in (asks, lends)
    )
    told, L, own, wanted, _ = fine
    change, _ = net(told, L, own, (coarse[0], coarse[1], coarse[2], coarse[3], coarse[4]))
    with_it, without = (F.smooth_l1_loss(ab, wanted, beta=ROBUST) for ab in (own + change, own))
    return with_it, without.item()
