"""Where each place of a frame was in the frame before, and how far that can be trusted."""

from math import log
from typing import Any

import numpy as np

from colorizer.extras import extra

__all__ = ["agreement", "carry", "find"]

cv2: Any = extra("cv2", "video")

PARTED = 1.0  # pixels, of way and way back, at which half of the trust is gone
UNLIKE = 8.0  # Lab units of lightness, likewise
SMOOTH = 5  # pixels: grain is no disagreement
LIGHTING = 31  # pixels, over which a change of brightness is one of the lamp, not of the scene


def find(now: np.ndarray, before: np.ndarray, preset: str = "brief") -> np.ndarray:
    """Dense optical flow: `now[y, x]` shows what `before[y + flow[1], x + flow[0]]` showed.

    Args:
        now, before: (H, W) lightness, 0..100.
        preset: of DIS: "fast", "medium", or "brief", which is as good, and a tenth quicker.

    Returns:
        (H, W, 2) float32, in pixels, x first.

    Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).
    """
    level = "FAST" if preset == "fast" else "MEDIUM"
    dis = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{level}"))
    if preset == "brief":
        dis.setGradientDescentIterations(12)
    return dis.calc(_bytes(now), _bytes(before), None)


def carry(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """What a frame's values are when each place takes them from where it was: (H, W[, C])."""
    return cv2.remap(values, *_places(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def agreement(
    now: np.ndarray, before: np.ndarray, flow: np.ndarray, back: np.ndarray, grain: float = 0.0
) -> np.ndarray:
    """How far the flow can be trusted at each place: (H, W) float32, 0..1.

    The way and the way back must cancel, and what is found there must be as light, but for grain
    and for the lamp; what was out of the picture is not to be trusted.

    Args:
        now, before: (H, W) lightness.
        flow: from `now` to `before`.
        back: from `before` to `now`.
        grain: its standard deviation in `now`, Lab units of lightness, which counts as no change.
    """
    height, width = now.shape
    x, y = _places(flow)
    there = carry(np.dstack([back, before]), flow)
    difference = now - there[..., 2]
    lamp = cv2.blur(difference, (LIGHTING, LIGHTING), borderType=cv2.BORDER_REFLECT)
    unlike = cv2.blur(np.abs(difference - lamp), (SMOOTH, SMOOTH), borderType=cv2.BORDER_REFLECT)
    unlike = np.maximum(unlike - 0.8 * grain, 0)  # the mean of what is normal is 0.8 deviations
    parted = flow + there[..., :2]
    parted *= parted
    doubt = (parted[..., 0] + parted[..., 1]) / PARTED**2 + (unlike / UNLIKE) ** 2
    trust = cv2.exp(-log(2) * doubt)
    trust[(x <= -1) | (x >= width) | (y <= -1) | (y >= height)] = 0
    return trust


def _places(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each place was: x and y, (H, W) float32 each."""
    height, width = flow.shape[:2]
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return flow[..., 0] + across, flow[..., 1] + down[:, None]


def _bytes(L: np.ndarray) -> np.ndarray:
    return np.rint(L * 2.55).clip(0, 255).astype(np.uint8)
