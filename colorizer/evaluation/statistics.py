"""How sure a number is: the bootstrap, the jackknife, and the sign test."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["REPLICATES", "SignTest", "bootstrap", "jackknife", "sign_test"]

REPLICATES = 1000
"""How often the pictures are drawn again, with replacement, for a bootstrap interval."""

_AT_ONCE = 100
_GROUPS = 20


def bootstrap(
    rows: Tensor, finish: Callable[[Tensor], Tensor], seed: int = 0
) -> tuple[Tensor, Tensor]:
    """95 % intervals of numbers that follow from a mean over pictures (percentile bootstrap).

    An interval is widened to its number where that lies outside, as a difference without sign
    does that is nearly 0: drawn again, it only grows. The same seed and number of pictures draw
    the same pictures, whatever the model.

    Args:
        rows: (N, K), one row per picture.
        finish: a mean, (..., K), -> the numbers, (..., M).

    Returns:
        low and high: (M,) each.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993).
    """
    rng = np.random.default_rng(seed)
    n = len(rows)
    found = []
    for _ in range(REPLICATES // _AT_ONCE):
        counts = torch.from_numpy(rng.multinomial(n, np.full(n, 1 / n), _AT_ONCE) / n)
        found.append(finish(counts @ rows.double()))
    low, high = torch.quantile(torch.cat(found), torch.tensor([0.025, 0.975]).double(), dim=0)
    value = finish(rows.double().mean(0))
    return torch.minimum(low, value), torch.maximum(high, value)


def jackknife(
    ours: Tensor, real: Tensor, between: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """95 % intervals of distances between two sets of pictures (delete-a-group jackknife).

    The bootstrap is of no use here: pictures drawn twice make a set look narrower than it is.

    Args:
        ours, real: (N, D) each, rows of the same pictures.
        between: two sets -> the distances, (M,).

    Returns:
        low and high: (M,) each; not a number for fewer than 4 pictures.
    Source: Kott, "The Delete-a-Group Jackknife" (2001).
    """
    value = between(ours, real)
    groups = min(_GROUPS, len(ours) // 2)
    if groups < 2:
        unknown = torch.full_like(value, math.nan)
        return unknown, unknown
    group = torch.arange(len(ours)) % groups
    without = torch.stack([between(ours[group != g], real[group != g]) for g in range(groups)])
    variance = (without - without.mean(0)).square().sum(0) * (groups - 1) / groups
    margin = 1.96 * variance.sqrt()
    return value - margin, value + margin


class SignTest(NamedTuple):
    """On how many pictures each of two models comes closer, and how likely chance does that.

    Attributes:
        p: two-sided, of a difference as large or larger between equally good models.
    """

    first: int
    second: int
    ties: int
    p: float


def sign_test(first: np.ndarray, second: np.ndarray) -> SignTest:
    """Compare two models picture by picture by values (N,) of which the lower is better."""
    wins, losses = int((first < second).sum()), int((second < first).sum())
    n, fewer = wins + losses, min(wins, losses)
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)]
    tail = math.fsum(math.exp(log - n * math.log(2)) for log in logs[: fewer + 1])
    return SignTest(wins, losses, len(first) - n, min(1.0, 2 * tail))
