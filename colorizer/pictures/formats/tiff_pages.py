"""Which pictures a TIFF holds, and what their channels are: by the tags, not by the numbers.

Sources: TIFF 6.0 (1992), its Technical Note 1 (SubIFDs), Adobe's DNG specification 1.7.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.errors import ColorizerError
from colorizer.pictures.formats.format import Frame
from colorizer.pictures.metadata.tags import SHORT, Directory, Tag, Tags
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["STRIPS", "Channels", "channels_of", "find_frames"]

STRIPS = frozenset((273, 279, 324, 325))
"""Tags with the places and sizes of strips and tiles: long, and told by nobody else."""

_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 255, 256, 257, 258, 259
_PHOTOMETRIC, _SAMPLES, _PLANAR, _SUBIFDS = 262, 277, 284, 330
_INKSET, _INKS, _EXTRA = 332, 334, 338
_CFA, _LINEAR_RAW = 32803, 34892
_COLORS = {0: 1, 1: 1, 2: 3, 3: 3, 5: 4, 6: 3}  # of each photometric interpretation
_SURELY = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}  # codings that any libtiff has
_CODINGS = {
    6: "old-style JPEG",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    34933: "PNG",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    32809: "ThunderScan",
    32766: "NeXT",
    34676: "SGI LogL",
    34677: "SGI LogLuv",
    32908: "Pixar film",
}


@dataclass(frozen=True)
class Channels:
    """What the channels of a page are.

    Attributes:
        colors: 1, 3 or 4 (CMYK).
        alpha: which of the further channels is transparency; -1 if none is.
        is_premultiplied: whether the colors are multiplied by it.
        is_white_zero: whether libvips turns the first channel over.
        extra: values of ExtraSamples of all further channels.
        planes: the number of samples if they lie one plane after another, else 0.
    """

    colors: int
    alpha: int = -1
    is_premultiplied: bool = False
    is_white_zero: bool = False
    extra: tuple[int, ...] = ()
    planes: int = 0


def find_frames(source: Path | bytes, name: str) -> tuple[list[Frame], tuple[str, ...]]:
    """The pictures of a TIFF at full resolution, in their order, and notes on others.

    A reduced image is no page: neither a thumbnail nor a level of a pyramid. Where the page itself
    is reduced, or smaller, the picture is in its SubIFDs.

    Raises:
        ColorizerError: a raw photo; ValueError: damaged directories.
    """
    found, reduced, masks = [], [], 0
    with opened(source) as file:
        tags = Tags(file)
        for page, directory in enumerate(tags.chain(STRIPS)):
            subs = [
                Frame(page, number, sub)
                for number, sub in enumerate(tags.below(directory, _SUBIFDS, STRIPS))
            ]
            for frame in (Frame(page, -1, directory), *subs):
                _refuse_raw(frame.directory, name)
            full = [frame for frame in subs if not _is_reduced(frame.directory)]
            largest = max(full, key=_area, default=None)
            own = Frame(page, -1, directory)
            if directory.first(_SUBFILE, 0) & 4:
                masks += 1
            elif largest and (_is_reduced(directory) or _area(largest) > _area(own)):
                found.append(largest)
            elif _is_reduced(directory):
                reduced.append(own)
            else:
                found.append(own)
    if not found and reduced:
        found = [max(reduced, key=_area)]
    if not found:
        raise ValueError("it holds no picture")
    notes = (f"{name}: its transparency mask, a page of its own, is left out",) if masks else ()
    return found, notes


def channels_of(directory: Directory, bands: int) -> Channels | None:
    """What the channels are that libvips reads; None where it is not for the tags to say.

    Args:
        bands: as many as libvips reads.
    """
    photometric = directory.first(_PHOTOMETRIC, 1)
    samples = directory.first(_SAMPLES, 1)
    colors = _COLORS.get(photometric)
    if colors is None:
        return None
    if bands != samples:  # a palette, or what libtiff itself makes RGB of, opaque
        return Channels(colors if bands > colors else bands)
    kinds = directory.numbers(_EXTRA)
    extra = (*kinds, *(0,) * bands)[: max(0, bands - colors)]
    alpha = next((i for i, kind in enumerate(extra) if kind in (1, 2)), -1)
    return Channels(
        colors,
        alpha,
        alpha >= 0 and extra[alpha] == 1,
        photometric == 0,
        extra,
        bands if bands > 1 and directory.first(_PLANAR, 1) == 2 else 0,
    )


def check_inks(directory: Directory, name: str) -> None:
    """Raise ColorizerError where separations are not cyan, magenta, yellow and black."""
    if directory.first(_PHOTOMETRIC) == 5 and (
        directory.first(_INKSET, 1) != 1 or directory.first(_INKS, 4) != 4
    ):
        raise ColorizerError(
            f"{name} holds separations of other inks than CMYK; accepted are gray, RGB and CMYK:"
            " convert it first"
        )


def plain(source: Path | bytes, frame: Frame, channels: Channels) -> bytes | Path:
    """The file, or a copy of it that libvips reads as it is.

    libvips undoes premultiplication itself, but wrongly so for CMYK of 16 bits, and confuses the
    planes of gray pictures with further channels.
    """
    confused = channels.colors == 1 and channels.planes
    if not (channels.is_premultiplied or confused):
        return source
    extra = Tag.of(SHORT, *(0,) * len(channels.extra))
    return _changed(source, frame, {_EXTRA: extra})


def plane(source: Path | bytes, frame: Frame, number: int, count: int) -> bytes:
    """A copy of the file of whose planes only one is left, as a gray picture."""
    with opened(source) as file:
        whole = Tags(file).at(frame.directory.pointer)
    changes = {_SAMPLES: Tag.of(SHORT, 1), _EXTRA: None, _PLANAR: Tag.of(SHORT, 1)}
    changes[_BITS] = Tag.of(SHORT, whole.first(_BITS, 1))
    if number:  # the first alone is turned over where white is zero
        changes[_PHOTOMETRIC] = Tag.of(SHORT, 1)
    for tag in STRIPS & whole.tags.keys():
        kind, values = whole.tags[tag].kind, whole.numbers(tag)
        each = len(values) // count
        changes[tag] = Tag.of(kind, *values[number * each : (number + 1) * each])
    return _changed(source, frame, changes)


def normalized(image: "pyvips.Image", channels: Channels) -> "pyvips.Image":
    """The colors, and after them the transparency, not multiplied by it; nothing else."""
    colors = image.extract_band(0, n=channels.colors) if image.bands > 1 else image
    deep = image.format == "ushort"
    kinds = {1: ("b-w", "grey16"), 3: ("srgb", "rgb16"), 4: ("cmyk", "cmyk")}
    if channels.alpha >= 0:
        alpha = image[channels.colors + channels.alpha]
        if channels.is_premultiplied:
            highest = 65535 if deep else 255
            ink = colors * -1 + highest if channels.is_white_zero else colors
            # where nothing is seen, division by 1 leaves what is written there
            whole = (ink * highest / (alpha == 0).ifthenelse(highest, alpha)).rint()
            whole = (whole > highest).ifthenelse(highest, whole)
            whole = whole * -1 + highest if channels.is_white_zero else whole
            colors = whole.cast(image.format)
        colors = colors.bandjoin(alpha)
    return colors.copy(interpretation=kinds[channels.colors][deep])


def further(image: "pyvips.Image", channels: Channels) -> "pyvips.Image | None":
    """The channels that are neither color nor transparency."""
    kept = [channels.colors + i for i in range(len(channels.extra)) if i != channels.alpha]
    if not kept:
        return None
    first, *rest = (image[band] for band in kept)
    return first.bandjoin(rest) if rest else first


def coding(directory: Directory) -> str:
    """The name of the compression."""
    number = directory.first(_COMPRESSION, 1)
    return _CODINGS.get(number, f"compression {number}")


def pillow_reads(directory: Directory) -> bool:
    """Whether Pillow reads it as it is.

    It knows no further channels, does not turn 16 bits over where white is zero, and gives colors
    8 bits.
    """
    photometric = directory.first(_PHOTOMETRIC, 1)
    bits = max(directory.numbers(_BITS) or (1,))
    if _COLORS.get(photometric) != directory.first(_SAMPLES, 1) and photometric != 3:
        return False
    return bits <= 8 or (photometric == 1 and bits <= 16)


def readable(directory: Directory) -> bool:
    """Whether any libtiff reads this coding and depth; of others one has to try."""
    return directory.first(_COMPRESSION, 1) in _SURELY


def _changed(source: Path | bytes, frame: Frame, changes: dict[int, Tag | None]) -> bytes:
    copy = io.BytesIO(source if isinstance(source, bytes) else source.read_bytes())
    Tags(copy).change(frame.directory.pointer, changes)
    return copy.getvalue()


def _is_reduced(directory: Directory) -> bool:
    if 254 in directory.tags:
        return bool(directory.first(_SUBFILE, 0) & 1)
    return directory.first(_OLD_SUBFILE, 1) == 2


def _area(frame: Frame) -> int:
    return frame.directory.first(_WIDTH, 0) * frame.directory.first(_HEIGHT, 0)


def _refuse_raw(directory: Directory, name: str) -> None:
    if directory.first(_PHOTOMETRIC) in (_CFA, _LINEAR_RAW):
        raise ColorizerError(
            f"{name} is a raw photo, the values of a camera's or scanner's sensor; develop it"
            " first, say with darktable or RawTherapee, into a TIFF of 16 bits"
        )
