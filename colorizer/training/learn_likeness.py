"""Learn likeness: what follows a hint, over the frozen network of a model folder.

The network looks once at each photo; what it saw stays in memory, and hints are drawn on it again
and again (`training/hinting.py`). So a training takes a quarter of an hour of one core, and the
weights that color stay what they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from colorizer.data.photos import Photo, decode_in_color, evenly_spread, find_photos
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.likeness import EVEN, PAIR, eases, pairs, unit
from colorizer.inference.network import MULTIPLE, Network
from colorizer.model_folder import LIKENESS
from colorizer.options import LikenessOptions
from colorizer.training.hinting import draw_lesson
from colorizer.training.learn_references import learn_references
from colorizer.training.on_top import crop_in_lab, fit, look_at, write_learnt

__all__ = ["LikenessNet", "learn_likeness"]

BATCH = 8  # crops of a step
PLACES = 500  # of a crop, which are asked whom they follow
AVERAGE = 0.998
ROBUST = 12.0  # Lab units, from which on an error counts by its size, below by its square


class LikenessNet(nn.Module):
    """What `inference.likeness.Likeness` computes, to be trained.

    Args:
        channels: of the features.
        heads, width: products of query and key, and the numbers in each.
        hidden: units of the layers that judge a pair.
    """

    def __init__(self, channels: int, heads: int = 4, width: int = 32, hidden: int = 32) -> None:
        super().__init__()
        self.heads, inner = heads, heads * width
        self.place = nn.Linear(channels + 1, inner)
        self.query, self.key = nn.Linear(inner, inner), nn.Linear(inner, inner)
        self.none = nn.Linear(inner, 1)
        layers = [nn.Linear(heads + PAIR, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
        self.pair = nn.Sequential(*layers, nn.Linear(hidden, 2))

    def look(self, features: Tensor, L: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C) and (N,) -> query and key (N, heads, width), and the score of none (N, 1)."""
        rms = features.square().mean(1, keepdim=True).sqrt() + 1e-3
        inner = torch.tanh(self.place(torch.cat([features / rms, L[:, None] / 50 - 1], 1)))
        shape = (len(inner), self.heads, -1)
        query, key = (F.normalize(f(inner).view(shape), dim=2) for f in (self.query, self.key))
        return query, key, self.none(inner)

    def carry(
        self,
        query: Tensor,
        none: Tensor,
        key: Tensor,
        about: Tensor,
        change: Tensor,
        ab: tuple[Tensor, Tensor],
    ) -> Tensor:
        """By how much places change: (N, 2), Lab units.

        Args:
            query, none: of N places. key: of M hints.
            about: (M, N, PAIR), see `pairs`.
            change: (M, 2), of the hints.
            ab: as predicted, of the places (N, 2) and of the hints (M, 2).
        """
        products = torch.einsum("nhd,mhd->mnh", query, key)
        score, gate = self.pair(torch.cat([4 * products, about], -1)).unbind(-1)  # (M, N)
        share = torch.cat([3 * score.T, none], 1).softmax(1)[:, :-1]
        followed = share * torch.sigmoid(gate.T + 2)
        own, of_hints = ab
        return followed @ (change + EVEN * of_hints) - EVEN * followed.sum(1, keepdim=True) * own


@dataclass(frozen=True, eq=False)
class Crop:
    """What is kept of a crop of a photo, on the grid of the features.

    Attributes:
        features: (h, w, C) float16.
        L: (h, w). predicted, ab: (h, w, 2), by the network and of the photo.
    """

    features: np.ndarray
    L: np.ndarray
    predicted: np.ndarray
    ab: np.ndarray


def learn_likeness(model: str | Path, data: str, **options: Any) -> tuple[Path, list[str]]:
    """Learn what follows a hint, or what references lend, and write it into the model's folder.

    Args:
        model: a model folder, or a shipped model's name, with the distribution head.
        data: photos in color, as `find_photos` takes them.
        options: as `LikenessOptions` has them, by name.

    Returns:
        The file, and sentences: what was left out, and how the error fell.

    Raises:
        UsageError: a model that takes no hints, or a value out of range.
        ColorizerError: no photo can be used, or the file cannot be written.
    """
    wanted = LikenessOptions.of(options)
    if wanted.learn == "references":
        return learn_references(model, data, wanted)
    network = Network(model, wanted.threads)
    if not (network.has_prior and network.has_features):
        raise UsageError(f"the model {network.name} takes no hints: there is nothing to learn")
    notes: list[str] = []
    photos = evenly_spread(find_photos(data, notes=notes), wanted.photos)
    rng = np.random.default_rng(wanted.seed)
    crops = _look(network, photos, rng, notes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(wanted.seed)
        net = LikenessNet(crops[0].features.shape[-1])

    def errors() -> list[tuple[Tensor, float]]:
        return [_errors(net, crops[i], rng) for i in rng.integers(0, len(crops), BATCH)]

    before, after, net = fit(net, wanted.steps, errors, AVERAGE)
    notes.append(f"mean error at places that a hint is about {before:.2f}, now {after:.2f}")
    return write_learnt(net, network, LIKENESS), notes


def _look(
    network: Network, photos: Sequence[Photo], rng: np.random.Generator, notes: list[str]
) -> list[Crop]:
    """A crop of each photo, seen at the working size."""
    side = MULTIPLE * max(1, round(network.size / MULTIPLE))
    crops: list[Crop] = []
    for photo in tqdm(photos, desc="looking at photos", unit="photo", disable=None):
        try:
            rgb = decode_in_color(photo, network.size)
        except ColorizerError as error:
            notes.append(f"left out: {error}")
            continue
        lab = crop_in_lab(rgb, rng.uniform(0.75, 1), side, rng)
        features, L, predicted, ab = look_at(network, lab)
        crops.append(Crop(features.astype(np.float16), L, predicted, ab))
    if not crops:
        raise ColorizerError(f"none of {len(photos)} photos can be learnt from; {notes[-1]}")
    return crops


def _errors(net: LikenessNet, crop: Crop, rng: np.random.Generator) -> tuple[Tensor, float]:
    """The mean error at some places of a crop with hints on it: with the network, and without."""
    flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
    features = crop.features[:, flip].astype(np.float32)
    L, predicted, ab = (v[:, flip] for v in (crop.L, crop.predicted, crop.ab))
    if rng.random() < 0.15:  # another vividness
        predicted = predicted * np.float32(rng.uniform(0, 1.5))
    lesson = draw_lesson(L, ab, predicted, rng)
    rows, columns = lesson.rows, lesson.columns
    change = lesson.said - predicted[rows, columns]
    ways = eases(L, unit(features), rows, columns)
    about = pairs(L, predicted, rows, columns, change, ways)
    at = rng.choice(L.size, min(PLACES, L.size), replace=False)
    y, x = np.divmod(at, L.shape[1])

    def told(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    both = np.concatenate([y, rows]), np.concatenate([x, columns])
    query, key, none = net.look(told(features[both]), told(L[both]))
    count = len(at)
    now, wanted = told(predicted[y, x]), told(lesson.wanted[y, x])
    both = now, told(predicted[rows, columns])
    judged = told(about[:, y, x])
    moved = net.carry(query[:count], none[:count], key[count:], judged, told(change), both)
    weight = told(lesson.weight[y, x])[:, None]
    with_it, without = (
        (F.smooth_l1_loss(one, wanted, beta=ROBUST, reduction="none") * weight).mean()
        for one in (now + moved, now)
    )
    return with_it, without.item()
