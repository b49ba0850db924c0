"""TIFF: pages, channels by their tags, codings that only Pillow reads, and writing tags.

Sources: TIFF 6.0 (1992), BigTIFF; `tiff_pages` tells pages and channels apart.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from colorizer.errors import ColorizerError
from colorizer.pictures.formats import tiff_pages
from colorizer.pictures.formats.format import Format, Frame, How, Output, OutputPage, Told, register
from colorizer.pictures.formats.pillow import (
    from_array,
    opened_by,
    pixels_of,
    stretched,
    with_metadata,
)
from colorizer.pictures.formats.tiff_pages import STRIPS, Channels
from colorizer.pictures.formats.vips import open_vips, render
from colorizer.pictures.metadata import exif, photoshop
from colorizer.pictures.metadata.metadata import Metadata
from colorizer.pictures.metadata.tags import BYTE, LONG, SHORT, UNDEFINED, Tag, Tags
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["Tiff"]

_XMP, _IPTC, _PHOTOSHOP, _EXTRA = 700, 33723, 34377, 338
_LONG8 = 16
_LEFT = {37724: "layers of Photoshop", 52545: "content credentials (C2PA)"}
_BIG = 2_000_000_000  # bytes of pixels from which a file might pass 4 GB


@register
class Tiff(Format):
    """TIFF and BigTIFF."""

    name = "TIFF"
    suffixes = (".tif", ".tiff")
    loader = "tiffload"
    deepest = 16
    holds = frozenset(
        {"alpha", "further", "pages", "exif", "xmp", "iptc", "photoshop", "resolution"}
    )

    def accepts(self, head: bytes) -> bool:
        begins = head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
        return begins and head[8:10] != b"CR"  # raw photos of Canon

    def memory(self, frame: Frame) -> int:
        return 8 if frame.reader else 0

    def look(self, source: Path | bytes, name: str) -> Told:
        frames, notes = tiff_pages.find_frames(source, name)
        for number, frame in enumerate(frames):
            of_page = name if len(frames) == 1 else f"{name}, page {number + 1}"
            frames[number] = self._with_reader(source, frame, of_page)
            if not frames[number].reader:
                tiff_pages.check_inks(frame.directory, of_page)
        return Told(frames, notes)

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        image, channels = self._opened(source, how)
        return tiff_pages.normalized(image, channels) if channels else image

    def further(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image | None":
        image, channels = self._opened(source, how)
        return tiff_pages.further(image, channels) if channels else None

    def metadata(
        self, source: Path | bytes, told: Told, frame: Frame, image: "pyvips.Image"
    ) -> Metadata:
        held = frame.directory
        left = [words for tag, words in _LEFT.items() if tag in held.tags]
        try:
            with opened(source) as file:
                tree = Tags(file).tree(held, exif.DIRECTORIES)
        except ValueError:
            tree = {tag: value for tag, value in held.tags.items() if tag not in exif.DIRECTORIES}
            left.append("damaged EXIF data")
        tags = exif.describing(tree)
        resolution = exif.resolution_of(held.tags)
        if resolution and held.first(274, 1) in range(5, 9):
            resolution = resolution[::-1]
        resources = _bytes(held.tags.get(_PHOTOSHOP))
        block = exif.from_tags(tags | (exif.resolution_tags(resolution) if resolution else {}))
        return Metadata(
            block if tags else b"",
            tags,
            _bytes(held.tags.get(_XMP)),
            iptc=_records(held.tags.get(_IPTC)) or photoshop.iptc_of(resources),
            photoshop=resources,
            resolution=resolution,
            left_out=tuple(left),
        )

    def write(self, pages: Iterator[OutputPage], output: Output) -> None:
        options = {"compression": "lzw", "predictor": 2, "bigtiff": output.raw_bytes > _BIG}
        for number, page in enumerate(pages):
            bare = output.aside() if number else output.file
            image = page.image if page.further is None else page.image.bandjoin(page.further)
            if image.format == "ushort":  # whose grain LZW makes longer than it is
                options["compression"] = "deflate"
            render(image, "tiffsave", bare, output.threads, **options)
            _embed(bare, page)
            if number:
                _append_page(output.file, bare)
                bare.close()

    def _opened(self, source: Path | bytes, how: How) -> tuple["pyvips.Image", Channels | None]:
        """The image as libvips or Pillow reads it, and what its channels are."""
        frame = how.frame
        if frame.reader:
            return _by_pillow(source, how), None
        image = self._by_vips(source, how)
        channels = tiff_pages.channels_of(frame.directory, image.bands)
        if channels and channels.colors == 1 and channels.planes:
            first, *rest = (
                self._by_vips(tiff_pages.plane(source, frame, number, channels.planes), how)
                for number in range(channels.planes)
            )
            image = first.bandjoin(rest)
        elif channels and channels.is_premultiplied:
            image = self._by_vips(tiff_pages.plain(source, frame, channels), how)
        return image, channels

    def _by_vips(self, source: Path | bytes, how: How) -> "pyvips.Image":
        subs: dict[str, Any] = {"subifd": how.frame.sub} if how.frame.sub >= 0 else {}
        return open_vips(source, self.loader, how, **subs)

    def _with_reader(self, source: Path | bytes, frame: Frame, name: str) -> Frame:
        """The frame, with Pillow as its reader where libvips has none for its coding."""
        import pyvips

        if tiff_pages.readable(frame.directory):
            return frame
        for reader in ("", "pillow"):
            if reader and (frame.sub >= 0 or not tiff_pages.pillow_reads(frame.directory)):
                continue
            try:
                tried = replace(frame, reader=reader)
                how = How(tried)
                image = _by_pillow(source, how) if reader else self._by_vips(source, how)
                image.crop(0, 0, 1, 1).avg()
                return tried
            except (pyvips.Error, OSError, SyntaxError, ValueError):
                continue
        raise ColorizerError(
            f"{name} is coded as {tiff_pages.coding(frame.directory)}, which neither libvips nor"
            " Pillow reads here; convert it first, say by tiffcp -c lzw or by ImageMagick"
        )


def _by_pillow(source: Path | bytes, how: How) -> "pyvips.Image":
    from PIL.TiffImagePlugin import TiffImageFile

    with opened_by(TiffImageFile, source, how) as tiff:
        tiff.seek(how.frame.page)
        how.check(*tiff.size)
        pixels = pixels_of(tiff)
        bits = tiff.tag_v2.get(258, (8,))[0]
        profile = tiff.info.get("icc_profile")
    if pixels.dtype == "uint16" and bits < 16:
        pixels = stretched(pixels, 2**bits - 1)
    return with_metadata(from_array(pixels), profile)  # turned already


def _records(tag: Tag | None) -> bytes:
    """IPTC records, of which some programs say that they were numbers, or of Photoshop."""
    data = _bytes(tag)
    return photoshop.iptc_of(data) if data.startswith(b"8BIM") else data


def _bytes(tag: Tag | None) -> bytes:
    return b"" if tag is None else tag.data


def _embed(file: BinaryIO, page: OutputPage) -> None:
    """Give the one page of a TIFF that libvips has written its tags."""
    metadata, tags = page.metadata, Tags(file)
    added = dict(metadata.tags) or (
        exif.describing(exif.to_tags(metadata.exif)) if metadata.exif else {}
    )
    added |= dict.fromkeys((282, 283, 296))
    added |= exif.resolution_tags(metadata.resolution) if metadata.resolution else {}
    added[_XMP] = Tag(BYTE, metadata.xmp) if metadata.xmp else None
    added[_IPTC] = Tag(UNDEFINED, metadata.iptc) if metadata.iptc else None
    resources = photoshop.without_iptc(metadata.photoshop)
    if resources:
        added[_PHOTOSHOP] = Tag(BYTE, resources)
    further = 0 if page.further is None else page.further.bands
    extra = (2,) * page.image.hasalpha() + (0,) * further  # not premultiplied, then unspecified
    if extra:
        added[_EXTRA] = Tag.of(SHORT, *extra)
    tags.change(next(tags.chain()).pointer, added)


def _append_page(target: BinaryIO, page: BinaryIO) -> None:
    """Add the one page of a TIFF as the last of another one."""
    source, tags = Tags(page), Tags(target)
    found = next(source.chain())
    held = source.tree(found, exif.DIRECTORIES)
    kind = _LONG8 if tags.is_big else LONG
    for places, sizes in ((273, 279), (324, 325)):
        if places in held:
            pairs = zip(found.numbers(places), found.numbers(sizes), strict=True)
            held[places] = Tag.of(kind, *(tags.copy(page, place, size) for place, size in pairs))
    *_, last = tags.chain(STRIPS)
    tags.add(held, last.end)
