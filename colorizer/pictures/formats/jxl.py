"""JPEG XL, by pillow-jxl-plugin of the extra `formats`."""

from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.pictures.formats.boxes import boxes
from colorizer.pictures.formats.format import Format, How, Told, register
from colorizer.pictures.formats.pillow import (
    from_array,
    opened_by,
    pixels_of,
    plugin,
    with_metadata,
)
from colorizer.pictures.origin import opened

if TYPE_CHECKING:
    import pyvips

__all__ = ["Jxl"]

_KNOWN = {
    *(b"JXL ", b"ftyp", b"jxlc", b"jxlp", b"jxli", b"jxll", b"Exif", b"xml ", b"jbrd", b"brob"),
}
_TELLING = {b"jumb": "content credentials (C2PA)", b"jhgm": "a gain map (HDR)"}


@register
class Jxl(Format):
    """JPEG XL, by Pillow's plugin; becomes PNG."""

    name = "JPEG XL"
    suffixes = (".jxl",)
    becomes = ".png"
    bytes_read = 20

    def accepts(self, head: bytes) -> bool:
        return head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"))

    def look(self, source: Path | bytes, name: str) -> Told:
        xmp, packed, left = b"", False, []
        with opened(source) as file:
            if file.read(8)[4:] == b"JXL ":
                for kind, start, end in boxes(file):
                    file.seek(start)
                    packed |= kind == b"brob" and file.read(4) in (b"xml ", b"Exif")
                    if kind == b"xml ":
                        xmp = file.read(end - start)
                    elif kind not in _KNOWN:
                        left.append(_TELLING.get(kind, f"a box {kind.decode('latin-1').strip()}"))
        notes = (f"{name}: its packed metadata are left out",) if packed else ()
        return Told(notes=notes, left_out=tuple(dict.fromkeys(left)), own=xmp)

    def open(self, source: Path | bytes, name: str, how: How) -> "pyvips.Image":
        plugin("pillow_jxl", "pillow-jxl-plugin", name, self.name)
        from pillow_jxl.JpegXLImagePlugin import JXLImageFile

        data = source if isinstance(source, bytes) else source.read_bytes()
        with opened_by(JXLImageFile, data, how) as jxl:
            image = from_array(pixels_of(jxl))
            profile, exif = jxl.info.get("icc_profile"), jxl.info.get("exif")
            xmp = how.told.own or jxl.info.get("xmp")
            # what was a JPEG comes as that JPEG, not turned
            return with_metadata(image, profile, exif, xmp, turned=not jxl.jpeg)
