"""What a colored file says about itself: all that its original said, and how its colors arose."""

from typing import TYPE_CHECKING
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from colorizer.pictures.lightness import is_srgb

if TYPE_CHECKING:
    import pyvips

__all__ = ["carry_over", "mark_xmp", "unwrap_iptc", "wrap_iptc"]

_KEPT = ("exif-", "xmp-data", "iptc-data", "resolution-unit", "image-description", "png-comment-")
_ICC = "icc-profile-data"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC_RESOURCE = b"\x04\x04"
_EMPTY_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
    '<?xpacket end="w"?>'
)


def carry_over(
    original: "pyvips.Image", colored: "pyvips.Image", system: str, version: str, tags: bytes = b""
) -> "pyvips.Image":
    """Give the colored image the metadata of its original, an sRGB profile, and the mark.

    EXIF, XMP, IPTC, comments and resolution stay. What describes the old coding goes: its color
    profile (unless it is sRGB itself), its bit depth, its orientation, its thumbnail.

    Args:
        original: as decoded, upright.
        colored: sRGB pixels of the same size.
        system, version: for the XMP, see `mark_xmp`.
        tags: EXIF data that libvips did not read, see `tiff_tags.read_tags`.
    """
    import pyvips

    profile = bytes(original.get(_ICC)) if original.get_typeof(_ICC) else b""
    if int.from_bytes(profile[:4]) != len(profile) or not is_srgb(original):
        profile = b""  # of another space, or damaged
    result = colored.copy(xres=original.xres, yres=original.yres)
    for field in result.get_fields():
        if result.get_typeof(field) and not field.startswith(_KEPT) and field not in _HEADER:
            result.remove(field)
    blob = pyvips.GValue.blob_type
    result.set_type(blob, _ICC, profile or pyvips.Operation.call("profile_load", "srgb"))
    if tags:
        result.set_type(blob, "exif-data", tags)
    xmp = original.get("xmp-data") if original.get_typeof("xmp-data") else b""
    result.set_type(blob, "xmp-data", mark_xmp(xmp, system, version))
    return result


_HEADER = (
    *("width", "height", "bands", "format", "coding", "interpretation"),
    *("xoffset", "yoffset", "xres", "yres", "filename"),
)


def mark_xmp(xmp: bytes, system: str, version: str) -> bytes:
    """Add to an XMP packet that a trained model made the colors; the rest of it stays.

    The properties are those of the IPTC Photo Metadata Standard 2025.1: DigitalSourceType (in
    the words of its vocabulary, "edited with generative AI"), AISystemUsed, AISystemVersionUsed.

    Args:
        xmp: a packet; an empty or damaged one is replaced.
        system, version: free text.
    """
    try:
        document = minidom.parseString(xmp.strip(b"\0 \n"))
        rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    except (ExpatError, IndexError, ValueError):
        document = minidom.parseString(_EMPTY_XMP.encode())
        rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    texts = {
        "DigitalSourceType": _SOURCE_TYPE,
        "AISystemUsed": system,
        "AISystemVersionUsed": version,
    }
    for name in texts:
        _drop(document, _IPTC, name)
    _drop(document, _TIFF, "Orientation")  # the pixels are upright now
    rdf.appendChild(_description(document, texts))
    return b"".join(node.toxml().encode() for node in document.childNodes)


def unwrap_iptc(data: bytes) -> bytes:
    """IPTC records without the Photoshop block that JPEG files have around them.

    Source: "Adobe Photoshop File Formats Specification", image resource blocks.
    """
    if not data.startswith(_PHOTOSHOP):
        return data
    at = len(_PHOTOSHOP)
    while data[at : at + 4] == b"8BIM":
        name = at + 6
        start = name + (data[name] // 2 + 1) * 2 if name < len(data) else len(data)
        size = int.from_bytes(data[start : start + 4])
        if data[at + 4 : name] == _IPTC_RESOURCE:
            return data[start + 4 : start + 4 + size]
        at = start + 4 + size + size % 2
    return b""


def wrap_iptc(data: bytes) -> bytes:
    """IPTC records in a Photoshop block, if they are not in one."""
    if data.startswith(_PHOTOSHOP):
        return data
    head = b"8BIM" + _IPTC_RESOURCE + b"\0\0" + len(data).to_bytes(4)
    return _PHOTOSHOP + head + data + b"\0" * (len(data) % 2)


def _description(document: minidom.Document, texts: dict[str, str]) -> minidom.Element:
    description = document.createElementNS(_RDF, "rdf:Description")
    description.setAttribute("xmlns:rdf", _RDF)
    description.setAttribute("xmlns:Iptc4xmpExt", _IPTC)
    description.setAttributeNS(_RDF, "rdf:about", "")
    for name, text in texts.items():
        description.appendChild(document.createElementNS(_IPTC, f"Iptc4xmpExt:{name}"))
        description.lastChild.appendChild(document.createTextNode(text))
    return description


def _drop(document: minidom.Document, namespace: str, name: str) -> None:
    """Remove a property, which XMP may write as an element or as an attribute."""
    for element in document.getElementsByTagNameNS(namespace, name):
        element.parentNode.removeChild(element)
    for element in document.getElementsByTagNameNS(_RDF, "Description"):
        if element.hasAttributeNS(namespace, name):
            element.removeAttributeNS(namespace, name)
