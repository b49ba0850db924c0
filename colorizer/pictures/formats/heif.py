"""HEIC, by pillow-heif of the extra `formats`, or by a libvips that has a decoder for it."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from colorizer.pictures.formats.avif import Avif
from colorizer.pictures.formats.boxes import beside, brands
from colorizer.pictures.formats.format import Format, How, Told, register
from colorizer.pictures.formats.pillow import from_array, plugin, sober, stretched, with_metadata
from colorizer.pictures.formats.vips import open_vips
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["Heif"]

_BRANDS = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2", b"miaf"),
}


@register
class Heif(Format):
    """HEIC, and what else HEIF holds but for AVIF."""

    name = "HEIC"
    suffixes = (".heic", ".heif", ".hif")
    becomes = ".png"
    loader = "heifload"
    comes_upright = True
    bytes_read = 20

    def accepts(self, head: bytes) -> bool:
        return bool(brands(head)) and brands(head)[0] in _BRANDS and not Avif().accepts(head)

    def look(self, source: Path | bytes, name: str) -> Told:
        with opened(source) as file:
            return Told(left_out=beside(file))

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        import pyvips

        if not importlib.util.find_spec("pillow_heif"):
            try:
                image = open_vips(source, self.loader, how)
                open_vips(source, self.loader, how).crop(0, 0, 1, 1).avg()
                return image
            except pyvips.Error:  # it has no decoder, and the extra is what helps
                pass
        heif = plugin("pillow_heif", "pillow-heif", name, self.name)
        with sober(), opened(source) as data:
            file = heif.open_heif(data, convert_hdr_to_8bit=False)
            primary = file[file.primary_index]
            how.check(*primary.size)
            pixels, info = np.asarray(primary), primary.info
        if pixels.dtype == np.uint16:
            pixels = stretched(pixels, (65535 << 16 - info.get("bit_depth", 16)) & 65535)
        blobs = (info.get(kind) for kind in ("icc_profile", "exif", "xmp"))
        return with_metadata(from_array(pixels), *blobs, turned=True)  # whatever its EXIF data say
