"""Which known name was meant by a misspelt one."""

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(name: object, known: Iterable[str], count: int = 1, likeness: float = 0.6) -> list[str]:
    """Up to `count` of the known names that are most like `name`, the nearest first."""
    return difflib.get_close_matches(str(name), list(known), count, likeness)


def did_you_mean(name: object, known: Iterable[str], likeness: float = 0.6) -> str:
    """`; did you mean 'psnr'?` for a message, or nothing where no known name is near.

    Args:
        likeness: that a name must have, 0..1.
    """
    near = nearest(name, known, 1, likeness)
    return f"; did you mean {near[0]!r}?" if near else ""
