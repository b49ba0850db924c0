"""Hints as people might set them on a photo whose colors are known, to learn likeness from."""

from dataclasses import dataclass

import numpy as np
import pyvips

__all__ = ["Lesson", "draw_lesson"]

PEOPLE = 0.55  # of the lessons are hints on things, the others on random places
FAITHFUL, GRAY = 0.4, 0.1  # of the things keep their own color, become gray; the others another one
FURTHEST = 60.0  # Lab units, of a color that a thing never had
SMALLEST, LARGEST = 0.015, 0.45  # share of the picture that counts as a thing
MOST = 48  # hints at random places


@dataclass(frozen=True, eq=False)
class Lesson:
    """What was said of a picture, and what should come of it.

    Attributes:
        rows, columns: (M,) each, the cells of the hints.
        said: (M, 2), Lab units.
        wanted: (h, w, 2), ab everywhere.
        weight: (h, w), how much a place counts; 0 where it could be one or the other.
    """

    rows: np.ndarray
    columns: np.ndarray
    said: np.ndarray
    wanted: np.ndarray
    weight: np.ndarray


def draw_lesson(
    L: np.ndarray, ab: np.ndarray, predicted: np.ndarray, rng: np.random.Generator
) -> Lesson:
    """Hints on a picture: true ones at random places, or on things, in what color ever.

    A thing is a connected part of about one color. What a hint says of it may contradict the photo:
    then the thing alone is wanted in that color, so that nothing else learns to follow. Places
    apart from it but of its color may follow or not.

    Args:
        L, ab: (h, w) and (h, w, 2), of the photo, on the grid of the hints.
        predicted: (h, w, 2), by the network: people hint where that is wrong.
        rng: of the places and colors.
    """
    wanted, weight = ab.copy(), np.ones(L.shape, np.float32)
    if rng.random() > PEOPLE:
        count = int(np.exp(rng.uniform(0, np.log(MOST + 1))))
        rows, columns = (rng.integers(0, side, count) for side in L.shape)
        return Lesson(rows, columns, ab[rows, columns], wanted, weight)
    wrong = np.linalg.norm(ab - predicted, axis=-1)
    taken = np.zeros(L.shape, bool)
    places, said = [], []
    things = rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15])
    for _ in range(8):
        if not things:
            break
        seeds = rng.integers(0, L.shape, (4, 2))
        worst = seeds[np.argmax(wrong[tuple(seeds.T)])]
        thing, alike = _thing(L, ab, worst if rng.random() < 0.6 else seeds[0], rng)
        thing &= ~taken
        if not SMALLEST <= thing.mean() <= LARGEST:
            continue
        things -= 1
        taken |= thing
        chance = rng.random()
        color = _recolored(ab[thing], chance, rng)
        if chance >= FAITHFUL:
            weight[alike & ~thing] = 0
            weight /= 1 + np.abs((color - ab[thing]).mean(0)).max() / 40
        wanted[thing] = color
        on_it = _set(thing, rng)
        mean = wanted[tuple(on_it.T)].mean(0)
        places += [*on_it]
        said += [mean] * len(on_it)
    if rng.random() < 0.35 or not places:  # "this stays"
        others = np.argwhere(~taken)
        others = others[rng.integers(len(others), size=rng.integers(1, 9))]
        places += [*others]
        said += [*ab[tuple(others.T)]]
    rows, columns = np.array(places).T
    return Lesson(rows, columns, np.array(said), wanted, weight)


def _thing(
    L: np.ndarray, ab: np.ndarray, seed: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The connected places of the color of one of them; and those that are not connected, too."""
    y, x = seed
    near = np.linalg.norm(ab - ab[y, x], axis=-1) < rng.uniform(6, 12)
    alike = near & (np.abs(L - L[y, x]) < rng.uniform(15, 35))
    labels = pyvips.Image.new_from_array(alike.astype(np.uint8)).labelregions().numpy()
    return labels == labels[y, x], alike


def _recolored(ab: np.ndarray, chance: float, rng: np.random.Generator) -> np.ndarray:
    """The colors (N, 2) that a thing is given: its own, nearly gray, or moved."""
    if chance < FAITHFUL:
        return ab
    if chance > 1 - GRAY:
        return 0.3 * (ab - ab.mean(0))
    angle = rng.uniform(0, 2 * np.pi)
    return ab + rng.uniform(5, FURTHEST) * np.array([np.cos(angle), np.sin(angle)])


def _set(thing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 2), rows and columns: the middle of a thing, anywhere on it, or a stroke over it."""
    inside, chance = np.argwhere(thing), rng.random()
    if chance < 0.6:
        some = inside[rng.choice(len(inside), min(24, len(inside)), replace=False)]
        rim = np.argwhere(~np.pad(thing, 1)) - 1
        distance = np.square(some[:, None] - rim).sum(-1).min(1)
        return some[[np.argmax(distance)]]
    start, end = inside[rng.integers(len(inside), size=2)]
    if chance < 0.8:
        return start[None]
    steps = np.linspace(0, 1, rng.integers(3, 11))[:, None]
    stroke = np.unique(np.rint(start + (end - start) * steps).astype(int), axis=0)
    return stroke[thing[tuple(stroke.T)]]
