"""Where each place of a photo is in another version of it: image registration, by OpenCV.

The other version may be smaller, cropped, stretched, turned a little, shifted, of another contrast,
grainless or repainted in places. First one affine map for the whole, from features or phase
correlation, refined by the enhanced correlation coefficient; then a smooth displacement, from
dense flow. What is compared is structure: lightness less its local mean, by its local contrast.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from colorizer.extras import extra
from colorizer.pictures.resize import resize

__all__ = ["ALIKE", "Registration", "comparable", "register", "taken"]

cv2: Any = extra("cv2", "registration")

SIDE = 512  # pixels: the longer side at which two pictures are compared
NARROWEST = 32  # likewise, the shorter one at least

ALIKE = 0.35
"""Correlation of their structure, at least, where two pictures show the same: those of different
photos reach 0.2, those of one photo with a third of it repainted 0.5 and more."""

AROUND = 8.0  # pixels, standard deviation of what is local to a place's structure
NEAR = 4.0  # likewise, of what is compared to tell whether two places agree
FLAT = 2.0  # Lab units of lightness: a lower local contrast is none
CORRELATED = 0.6  # structure of two places, from which on they agree
TONES = 10.0  # Lab units, by which lightness may differ there, when tones were matched
FURTHEST = 0.03  # of the longer side, that a displacement is expected to reach
SMOOTH = (40, 80)  # parts of the longer side over which it is smooth, in each round
OVERLAP = 0.3  # of the photo, that the other version must show
TELLING = 0.005  # of the photo, that must have structure for it to be compared at all
BINS = 20  # of lightness, for matching tones


@dataclass(frozen=True, eq=False)
class Registration:
    """How a photo lies in another version of it.

    Attributes:
        x, y: (H, W) float32 each: where the other version shows what the photo shows, as a share
            of its width and height, 0..1 from its left and upper edges.
        agreement: (H, W) float32, 0..1: how surely both show the same; 0 outside.
        alike: correlation of their structure where the two overlap, -1..1; compare `ALIKE`. 1 where
            neither has any.
    """

    x: np.ndarray
    y: np.ndarray
    agreement: np.ndarray
    alike: float


def comparable(L: np.ndarray) -> np.ndarray:
    """A lightness (H, W) at the size at which pictures are compared."""
    scale = max(SIDE / max(L.shape), NARROWEST / min(L.shape))
    height, width = (max(NARROWEST, round(scale * side)) for side in L.shape)
    return resize(L, height, width)[..., 0]


def register(L: np.ndarray, other: np.ndarray) -> Registration:
    """Find a photo in another version of it.

    Args:
        L: (H, W), 0..100, the photo's lightness, as `comparable` makes it.
        other: (h, w), 0..100, that of the other version, likewise.

    Source: Evangelidis and Psarakis, "Parametric Image Alignment Using Enhanced Correlation
    Coefficient Maximization" (2008); Lowe, "Distinctive Image Features from Scale-Invariant
    Keypoints" (2004); Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).
    """
    L, other = (np.ascontiguousarray(values, np.float32) for values in (L, other))
    height, width = L.shape
    best = _whole(L, other)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    x, y = (m[0] * columns + m[1] * rows + m[2] for m in best)
    if not _as_it_is(best, L, other):
        for parts in SMOOTH:
            x, y = _displaced(L, other, x, y, max(L.shape) / parts)
    h, w = other.shape
    inside = (x >= -0.5) & (x <= w - 0.5) & (y >= -0.5) & (y <= h - 0.5)
    there = _at(other, x, y)
    correlation, telling = _compared(L, there)
    telling &= inside
    alike = 1.0
    if telling.mean() > TELLING * inside.mean():
        alike = _correlation(_structure(L)[inside], _structure(there)[inside])
    agreement = _step(correlation, CORRELATED - 0.1, CORRELATED + 0.1) * inside
    contrast = np.minimum(_contrast(L, NEAR), _contrast(there, NEAR))
    known = agreement * (contrast / (contrast + FLAT)) ** 2  # what is flat agrees with all else
    apart = _blurred(np.abs(L - _toned(there, L, known)), NEAR)
    agreement *= 1 - _step(apart, 0.8 * TONES, 1.2 * TONES)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(NEAR) + 1,) * 2)
    agreement = _blurred(cv2.erode(agreement, around), NEAR / 2)  # of a rim not all is believed
    return Registration((x + 0.5) / w, (y + 0.5) / h, agreement, alike)


def taken(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What another version (h, w, C) has at the places that `Registration` names: (H, W, C)."""
    height, width = values.shape[:2]
    return _at(values, x * width - 0.5, y * height - 0.5)


def _whole(L: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The affine map from places of a photo to those of another version: (2, 3), in pixels."""
    structures, found = (_structure(L), _structure(other)), _guesses(L, other)
    known = [(_agreeing(*structures, guess), i) for i, guess in enumerate(found)]
    refined = []
    for score, i in sorted(known, reverse=True)[:2]:
        refined.append((score, 2 * i, found[i]))
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
        try:
            how = (found[i].copy(), cv2.MOTION_AFFINE, criteria, None, 5)
            one = cv2.findTransformECC(*structures, *how)[1]
        except cv2.error:  # it does not converge
            continue
        refined.append((_agreeing(*structures, one), 2 * i + 1, one))
    return max(refined)[2]


def _guesses(L: np.ndarray, other: np.ndarray) -> list[np.ndarray]:
    """Maps to begin with: stretched, cropped and framed, each shifted too; and by features."""
    (height, width), (h, w) = L.shape, other.shape
    across, down = w / width, h / height
    scales = [(across, down), (min(across, down),) * 2, (max(across, down),) * 2]
    found = [
        np.array([[a, 0, (w - a * width + a - 1) / 2], [0, b, (h - b * height + b - 1) / 2]])
        for a, b in scales
    ]
    one, two = _structure(L), _structure(other)
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    for guess in list(found):
        shift, _ = cv2.phaseCorrelate(one, _moved(two, guess, L.shape), window)
        shifted = guess.copy()
        shifted[:, 2] += guess[:, :2] @ shift
        found.append(shifted)
    by_features = _by_features(L, other)
    return [m.astype(np.float32) for m in (*found, *by_features)]


def _by_features(L: np.ndarray, other: np.ndarray) -> list[np.ndarray]:
    """The map on which most pairs of like features agree, if there is one."""
    sift = cv2.SIFT_create(1500)
    (one, first), (two, second) = (sift.detectAndCompute(_bytes(v), None) for v in (L, other))
    if first is None or second is None or len(two) < 2:
        return []
    pairs = [
        near
        for near, next_ in cv2.BFMatcher().knnMatch(first, second, k=2)
        if near.distance < 0.75 * next_.distance
    ]
    if len(pairs) < 6:
        return []
    places = np.array([one[pair.queryIdx].pt for pair in pairs], np.float32)
    others = np.array([two[pair.trainIdx].pt for pair in pairs], np.float32)
    cv2.setRNGSeed(0)
    found, _ = cv2.estimateAffine2D(places, others, ransacReprojThreshold=3.0)
    return [] if found is None else [found]


def _agreeing(one: np.ndarray, two: np.ndarray, guess: np.ndarray) -> float:
    """How well two structures agree by a map, -1..1; less where they overlap less."""
    inside = _moved(np.ones_like(two), guess, one.shape, cv2.INTER_NEAREST) > 0.5
    share = float(inside.mean())
    if share < OVERLAP:
        return -1.0
    first, second = one[inside], _moved(two, guess, one.shape)[inside]
    return _correlation(first, second) * share**0.5


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if min(first.std(), second.std()) < 1e-6:  # of what is flat all over
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _as_it_is(best: np.ndarray, L: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures lie on each other as they are: a displacement would only blur."""
    if L.shape != other.shape or np.abs(best - [[1, 0, 0], [0, 1, 0]]).max() > 0.25:
        return False
    correlation, telling = _compared(L, other)
    return not telling.any() or float(np.quantile(correlation[telling], 0.1)) > 0.95


def _displaced(
    L: np.ndarray, other: np.ndarray, x: np.ndarray, y: np.ndarray, smooth: float
) -> tuple[np.ndarray, np.ndarray]:
    """A map refined by dense flow, of which what can be trusted is spread smoothly.

    Args:
        x, y: (H, W) each, the map until now, in pixels of the other version.
        smooth: pixels over which the displacement is smooth.
    """
    rows, columns = np.mgrid[: L.shape[0], : L.shape[1]].astype(np.float32)
    there = _at(other, x, y)
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    first, second = (_bytes(50 + 12.5 * _structure(values)) for values in (L, there))
    flow, back = dis.calc(first, second, None), dis.calc(second, first, None)
    to_x, to_y = columns + flow[..., 0], rows + flow[..., 1]
    parted = np.square(flow + _at(back, to_x, to_y)).sum(-1)
    far = np.square(flow).sum(-1) / (FURTHEST * max(L.shape)) ** 2
    correlation, _ = _compared(L, _at(there, to_x, to_y))
    contrast = _contrast(L, NEAR)
    trust = np.exp(-parted - far) * correlation.clip(0) ** 2 * contrast / (contrast + FLAT)
    total = _blurred(trust, smooth) + 1e-3
    right, down = (_blurred(flow[..., i] * trust, smooth) / total for i in (0, 1))
    return _at(x, columns + right, rows + down), _at(y, columns + right, rows + down)


def _compared(L: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local correlation of two pictures, 1 where both are flat; and where one of them is not."""
    L, there = _blurred(L, 1.0), _blurred(there, 1.0)
    means = _blurred(L, NEAR), _blurred(there, NEAR)
    both = _blurred(L * there, NEAR) - means[0] * means[1]
    first, second = _contrast(L, NEAR) ** 2, _contrast(there, NEAR) ** 2
    flat = FLAT**2 + _grain(L) ** 2 + _grain(there) ** 2
    correlation = (both + flat) / np.sqrt((first + flat) * (second + flat))
    return correlation, np.maximum(first, second) > flat


def _grain(L: np.ndarray) -> float:
    """The standard deviation of what is noise in a picture; a robust estimate over all of it."""
    rest = np.abs(L - cv2.medianBlur(L, 5))
    return float(1.48 * np.median(rest))


def _toned(there: np.ndarray, L: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """The other version in the tones of the photo, told by where the two are trusted to agree."""
    bins = (there * (BINS / 100)).astype(int).clip(0, BINS - 1).ravel()
    weight = trust.ravel().astype(np.float64)
    total = np.bincount(bins, weight, BINS)
    known = total > 1e-3 * total.sum()
    if not known.any():
        return there
    sums = [np.bincount(bins, weight * values.ravel(), BINS)[known] for values in (there, L)]
    before, after = (values / total[known] for values in sums)
    return np.interp(there, before, after).astype(np.float32)


def _structure(L: np.ndarray) -> np.ndarray:
    return (L - _blurred(L, AROUND)) / (_contrast(L, AROUND) + FLAT)


def _contrast(L: np.ndarray, sigma: float) -> np.ndarray:
    return np.sqrt(np.maximum(_blurred(L * L, sigma) - _blurred(L, sigma) ** 2, 0))


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)


def _moved(
    values: np.ndarray, guess: np.ndarray, shape: tuple[int, int], how: int = 1
) -> np.ndarray:
    flags = how | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, guess.astype(np.float32), shape[::-1], flags=flags)


def _at(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (np.asarray(v, np.float32) for v in (x, y))
    return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    share = ((values - low) / (high - low)).clip(0, 1)
    return share * share * (3 - 2 * share)


def _bytes(L: np.ndarray) -> np.ndarray:
    return np.rint(L * 2.55).clip(0, 255).astype(np.uint8)
