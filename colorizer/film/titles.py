"""Intertitles: thin white shapes on an even black, in which there is nothing to be colored."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from colorizer.extras import extra

__all__ = ["are_titles"]

cv2: Any = extra("cv2", "video")

DARK = 35.0  # lightness, up to which a ground counts as black: scans lift it
EVEN = 10.0  # Lab units, within which nine tenths of it lie, without grain
LIFT = 20.0  # Lab units above the ground, at least, of what counts as white
SHARE = 0.002, 0.35  # of the picture, that is white; below there is nothing to be read
THIN = 18  # parts of the short side; what is no wider than one is a stroke
LEFT = 0.15  # share of the white that may be wider
LETTERS = 3  # separate shapes, at least


def are_titles(looks: Sequence[np.ndarray]) -> bool:
    """Whether frames of a shot, each (H, W) lightness, show writing on black, or nothing yet."""
    seen = [_is_title(L) for L in looks]
    return any(seen) and None not in seen


def _is_title(L: np.ndarray) -> bool | None:
    """Whether it is one; False for an even black on which nothing is, None for all else."""
    side = min(L.shape)
    calm = cv2.GaussianBlur(L, (0, 0), max(0.5, side / 300))
    ground = float(np.median(calm))
    beside = cv2.dilate((calm > ground + LIFT).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    white = (calm > ground + max(LIFT, (calm.max() - ground) / 2)).astype(np.uint8)
    if ground > DARK or not beside.any() or white.mean() > SHARE[1]:
        return None
    if np.ptp(np.percentile(calm[beside], (5, 95))) > EVEN:
        return None
    if white.mean() < SHARE[0]:
        return False
    wide = np.ones((max(2, side // THIN),) * 2, np.uint8)
    opened = cv2.morphologyEx(white, cv2.MORPH_OPEN, wide)
    shapes = cv2.connectedComponents(white)[0] - 1
    return True if opened.sum() < LEFT * white.sum() and shapes >= LETTERS else None
