"""Where each place of a frame was in the frame before, and how far that can be trusted."""

import numpy as np

from colorizer.film.extra import require_cv2

__all__ = ["agreement", "carry", "find", "is_cut"]

PARTED = 1.0  # pixels, of way and way back, at which half of the trust is gone
UNLIKE = 8.0  # Lab units of lightness, likewise
SMOOTH = 5  # pixels: grain is no disagreement
LIGHTING = 31  # pixels, over which a change of brightness is one of the lamp, not of the scene
ALIKE = 0.65  # correlation of two frames, moved onto each other, below which they are two shots
APART = 3.0  # Lab units, by which those differ on average at least
BLANK = 12.0  # Lab units, likewise, where one of them shows nothing
_CUT_SIDE = 96  # pixels


def find(now: np.ndarray, before: np.ndarray, preset: str = "medium") -> np.ndarray:
    """Dense optical flow: `now[y, x]` shows what `before[y + flow[1], x + flow[0]]` showed.

    Args:
        now, before: (H, W) lightness, 0..100.
        preset: of DIS: "ultrafast", "fast" or "medium".

    Returns:
        (H, W, 2) float32, in pixels, x first.

    Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).
    """
    cv2 = require_cv2()
    dis = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))
    return dis.calc(_bytes(now), _bytes(before), None)


def carry(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """What a frame's values are when each place takes them from where it was: (H, W[, C])."""
    cv2 = require_cv2()
    height, width = flow.shape[:2]
    where_x = flow[..., 0] + np.arange(width, dtype=np.float32)
    where_y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(values, where_x, where_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def agreement(
    now: np.ndarray, before: np.ndarray, flow: np.ndarray, back: np.ndarray
) -> np.ndarray:
    """How far the flow can be trusted at each place: (H, W) float32, 0..1.

    The way and the way back must cancel, and what is found there must be as light, but for grain
    and for the lamp; what was out of the picture is not to be trusted.

    Args:
        now, before: (H, W) lightness.
        flow: from `now` to `before`.
        back: from `before` to `now`.
    """
    cv2 = require_cv2()
    height, width = now.shape
    parted = flow + carry(back, flow)
    parted2 = (parted * parted).sum(-1) / PARTED**2
    difference = now - carry(before, flow)
    lamp = cv2.blur(difference, (LIGHTING, LIGHTING), borderType=cv2.BORDER_REFLECT)
    unlike = cv2.blur(np.abs(difference - lamp), (SMOOTH, SMOOTH), borderType=cv2.BORDER_REFLECT)
    trust = np.exp2(-parted2 - (unlike / UNLIKE) ** 2)
    x = flow[..., 0] + np.arange(width)
    y = flow[..., 1] + np.arange(height)[:, None]
    inside = (x > -1) & (x < width) & (y > -1) & (y < height)
    return np.where(inside, trust, 0).astype(np.float32)


def is_cut(now: np.ndarray, before: np.ndarray) -> bool:
    """Whether two frames that follow each other are of two shots.

    They are where no motion makes the one out of the other: a small copy of the frame before is
    moved onto this one, and both are compared by their correlation, which no lamp changes.

    Args:
        now, before: (H, W) lightness, 0..100.
    """
    cv2 = require_cv2()
    height, width = now.shape
    scale = min(1.0, _CUT_SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    now, before = (cv2.resize(L, size, interpolation=cv2.INTER_AREA) for L in (now, before))
    moved = carry(before, find(now, before, "fast"))
    apart = float(np.abs(now - moved).mean())
    if min(now.std(), moved.std()) < 1:
        return apart > BLANK
    return apart > APART and float(np.corrcoef(now.ravel(), moved.ravel())[0, 1]) < ALIKE


def _bytes(L: np.ndarray) -> np.ndarray:
    return np.rint(L * 2.55).clip(0, 255).astype(np.uint8)
