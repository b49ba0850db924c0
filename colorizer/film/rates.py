"""Frames in a second, as the fractions that they are."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from colorizer.errors import UsageError

__all__ = ["constant_rate", "read_rate"]

_NTSC = (24, 30, 48, 60, 120)
_USUAL = [Fraction(n) for n in (*_NTSC, 25, 50, 100)] + [Fraction(n * 1000, 1001) for n in _NTSC]


def read_rate(value: Any) -> Fraction:
    """A rate that a user gives: a number, or a text such as "30000/1001" or "29.97".

    What is written 29.97 is 30000/1001, as with all rates of NTSC.

    Raises: UsageError for anything but numbers above 0, up to 1000.
    """
    try:
        rate = Fraction(str(value) if isinstance(value, float) else value)
    except (TypeError, ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000 or isinstance(value, bool):
        raise UsageError(
            f"rate is {value!r}; accepted are numbers above 0, up to 1000, also as a fraction such"
            " as 30000/1001"
        )
    near = [r for r in _USUAL if r.denominator == 1001 and abs(r - rate) < Fraction(5, 1000)]
    return near[0] if near and rate.denominator != 1 else rate


def constant_rate(
    pts: Sequence[int] | np.ndarray, tick: Fraction, about: Fraction
) -> Fraction | None:
    """The rate at which frames follow each other, if it is one; None if it varies.

    Args:
        pts: times of the frames, in ticks.
        tick: seconds.
        about: the rate as the container tells it, which may be rounded.
    """
    places = (np.asarray(pts) - pts[0]).astype(float) * float(tick)
    near = sorted(_USUAL, key=lambda rate: abs(rate - about))[:2]
    for rate in (about, *near):
        ideal = np.arange(len(places)) / float(rate)
        if np.abs(places - ideal).max() < 1.01 * float(tick):  # rounded, or cut, to a tick
            return rate
    return None
