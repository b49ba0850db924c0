"""What a file really is that is given as weights and is none."""

import os
from pathlib import Path

__all__ = ["what_it_is"]

_PAGE = (b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")
_POINTER = b"version https://git-lfs"
_ZIP, _ZIP_END = b"PK\x03\x04", b"PK\x05\x06"


def what_it_is(path: Path) -> str:
    """In words, with what to do: a pointer, a web page, a part of a file; "" if none of these.

    Args:
        path: of a file of weights: .safetensors, .pth, .onnx...
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 66_000))  # a comment of a ZIP file is that long at most
            tail = file.read()
    except OSError:
        return ""
    if not size:
        return "it is empty (0 bytes); download it again"
    if head.startswith(_POINTER):
        return "it is a Git LFS pointer, not the file that it points to; get that by git lfs pull"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE):
        return "it is a web page, as a server sends in place of a file; download the file itself"
    if head.startswith(_ZIP) and _ZIP_END not in tail:
        return f"it is cut off after {size:,} bytes; download it again"
    if path.suffix == ".safetensors" and _says_more(head, size):
        return f"it is cut off after {size:,} bytes; download it again"
    return ""


def _says_more(head: bytes, size: int) -> bool:
    """Whether the header of a safetensors file is longer than the file."""
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and length < 100_000_000 and 8 + length > size
