"""ICC profiles made of curves and a matrix, read exactly.

Nearly all gray and RGB profiles are of this kind. LittleCMS, which libvips uses, approximates
their curves by tables for 16-bit pictures, which near black is wrong by up to several units of
L; evaluating them takes a few lines. Profiles of other kinds are left to LittleCMS.

Source: ICC.1:2022, sections 8.3 (required tags), 10.6 (curveType), 10.18 (parametricCurveType),
annex F (gray profiles).
"""

from dataclasses import dataclass

import numpy as np

from colorizer.color.lab import f_to_xyz, light_to_srgb

__all__ = [
    "PRIMARIES",
    "SRGB",
    "TRANSFERS",
    "MatrixProfile",
    "color_space",
    "named_profile",
    "read_profile",
]

# Linear sRGB to XYZ, adapted to D50 by Bradford: http://www.brucelindbloom.com
_SRGB_TO_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_SIGNATURE = slice(36, 40)


@dataclass(frozen=True)
class MatrixProfile:
    """What code values mean: a curve per channel, then a matrix.

    Attributes:
        curves: one (gray) or three; each maps code values in 0..1 to linear light in 0..1.
        to_srgb: (3, 3), to linear sRGB; None for gray.
        is_lightness: whether the curve gives L* / 100, not linear light; some gray profiles do.
    """

    curves: tuple[tuple[str, tuple[float, ...]], ...]
    to_srgb: np.ndarray | None
    is_lightness: bool = False

    def tables(self, highest: int) -> np.ndarray:
        """Linear light of the codes 0..highest: (1 or 3, highest + 1), 0..1."""
        codes = np.linspace(0, 1, highest + 1)
        values = np.stack([_evaluate(kind, numbers, codes) for kind, numbers in self.curves])
        if not self.is_lightness:
            return values
        f = (100 * values + 16) / 116
        return f_to_xyz(f)

    def is_srgb(self) -> bool:
        """Whether the pixels are sRGB as they are, to within one of 255 steps."""
        if self.to_srgb is None:
            return False
        steps = np.abs(light_to_srgb(self.tables(255)) - np.linspace(0, 1, 256)).max() * 255
        return bool(steps <= 1 and np.abs(self.to_srgb - np.eye(3)).max() < 0.01)


def color_space(profile: bytes) -> str:
    """The pixels that a profile is for: "GRAY", "RGB", "CMYK"...; empty if it is no profile."""
    if profile[_SIGNATURE] != b"acsp":
        return ""
    return profile[16:20].decode("ascii", "replace").strip()


def read_profile(profile: bytes) -> MatrixProfile | None:
    """Read a gray or RGB profile of curves and a matrix; None if it is anything else."""
    try:
        tags = _tags(profile)
        if profile[_SIGNATURE] != b"acsp" or "A2B0" in tags:
            return None
        if color_space(profile) == "GRAY":
            return MatrixProfile((_curve(tags["kTRC"]),), None, profile[20:23] == b"Lab")
        if color_space(profile) != "RGB" or profile[20:23] != b"XYZ":
            return None
        curves = tuple(_curve(tags[f"{channel}TRC"]) for channel in "rgb")
        colorants = np.stack([_numbers(tags[f"{channel}XYZ"][8:20]) for channel in "rgb"], 1)
        return MatrixProfile(curves, np.linalg.inv(_SRGB_TO_D50) @ colorants)
    except (KeyError, ValueError, IndexError):
        return None


PRIMARIES = {  # x and y of white, red, green and blue
    1: (0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060),  # sRGB
    5: (0.3127, 0.3290, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.3140, 0.3510, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
"""Of the color spaces of ITU-T H.273, by its numbers."""

_BT709 = (1 / 0.45, 1 / 1.099296827, 0.099296827 / 1.099296827, 1 / 4.5, 4.5 * 0.018053969)
TRANSFERS = {
    **dict.fromkeys((1, 6, 14, 15), _BT709),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
}
"""Curves of H.273 by its numbers, as parameters of ICC's parametric curves."""

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def named_profile(
    curve: tuple[float, ...], chromaticities: tuple[float, ...], is_gray: bool
) -> bytes:
    """A profile of a parametric curve and of primaries; empty if that is sRGB.

    Args:
        curve: one parameter or five, see `TRANSFERS`.
        chromaticities: see `PRIMARIES`.

    Raises:
        ValueError: primaries that make no color space.
    """
    is_srgb = chromaticities == PRIMARIES[1] or is_gray
    if is_srgb and curve == TRANSFERS[13]:
        return b""
    colorants = _SRGB_TO_D50 if is_srgb else _colorants(chromaticities)
    kind = {1: 0, 5: 3}[len(curve)]
    numbers = b"para\0\0\0\0" + kind.to_bytes(2) + b"\0\0" + _fixed(*curve)
    tags = {b"kTRC": numbers} if is_gray else {}
    for number, channel in enumerate(() if is_gray else (b"r", b"g", b"b")):
        tags[channel + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*colorants[:, number])
        tags[channel + b"TRC"] = numbers
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + _fixed(*_SRGB_TO_D50.sum(1))
    place, table, body = 132 + 12 * len(tags), len(tags).to_bytes(4), b""
    for name, value in tags.items():
        table += name + (place + len(body)).to_bytes(4) + len(value).to_bytes(4)
        body += value
    space = b"GRAY" if is_gray else b"RGB "
    head = b"\0" * 8 + b"\x04\0\0\0mntr" + space + b"XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 28
    head += _fixed(*_SRGB_TO_D50.sum(1)) + b"\0" * 48
    return (4 + len(head + table + body)).to_bytes(4) + head[4:] + table + body


def _colorants(chromaticities: tuple[float, ...]) -> np.ndarray:
    """Linear RGB of these primaries to XYZ, adapted to D50 by Bradford."""
    x, y = np.reshape(chromaticities, (4, 2)).T
    white, *columns = np.stack([x / y, np.ones(4), (1 - x - y) / y], 1)
    primaries = np.stack(columns, 1)
    to_xyz = primaries * np.linalg.solve(primaries, white)
    gains = (_BRADFORD @ _SRGB_TO_D50.sum(1)) / (_BRADFORD @ white)
    colorants = np.linalg.inv(_BRADFORD) @ (gains[:, None] * _BRADFORD) @ to_xyz
    if not np.abs(colorants).max() < 100:
        raise ValueError("primaries of no colors")
    return colorants


def _fixed(*numbers: float) -> bytes:
    return b"".join(round(number * 65536).to_bytes(4, signed=True) for number in numbers)


def _tags(profile: bytes) -> dict[str, bytes]:
    count = int.from_bytes(profile[128:132])
    if count > 1000:
        raise ValueError("no profile has that many tags")
    entries = np.frombuffer(profile[132 : 132 + 12 * count], ">u4").reshape(count, 3).tolist()
    names = [profile[132 + 12 * i : 136 + 12 * i].decode("latin-1") for i in range(count)]
    return {
        name: profile[offset : offset + size]
        for name, (_, offset, size) in zip(names, entries, strict=True)
    }


def _numbers(data: bytes) -> np.ndarray:
    """Signed fixed-point numbers, 16 bits before and 16 after the point."""
    return np.frombuffer(data, ">i4") / 65536


def _curve(tag: bytes) -> tuple[str, tuple[float, ...]]:
    """The kind of a curve and its numbers."""
    if tag[:4] == b"curv":
        count = int.from_bytes(tag[8:12])
        values = np.frombuffer(tag[12 : 12 + 2 * count], ">u2")
        if len(values) != count:
            raise ValueError("the curve is cut off")
        if count == 1:
            return "gamma", (values[0] / 256,)
        return "table", tuple(values / 65535) or (0.0, 1.0)
    if tag[:4] == b"para":
        kind = int.from_bytes(tag[8:10])
        count = (1, 3, 4, 5, 7)[kind]
        numbers = _numbers(tag[12 : 12 + 4 * count])
        if len(numbers) != count:
            raise ValueError("the curve is cut off")
        return f"parametric{kind}", tuple(numbers)
    raise ValueError("no curve")


def _evaluate(kind: str, numbers: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    if kind == "table":
        return np.interp(x, np.linspace(0, 1, len(numbers)), numbers)
    if kind in ("gamma", "parametric0"):
        return x ** numbers[0]
    gamma, a, b, *rest = numbers
    power = np.maximum(a * x + b, 0) ** gamma
    if kind == "parametric1":
        y = power
    elif kind == "parametric2":
        y = power + rest[0]
    else:
        c, d, e, f = (*rest, 0.0, 0.0)[:4]
        y = np.where(x >= d, power + e, c * x + f)
    return y.clip(0, 1)


# The curve as scikit-image has it: parametric type 3, with g, a, b, c, d.
_SRGB_CURVE = ("parametric3", (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
SRGB = MatrixProfile((_SRGB_CURVE,) * 3, np.eye(3))
"""What pixels without a profile mean."""
