"""What the numbers of a film's frames mean, and the way from luma and chroma back to them.

A frame keeps its luma to the bit. Chroma is that of the color whose lightness the luma has, taken
in the film's own matrix, range and depth, at the places where players expect it.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from colorizer.color import lab
from colorizer.color.has_color import lies_in_one_hue
from colorizer.errors import ColorizerError
from colorizer.extras import extra

__all__ = [
    "Coding",
    "chroma_planes",
    "coding_of",
    "colors_of",
    "lightness_at",
    "luma",
    "own_chroma",
]

cv2: Any = extra("cv2", "video")

BT709, BT601 = (0.2126, 0.0722), (0.299, 0.114)  # weights of red and blue in luma
_MATRICES = {1: BT709, 4: (0.30, 0.11), 5: BT601, 6: BT601, 7: (0.212, 0.087)}
_UNSPECIFIED = 2
_PLANAR = re.compile(r"(yuv[aj]?4\d\dp|gray|nv|p[024]1)")
_PACKED = {"yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p", "uyyvyy411": "yuv411p"}
_FROM_GRAY = lab.FROM_GRAY.astype(np.float32)


@dataclass(frozen=True)
class Coding:
    """What the numbers of a film mean.

    Attributes:
        source: FFmpeg's name of the pixel format.
        bits: of luma.
        full: whether luma spans all values, not only the range of studios.
        matrix: FFmpeg's number of the luma matrix: 1 BT.709, 5 and 6 BT.601.
        primaries, transfer: FFmpeg's numbers, to be written again; 2 for unspecified.
        across, down: pixels of luma for one of chroma; 1 for gray and RGB, which have none.
        has_luma: whether luma is in the film; of RGB it is computed.
        has_alpha: whether there is transparency, which is left out.
    """

    source: str
    bits: int
    full: bool
    matrix: int
    primaries: int
    transfer: int
    across: int
    down: int
    has_luma: bool
    has_alpha: bool

    @property
    def is_gray(self) -> bool:
        """Whether it has no chroma at all."""
        return self.source.startswith(("gray", "mono", "ya"))

    @property
    def weights(self) -> tuple[float, float]:
        """Of red and blue in luma."""
        return _MATRICES[self.matrix]

    def is_like(self, other: "Coding") -> bool:
        """Whether the numbers of both mean the same light."""
        same = ("source", "bits", "full", "matrix", "across", "down")
        return all(getattr(self, name) == getattr(other, name) for name in same)


def coding_of(frame: Any) -> Coding:
    """The coding of a decoded frame; an unspecified matrix follows from the size, as in players.

    Raises: ColorizerError for a matrix that is neither BT.601 nor BT.709, such as YCgCo.
    """
    name = frame.format.name
    planar = bool(_PLANAR.match(name))
    has_luma = planar or name in _PACKED
    matrix = int(frame.colorspace)
    if matrix in (0, _UNSPECIFIED) or not has_luma:
        matrix = 1 if max(frame.width / 16 * 9, frame.height) >= 720 else 6
    if matrix not in _MATRICES:
        raise ColorizerError(
            f"a film of color matrix {matrix} is not colored rightly;"
            " convert it first (ffmpeg -vf colorspace=bt709)"
        )
    gray = name.startswith("gray")
    chromatic = has_luma and not gray
    chroma = frame.format.chroma_width(1024), frame.format.chroma_height(1024)
    full = frame.color_range == 2 or "yuvj" in name or not has_luma
    return Coding(
        source=name,
        bits=max(8, frame.format.components[0].bits),
        full=full or (gray and frame.color_range == 0),
        matrix=matrix,
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        across=1024 // chroma[0] if chromatic else 1,
        down=1024 // chroma[1] if chromatic else 1,
        has_luma=has_luma,
        has_alpha=any(c.is_alpha for c in frame.format.components),
    )


def luma(frame: Any, coding: Coding) -> np.ndarray:
    """The luma of a decoded frame: (H, W) uint8 or uint16, a copy; of RGB computed, full range."""
    name = frame.format.name
    if name in _PACKED:
        frame = frame.reformat(format=_PACKED[name])
    if not coding.has_luma:
        rgb = frame.to_ndarray(format="rgb24" if coding.bits == 8 else "rgb48le")
        red, blue = coding.weights
        mixed = rgb @ np.array([red, 1 - red - blue, blue])
        scale = (2**coding.bits - 1) / (255 if coding.bits == 8 else 65535)
        return np.rint(mixed * scale).astype(_dtype(coding.bits))
    values = _plane(frame.planes[0], frame.width, frame.height, coding.bits, name.endswith("be"))
    if re.match(r"p[024]1", name):  # left-aligned in 16 bits
        values = values >> (16 - coding.bits)
    return values.astype(_dtype(coding.bits), copy=False)


def colors_of(frame: Any, coding: Coding) -> tuple[float, bool]:
    """How far a decoded frame is from gray, on average, in steps of 8 bits; and if in one hue."""
    if coding.is_gray:
        return 0.0, False
    small = frame.reformat(width=32, height=32, format="yuv444p")
    apart = np.stack([np.frombuffer(p, np.uint8).astype(float) - 128 for p in small.planes[1:]], 1)
    return float(np.abs(apart).mean()), lies_in_one_hue(apart)


def own_chroma(frame: Any, coding: Coding, across: int, down: int) -> tuple[np.ndarray, np.ndarray]:
    """The planes Cb and Cr that a decoded frame has: as they are, where it has them at that size.

    Args:
        frame: as decoded.
        coding: of the film.
        across, down: pixels of luma for one of chroma that are wanted, as for `chroma_planes`.
    """
    height, width = frame.height, frame.width
    size = -(-width // across), -(-height // down)
    middle, top = 2 ** (coding.bits - 1), 2**coding.bits - 1
    if coding.is_gray:
        gray = np.full(size[::-1], middle, _dtype(coding.bits))
        return gray, gray
    if coding.has_luma:
        found = _own_planes(frame, coding)
        if (coding.across, coding.down) == (across, down):
            return found[0], found[1]
        full = [_level(p.astype(np.float32), (width, height), coding) for p in found]
    else:
        rgb = frame.to_ndarray(format="rgb24" if coding.bits == 8 else "rgb48le")
        rgb = rgb.astype(np.float32) * (top / (255 if coding.bits == 8 else 65535))
        red, blue = coding.weights
        Y = rgb @ np.array([red, 1 - red - blue, blue], np.float32)
        full = [(rgb[..., i] - Y) / (2 * (1 - w)) + middle for i, w in ((2, blue), (0, red))]
    shrunk = [_shrink(p, size, across, down) for p in full]
    Cb, Cr = (np.rint(p).clip(0, top).astype(_dtype(coding.bits)) for p in shrunk)
    return Cb, Cr


def lightness_at(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """L of every pixel of luma: (H, W) float32, 0..100; luma is read as gray in sRGB."""
    table = _lightness_table(coding.bits, coding.full)
    return cv2.LUT(luma, table) if coding.bits == 8 else table[luma]


def chroma_planes(
    luma: np.ndarray,
    L: np.ndarray,
    slope: np.ndarray,
    offset: np.ndarray,
    coding: Coding,
    across: int,
    down: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The two planes that color a frame.

    Colors are taken into gamut at constant luma: chroma shrinks until red, green and blue that a
    player makes of it lie in 0..1.

    Args:
        luma: (H, W), as the film has it.
        L: (H, W), its lightness.
        slope, offset: (h, w, 2) each: `ab = slope * L + offset`, at any size.
        coding: of the film.
        across, down: pixels of luma for one of chroma, 1 or 2 (4 too) each way.

    Returns:
        Cb and Cr: (ceil(H / down), ceil(W / across)) in the depth and range of the film.
    """
    height, width = luma.shape
    size = -(-width // across), -(-height // down)
    places = _enlarge(np.concatenate([slope, offset], -1), size, (width, height), across, down)
    L = _shrink(L, size, across, down)
    ab = places[..., :2] * L[..., None] + places[..., 2:]
    gray, span, _ = _range(coding.bits, coding.full)
    Y = (_shrink(luma.astype(np.float32), size, across, down) - gray) / span
    red, blue = coding.weights
    to_red, to_blue = _differences(L, ab, Y.clip(0, 1), red, blue)
    middle, top = 2 ** (coding.bits - 1), 2**coding.bits - 1
    reach = top if coding.full else 224 * 2 ** (coding.bits - 8)
    planes = []
    for difference, weight in ((to_blue, blue), (to_red, red)):
        values = difference * (reach / (2 * (1 - weight))) + middle
        planes.append(np.rint(values).clip(0, top).astype(_dtype(coding.bits)))
    return planes[0], planes[1]


def _differences(
    L: np.ndarray, ab: np.ndarray, Y: np.ndarray, red: float, blue: float
) -> tuple[np.ndarray, np.ndarray]:
    """R' - Y' and B' - Y' of a color in Lab, such that it is in gamut at luma Y'."""
    fy = (L + 16) / 116
    f = np.stack([fy, fy + ab[..., 0] / 500, fy - ab[..., 1] / 200])
    f = f.astype(np.float32).reshape(3, -1)
    yxz = lab.f_to_xyz(f)
    lean = _FROM_GRAY @ yxz  # linear RGB less the gray of the same luminance
    lean *= _share(yxz[0], lean)
    encoded = _encode(yxz[0] + lean)
    R, B = encoded[0], encoded[2]
    own = red * R + (1 - red - blue) * encoded[1] + blue * B
    encoded -= own
    encoded *= _share(Y.reshape(-1), encoded)
    return encoded[0].reshape(L.shape), encoded[2].reshape(L.shape)


def _share(gray: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """The largest share, at most 1, of `lean` that keeps `gray + lean` within 0..1: (N,)."""
    above = np.maximum(lean.max(0), 1e-9)
    below = np.maximum(-lean.min(0), 1e-9)
    return np.minimum(np.minimum((1 - gray) / above, gray / below), 1)


def _encode(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB by a table that is as fine as 14 bits."""
    table = _encode_table()
    steps = np.sqrt(linear.clip(0, 1)) * (len(table) - 1) + 0.5
    return table[steps.astype(np.int32)]


@cache
def _encode_table() -> np.ndarray:
    linear = np.linspace(0, 1, 16384) ** 2
    return lab.light_to_srgb(linear).astype(np.float32)


@cache
def _lightness_table(bits: int, full: bool) -> np.ndarray:
    black, span, _ = _range(bits, full)
    gray = ((np.arange(2**bits) - black) / span).clip(0, 1)
    return lab.lightness_of(lab.srgb_to_light(gray)).astype(np.float32)


def _own_planes(frame: Any, coding: Coding) -> list[np.ndarray]:
    name = frame.format.name
    if name in _PACKED:
        frame = frame.reformat(format=_PACKED[name])
        name = frame.format.name
    width, height = -(-frame.width // coding.across), -(-frame.height // coding.down)
    swapped = name.endswith("be")
    if len(frame.planes) > 2:
        return [_plane(p, width, height, coding.bits, swapped) for p in frame.planes[1:3]]
    pairs = _plane(frame.planes[1], 2 * width, height, coding.bits, swapped)
    if re.match(r"p[024]1", name):
        pairs >>= 16 - coding.bits
    order = (1, 0) if name in ("nv21", "nv42") else (0, 1)
    return [np.ascontiguousarray(pairs[:, i::2]) for i in order]


def _plane(plane: Any, width: int, height: int, bits: int, swapped: bool = False) -> np.ndarray:
    """A copy of what a plane holds: (height, width)."""
    kind = np.dtype("u1" if bits == 8 else ">u2" if swapped else "<u2")
    rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
    return rows[:height, :width].astype(_dtype(bits))


def _level(values: np.ndarray, of: tuple[int, int], coding: Coding) -> np.ndarray:
    """Chroma at every pixel of luma: (h, w) -> (of[1], of[0]), from where players take it to be."""
    across, down = coding.across, coding.down
    where = np.array([[1 / across, 0, 0], [0, 1 / down, 0.5 / down - 0.5]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, where, of, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _range(bits: int, full: bool) -> tuple[float, float, int]:
    """Of luma: the value of black, the steps from there to white, and the highest value."""
    scale = 2 ** (bits - 8)
    top = 2**bits - 1
    return (0.0, float(top), top) if full else (16.0 * scale, 219.0 * scale, top)


def _dtype(bits: int) -> type:
    return np.uint8 if bits == 8 else np.uint16


def _shrink(values: np.ndarray, size: tuple[int, int], across: int, down: int) -> np.ndarray:
    """A plane at the places of chroma: level with every second pixel, between every two rows.

    Players take chroma to lie there (MPEG-2, H.264) unless a film says otherwise.
    """
    if across == down == 1:
        return values
    height, width = values.shape
    values = cv2.copyMakeBorder(
        values,
        *(0, size[1] * down - height),
        *(across // 2, size[0] * across - width),
        cv2.BORDER_REPLICATE,
    )
    if across > 1:  # the mean of `across` pixels and of those one to the left: level with the pixel
        half = across // 2
        values = (values[:, half:] + values[:, :-half]) / 2
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _enlarge(
    values: np.ndarray, size: tuple[int, int], of: tuple[int, int], across: int, down: int
) -> np.ndarray:
    """Bilinear, at the places of chroma: (h, w, C) -> (size[1], size[0], C)."""
    height, width = values.shape[:2]
    step_x, step_y = across * width / of[0], down * height / of[1]
    start_x = 0.5 * width / of[0] - 0.5  # level with a pixel of luma
    start_y = 0.5 * step_y - 0.5
    where = np.array([[step_x, 0, start_x], [0, step_y, start_y]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    values = np.ascontiguousarray(values, np.float32)
    return cv2.warpAffine(values, where, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
