"""Boxes, of which JPEG 2000, JPEG XL and HEIF files are made.

Sources: ISO/IEC 15444-1 annex I (JP2), ISO/IEC 14496-12 (the same boxes in HEIF), 23008-12.
"""

import os
import re
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["beside", "boxes", "brands"]

_NESTED = {b"jp2h", b"res "}
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_AUXILIARY = re.compile(rb"auxC\0\0\0\0([ -~]{4,80})\0")
_MOST = 1 << 24  # bytes of what describes the items of a file


def boxes(
    file: BinaryIO, start: int = 0, end: int | None = None
) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box between two places of a file."""
    end = file.seek(0, os.SEEK_END) if end is None else end
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        size, kind, skip = int.from_bytes(head[:4]), head[4:8], 8
        if size == 1:
            size, skip = int.from_bytes(head[8:16]), 16
        size = size or end - start
        if size < skip or start + size > end:
            raise ValueError("a box of it is cut off")
        yield kind, start + skip, start + size
        if kind in _NESTED:
            yield from boxes(file, start + skip, start + size)
        start += size


def brands(head: bytes) -> list[bytes]:
    """What a file says that it is, the main one first; nothing of files of other kinds."""
    if head[4:8] != b"ftyp":
        return []
    end = min(len(head), int.from_bytes(head[:4]))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def beside(file: BinaryIO) -> tuple[str, ...]:
    """What a HEIF or AVIF file holds beside the picture, in words; what is damaged ends them."""
    found = []
    try:
        for kind, start, end in boxes(file):
            file.seek(start)
            if kind == b"mpvd":
                found.append("the film behind the picture (a motion photo)")
            elif kind == b"jumb" or (kind == b"uuid" and file.read(16) == _C2PA):
                found.append("content credentials (C2PA)")
            elif kind == b"meta":
                held = file.read(min(end - start, _MOST))
                found += [_auxiliary(urn.decode()) for urn in _AUXILIARY.findall(held)]
                found += ["a gain map (HDR)"] * (b"tmap" in held)
    except ValueError:
        pass
    return tuple(dict.fromkeys(words for words in found if words))


def _auxiliary(urn: str) -> str:
    name = urn.lower()
    if "alpha" in name or name.endswith("auxid:1"):
        return ""
    if "gainmap" in name:
        return "a gain map (HDR)"
    if "depth" in name or name.endswith("auxid:2") or "disparity" in name:
        return "a depth map"
    return f"an auxiliary picture ({urn})"
