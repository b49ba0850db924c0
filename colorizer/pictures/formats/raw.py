"""Raw photos: known, so that they can be refused with what to do."""

from pathlib import Path

from colorizer.errors import ColorizerError
from colorizer.pictures.formats.format import Format, Told, register

__all__ = ["Raw"]


@register
class Raw(Format):
    """Raw photos of cameras, as far as they do not begin as a TIFF does."""

    name = "raw photos"
    suffixes = (
        *(".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".3fr", ".erf", ".iiq"),
        *(".kdc", ".nrw", ".pef", ".sr2", ".srw"),
    )
    becomes = ".tif"

    def accepts(self, head: bytes) -> bool:
        begins = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb")
        canon = head[4:12] == b"ftypcrx " or (head[:2] in (b"II", b"MM") and head[8:10] == b"CR")
        return head.startswith(begins) or canon

    def look(self, source: Path | bytes, name: str) -> Told:
        raise ColorizerError(
            f"{name} is a raw photo, the values of a camera's sensor; develop it first, say with"
            " darktable or RawTherapee, into a TIFF of 16 bits"
        )
