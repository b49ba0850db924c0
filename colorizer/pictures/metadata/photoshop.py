"""Photoshop's image resources, in JPEG and TIFF, and the IPTC records among them.

Source: "Adobe Photoshop File Formats Specification", image resource blocks.
"""

from collections.abc import Iterator

__all__ = ["fitting", "iptc_of", "resource", "with_iptc", "without_iptc"]

_IPTC, _DIGEST = 0x0404, 0x0425
_SIGNATURES = (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR")
_OLD = {  # thumbnails, profiles, color settings, EXIF data and XMP (which have places of their own)
    *(0x0409, 0x040C, 0x040F, 0x0410, 0x0411, 0x0422, 0x0423, 0x0424, 0x03ED, 0x0416, 0x0417),
}


def _resources(block: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, content, and all bytes of each resource; what is damaged ends them."""
    at = 0
    while block[at : at + 4] in _SIGNATURES and at + 6 < len(block):
        name = at + 6
        start = name + (block[name] // 2 + 1) * 2
        size = int.from_bytes(block[start : start + 4])
        end = start + 4 + size
        if end > len(block):
            return
        whole = block[at:end] + b"\0" * (size % 2)
        yield int.from_bytes(block[at + 4 : name]), block[start + 4 : end], whole
        at = end + size % 2


def iptc_of(block: bytes) -> bytes:
    """The IPTC records among the resources; empty if there are none."""
    return next((c for number, c, _ in _resources(block) if number == _IPTC and c), b"")


def fitting(block: bytes) -> bytes:
    """The resources that still hold for a colored picture."""
    return b"".join(whole for number, _, whole in _resources(block) if number not in _OLD)


def with_iptc(block: bytes, records: bytes) -> bytes:
    """The resources, with these IPTC records if they have none."""
    return block if not records or iptc_of(block) else block + resource(_IPTC, records)


def without_iptc(block: bytes) -> bytes:
    """The resources without IPTC records and their checksum, which TIFF keeps elsewhere."""
    return b"".join(
        whole for number, _, whole in _resources(block) if number not in (_IPTC, _DIGEST)
    )


def resource(number: int, content: bytes) -> bytes:
    head = b"8BIM" + number.to_bytes(2) + b"\0\0" + len(content).to_bytes(4)
    return head + content + b"\0" * (len(content) % 2)
