"""What a user says of colors: points, strokes, a layer, and regions that are left alone.

All places are relative to the upright picture: (0, 0) is its upper left corner, (1, 1) the lower
right one. Of a color only the chroma counts; lightness is the picture's own.
"""

import numbers
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from colorizer.color.lab import RGB_WHITE, light_to_lab, srgb_to_light
from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures.lightness import linear_light, split_alpha
from colorizer.pictures.picture import Picture
from colorizer.pictures.resize import enlarge
from colorizer.support.nearest import did_you_mean
from colorizer.support.told import read_json_file, shown

__all__ = ["VERSION", "Hint", "Hints", "Layer", "Region", "read_hints"]

VERSION = 1
"""Of the JSON that `read_hints` reads."""

MOST_PLACES = 20_000  # of all hints and regions together
_SHARES = {"reach": 10.0, "width": 1.0}  # of the short side, the most of each
_LAYER_SIDE = 1024  # pixels; a larger layer is shrunk to it
_ASPECT = 0.02  # by which a layer may differ from the picture

Place = tuple[float, float]


@dataclass(frozen=True)
class Hint:
    """A color at a point, or along a stroke of several points.

    Attributes:
        places: (x, y) each, 0..1; one is a point.
        ab: chroma, Lab units; (0, 0) keeps the place neutral.
        page: of a file of several, from 1 on.
        reach: how far around its places it may change anything, as a share of the short side; None
            leaves that to likeness.
        width: of the brush, as a share of the short side; all under it has the color.
    """

    places: tuple[Place, ...]
    ab: tuple[float, float]
    page: int = 1
    reach: float | None = None
    width: float = 0.0


@dataclass(frozen=True)
class Region:
    """A polygon that is left alone, or kept apart.

    Attributes:
        corners: (x, y) each, 0..1; three or more.
        keep: "gray" and "predicted", whatever the hints say; or "apart": hints inside change
            nothing outside, and those outside nothing inside.
        page: as of a hint.
    """

    corners: tuple[Place, ...]
    keep: Literal["gray", "predicted", "apart"]
    page: int = 1


@dataclass(frozen=True, eq=False)
class Layer:
    """A picture of hints, as an image editor paints them.

    Attributes:
        ab: (h, w, 2), Lab units, where it is opaque.
        opaque: (h, w), the share of fully opaque pixels, 0..1.
        aspect: width by height of the picture it was read from.
        name: of its file.
    """

    ab: np.ndarray
    opaque: np.ndarray
    aspect: float
    name: str

    def check_fits(self, width: int, height: int) -> None:
        """Raise UsageError if a picture of this size has another aspect."""
        if abs(self.aspect / (width / height) - 1) > _ASPECT + 1 / min(width, height):
            raise UsageError(
                f"{self.name}: the layer of hints is {self.aspect:.3f} times as wide as high, the"
                f" picture {width / height:.3f} times; make it from the upright picture"
            )


@dataclass(frozen=True)
class Hints:
    """All that is said of one picture; later hints lie over earlier ones.

    A layer is about the first page.
    """

    points: tuple[Hint, ...] = ()
    regions: tuple[Region, ...] = ()
    layer: Layer | None = None

    @property
    def last_page(self) -> int:
        """The highest page that anything is said of."""
        return max([1, *(one.page for one in (*self.points, *self.regions))])

    def on(self, page: int) -> "Hints":
        """Those on one page, from 1 on."""
        return Hints(
            tuple(hint for hint in self.points if hint.page == page),
            tuple(region for region in self.regions if region.page == page),
            self.layer if page == 1 else None,
        )

    def __bool__(self) -> bool:
        return bool(self.points or self.regions or self.layer)

    def __str__(self) -> str:
        counts = {
            "hint": len(self.points),
            "layer": int(self.layer is not None),
            "region": len(self.regions),
        }
        told = [f"{n} {what}{'s' * (n > 1)}" for what, n in counts.items() if n]
        return " and ".join(told) or "no hints"


def read_hints(source: Any) -> Hints:
    """Read hints from wherever they are.

    Args:
        source: `Hints`; a list of hints, each a mapping with `at: [x, y]` or `stroke: [[x, y],
            ...]` and `color: "#rrggbb"`, and perhaps `reach: 0.2` and `width: 0.05`, or with
            `region: [[x, y], ...]` and `keep: "gray"`, `"predicted"` or `"apart"`, and either with
            `page: n`; a mapping
            `{"version": 1, "hints": [...]}`; the path of a JSON file of such a mapping; or the path
            of a picture with transparency, whose fully opaque pixels are hints.

    Raises:
        UsageError: something else, or a wrong value; the message says which hint.
        ColorizerError: a file that cannot be read.
    """
    if isinstance(source, Hints):
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        head = _read_head(path)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            return _of_mapping(read_json_file(path), str(path))
        return Hints(layer=_read_layer(path))
    return _of_mapping(source, "hints")


def _of_mapping(found: Any, name: str) -> Hints:
    if isinstance(found, Mapping):
        version = found.get("version")
        if isinstance(version, bool) or version != VERSION:
            raise UsageError(f"{name}: version is {shown(version)}; this Colorizer reads {VERSION}")
        _check_names(found, ("version", "hints"), name)
        found = found.get("hints")
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
        raise UsageError(f"{name}: accepted is a list of hints, or a file that holds one")
    points, regions, count = [], [], 0
    for number, entry in enumerate(found, 1):
        where = f"{name}: hint {number}"
        if isinstance(entry, Hint | Region):
            one = entry
        elif isinstance(entry, Mapping):
            one = _region(entry, where) if "region" in entry else _hint(entry, where)
        else:
            raise UsageError(
                f"{where} is {shown(entry)}; accepted is a mapping with `at` and `color`"
            )
        if isinstance(one, Hint):
            points.append(one)
            count += len(one.places)
        else:
            regions.append(one)
            count += len(one.corners)
        if count > MOST_PLACES:
            raise UsageError(f"{name}: more than {MOST_PLACES:,} places; draw with fewer")
    return Hints(tuple(points), tuple(regions))


def _hint(entry: Mapping[str, Any], where: str) -> Hint:
    _check_names(entry, ("at", "stroke", "color", "page", "reach", "width"), where)
    if ("at" in entry) == ("stroke" in entry) or "color" not in entry:
        raise UsageError(f"{where}: needs `color`, and either `at` or `stroke`")
    places = [entry["at"]] if "at" in entry else entry["stroke"]
    color, page = _ab(entry["color"], where), _page(entry, where)
    reach, width = (_share(entry, name, most, where) for name, most in _SHARES.items())
    return Hint(_places(places, 1, where), color, page, reach, width or 0.0)


def _region(entry: Mapping[str, Any], where: str) -> Region:
    _check_names(entry, ("region", "keep", "page"), where)
    keep = entry.get("keep", "predicted")
    if keep not in ("gray", "predicted", "apart"):
        raise UsageError(f"{where}: keep is {shown(keep)}; accepted are gray, predicted and apart")
    return Region(_places(entry["region"], 3, where), keep, _page(entry, where))


def _share(entry: Mapping[str, Any], name: str, most: float, where: str) -> float | None:
    found = entry.get(name)
    if found is None:
        return None
    if not _is_number(found) or not 0 < found <= most:
        raise UsageError(
            f"{where}: {name} is {shown(found)}; accepted are shares of the short side, above 0 and"
            f" up to {most:g}, or null"
        )
    return float(found)


def _page(entry: Mapping[str, Any], where: str) -> int:
    page = entry.get("page", 1)
    if not isinstance(page, numbers.Integral) or isinstance(page, bool) or page < 1:
        raise UsageError(f"{where}: page is {shown(page)}; accepted are whole numbers from 1 on")
    return int(page)


def _check_names(entry: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in entry:
        if name not in known:
            hint = did_you_mean(str(name), known) or f"; accepted: {', '.join(known)}"
            raise UsageError(f"{where}: there is no {shown(name)}{hint}")


def _places(found: Any, least: int, where: str) -> tuple[Place, ...]:
    try:
        values = np.asarray(found, object)  # not float, which texts and truths would become
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    whole = values.ndim == 2 and values.shape[1] == 2 and len(values) >= least
    if not whole or not all(map(_is_number, values.flat)):
        raise UsageError(f"{where}: accepted are places [x, y], at least {least}")
    if not all(0 <= value <= 1 for value in values.flat):  # also not: nan
        raise UsageError(f"{where}: x and y are shares of the upright picture, from 0 to 1")
    return tuple((float(x), float(y)) for x, y in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _ab(color: Any, where: str) -> tuple[float, float]:
    if not isinstance(color, str) or not re.fullmatch("#[0-9a-fA-F]{6}", color):
        raise UsageError(f"{where}: color is {shown(color)}; accepted is #rrggbb, such as #8a2f2b")
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    if np.ptp(rgb) == 0:
        return 0.0, 0.0  # exactly neutral
    a, b = light_to_lab(srgb_to_light(rgb)[None], RGB_WHITE)[0, 1:].tolist()
    return a, b


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except FileNotFoundError as error:
        raise ColorizerError(f"there is no file of hints {path}") from error
    except OSError as error:
        raise ColorizerError(f"{path} cannot be read: {error.strerror}") from error


def _read_layer(path: Path) -> Layer:
    """The layer, shrunk by averaging over the fully opaque pixels."""
    picture = Picture.open(path)
    with picture.reading():
        image = picture.image().copy_memory()
        alpha = split_alpha(image)[1]
        if alpha is None:
            raise UsageError(
                f"{path} has no transparency, so all of it would be a hint; give a PNG that is"
                " transparent where nothing is said"
            )
        opaque = (alpha == (255 if alpha.format == "uchar" else 65535)) / 255
        if image.bands < 4:
            image = image[0].bandjoin([image[0], image[0], alpha]).copy(interpretation="srgb")
        scale = min(1, _LAYER_SIDE / max(image.width, image.height))
        size = [max(1, round(side * scale)) for side in (image.width, image.height)]
        small = enlarge((linear_light(image) * opaque).bandjoin(opaque), *size).numpy()
    share = small[..., 3].clip(0, 1).astype(np.float64)
    if share.max() < 1e-3:
        raise UsageError(f"{path} has no fully opaque pixel, so it says nothing")
    light = small[..., :3] / np.maximum(share, 1e-6)[..., None]
    ab = light_to_lab(light.reshape(-1, 3).clip(0, 1), RGB_WHITE)[:, 1:].reshape(*share.shape, 2)
    return Layer(ab, share, picture.width / picture.height, path.name)
