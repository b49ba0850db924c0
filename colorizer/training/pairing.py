"""Pairs of pictures, of which one lends its colors, to learn from: alike, of an album, unlike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyvips

from colorizer.inference.reference import CELLS, told_of
from colorizer.pictures.resize import resize

__all__ = ["Cells", "Sight", "draw_pair", "relit", "seen_of"]

KEPT = 600  # places of a picture that may ask
ASKING = 250  # of these in a lesson
COARSE = (CELLS, 17)  # cells of the short side of a reference
OWN, ALBUM = 0.4, 0.35  # of the lessons are of one photo, of photos of one folder; the others any
RECOLORED, LIVELIER, SECOND = 0.25, 0.15, 0.2  # of the lessons
FURTHEST = 45.0  # Lab units, by which colors are moved
AMONG = 200  # others, of which the most alike is taken


@dataclass(frozen=True, eq=False)
class Cells:
    """Some places of a picture: what `told_of` says of each, and what it is.

    Attributes:
        told: (N, D) float16.
        L: (N,). predicted, ab: (N, 2), by the network and of the photo.
        weight: (N,), the logarithm of what each counts as a place of a reference.
    """

    told: np.ndarray
    L: np.ndarray
    predicted: np.ndarray
    ab: np.ndarray
    weight: np.ndarray

    def and_of(self, other: "Cells") -> "Cells":
        """Those of both."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Cells(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, eq=False)
class Sight:
    """A crop of a photo, as it asks and as it lends.

    Attributes:
        photo, album: the number of its photo; the folder of that.
        fine: places that may ask. coarse: all of it, on each grid of `COARSE`.
        means: (C,), of the features.
    """

    photo: int
    album: str
    fine: Cells
    coarse: tuple[Cells, ...]
    means: np.ndarray


def relit(L: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lightness (H, W), 0..100, under another light, and from another lens."""
    light = (L.clip(0, 100) / 100) ** np.exp(rng.uniform(-0.45, 0.45))
    light = (light - 0.5) * rng.uniform(0.65, 1.25) + 0.5 + rng.uniform(-0.1, 0.1)
    L = (100 * light.clip(0, 1)).astype(np.float32)
    if rng.random() < 0.4:
        L = pyvips.Image.new_from_array(L).gaussblur(rng.uniform(0.4, 1.3)).numpy()
    if rng.random() < 0.4:
        L = L + rng.normal(0, rng.uniform(0.5, 4), L.shape)
    return L.clip(0, 100).astype(np.float32)


def seen_of(
    features: np.ndarray,
    L: np.ndarray,
    predicted: np.ndarray,
    ab: np.ndarray,
    photo: tuple[int, str],
    rng: np.random.Generator,
) -> Sight:
    """What is kept of a crop.

    Args:
        features, L, predicted, ab: (h, w, C), (h, w), (h, w, 2) twice, on the grid of the features.
        photo: its number and its folder.
        rng: of the places.
    """
    at = rng.choice(L.size, min(KEPT, L.size), replace=False)
    fine = _cells(features, L, predicted, ab, at)
    coarse = []
    for cells in COARSE:
        scale = min(1.0, cells / min(L.shape))
        size = [max(1, round(side * scale)) for side in L.shape]
        every = features, L, predicted, ab
        small = [resize(values, *size) for values in every]
        coarse.append(_cells(small[0], small[1][..., 0], *small[2:]))
    return Sight(*photo, fine, tuple(coarse), features.mean((0, 1)))


def _cells(
    features: np.ndarray,
    L: np.ndarray,
    predicted: np.ndarray,
    ab: np.ndarray,
    at: np.ndarray | slice = slice(None),
) -> Cells:
    told = told_of(features, L, predicted).reshape(L.size, -1)[at].astype(np.float16)
    weight = np.full(len(told), -np.log(len(told)), np.float32)
    every = L.reshape(-1)[at], predicted.reshape(-1, 2)[at], ab.reshape(-1, 2)[at]
    return Cells(told, *every, weight)


def draw_pair(sights: Sequence[Sight], rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Places that ask, and those of a reference.

    Both are of one photo; or of two that follow each other in a folder, as those of an album do; or
    of any two, half of them the most alike of some, from which there is often nothing to be had. Of
    one photo or folder, a color may be moved in both, so that the reference is believed and not
    what is likely. Beside the reference may lie another one.

    Args:
        sights: of each photo two, one after another.
        rng: of all choices.
    """
    number = int(rng.integers(len(sights)))
    asks, lends, chance = sights[number], sights[number ^ 1], rng.random()
    if is_alike := chance < OWN + ALBUM:
        if chance > OWN:
            after = (number + rng.choice((-2, 2))) % len(sights)
            lends = sights[after if sights[after].album == asks.album else number ^ 1]
    else:
        lends = sights[int(rng.integers(len(sights)))]
        if rng.random() < 0.5:
            some = [sights[i] for i in rng.integers(len(sights), size=AMONG)]
            others = [one for one in some if one.photo != asks.photo] or some
            lends = max(others, key=lambda one: _resemblance(asks, one))
    start = int(rng.integers(max(1, len(asks.fine.L) - ASKING)))
    fine = Cells(*(values[start : start + ASKING] for values in vars(asks.fine).values()))
    coarse = lends.coarse[int(rng.random() < 0.4)]
    if is_alike and rng.random() < RECOLORED:
        fine, coarse = _recolored(fine, coarse, rng)
    if is_alike and rng.random() < LIVELIER:
        factor = rng.uniform(0.4, 1.4)
        fine, coarse = (replace(one, ab=one.ab * factor) for one in (fine, coarse))
    if rng.random() < SECOND:
        coarse = coarse.and_of(sights[int(rng.integers(len(sights)))].coarse[-1])
    return fine, coarse


def _resemblance(one: Sight, other: Sight) -> float:
    """The cosine between the means of their features."""
    lengths = np.linalg.norm(one.means) * np.linalg.norm(other.means)
    return float(one.means @ other.means / (lengths + 1e-9))


def _recolored(fine: Cells, coarse: Cells, rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Both, with the colors around one of the reference moved."""
    middle = coarse.ab[int(rng.integers(len(coarse.ab)))]
    angle, width = rng.uniform(0, 2 * np.pi), rng.uniform(8, 40)
    by = rng.uniform(5, FURTHEST) * np.array([np.cos(angle), np.sin(angle)])

    def moved(ab: np.ndarray) -> np.ndarray:
        return ab + by * np.exp(-np.square(ab - middle).sum(-1, keepdims=True) / (2 * width**2))

    return replace(fine, ab=moved(fine.ab)), replace(coarse, ab=moved(coarse.ab))
