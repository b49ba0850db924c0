"""XMP packets: the mark of a colored picture, and what no longer holds for it."""

import hashlib
from contextlib import suppress
from xml.dom import minidom
from xml.parsers.expat import ExpatError

__all__ = ["BESIDE", "OLD", "mark_xmp", "split_xmp"]

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_NOTE = "http://ns.adobe.com/xmp/note/"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta>'
    '<?xpacket end="w"?>'
)
OLD = {
    "http://ns.adobe.com/tiff/1.0/": (
        *("Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression"),
        *("PhotometricInterpretation", "SamplesPerPixel", "PlanarConfiguration", "NativeDigest"),
        *("YCbCrSubSampling", "YCbCrPositioning", "TransferFunction", "WhitePoint"),
        *("PrimaryChromaticities", "YCbCrCoefficients", "ReferenceBlackWhite"),
    ),
    "http://ns.adobe.com/exif/1.0/": (
        *("ColorSpace", "PixelXDimension", "PixelYDimension", "NativeDigest"),
        *("ComponentsConfiguration", "CompressedBitsPerPixel", "Gamma"),
    ),
    "http://ns.adobe.com/photoshop/1.0/": ("ColorMode", "ICCProfile"),
    "http://ns.adobe.com/xap/1.0/": ("Thumbnails",),
    _NOTE: ("HasExtendedXMP",),
    "http://ns.google.com/photos/1.0/camera/": (  # of the film behind a picture
        *("MotionPhoto", "MotionPhotoVersion", "MotionPhotoPresentationTimestampUs"),
        *("MicroVideo", "MicroVideoVersion", "MicroVideoOffset"),
        "MicroVideoPresentationTimestampUs",
    ),
}
"""What describes the old pixels: their coding, size, place, color space and thumbnail."""

BESIDE = (
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/dd/1.0/",
    "http://ns.adobe.com/hdr-gain-map/",
    "http://ns.apple.com/HDRGainMap/",
    "http://ns.apple.com/HDRToneMap/",
    "http://ns.apple.com/pixeldatainfo/",
    "http://ns.apple.com/depthData/",
)
"""What speaks of films, gain maps and depth maps that stood behind the old pixels."""

_TERMS = "http://purl.org/dc/terms/"


def mark_xmp(packet: bytes, system: str, version: str, further: bytes = b"") -> tuple[bytes, bool]:
    """Add to an XMP packet that a trained model made the colors; what still holds stays.

    The properties are those of the IPTC Photo Metadata Standard 2025.1: DigitalSourceType (in
    the words of its vocabulary, "edited with generative AI"), AISystemUsed, AISystemVersionUsed.

    Args:
        packet: an empty or damaged one is replaced.
        system, version: free text.
        further: the extended part of it, which becomes one with it.

    Returns:
        The packet, and whether something of it was damaged and is lost.
    """
    document, lost = _parsed(packet)
    rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    if further:
        extended, broken = _parsed(further)
        lost |= broken
        for node in list(extended.getElementsByTagNameNS(_RDF, "RDF")[0].childNodes):
            rdf.appendChild(document.importNode(node, True))
    texts = {
        "DigitalSourceType": _SOURCE_TYPE,
        "AISystemUsed": system,
        "AISystemVersionUsed": version,
    }
    old = [
        node
        for element in document.getElementsByTagName("*")
        for node in (element, *element.attributes.values())
        if _is_old(node, tuple(texts))
    ]
    for node in old:
        _drop(node)
    rdf.appendChild(_description(document, texts))
    return b"".join(node.toxml().encode() for node in document.childNodes), lost


def split_xmp(packet: bytes, most: int) -> tuple[bytes, bytes]:
    """A packet that `mark_xmp` made, as two: one of at most `most` bytes, and the extended part.

    The first keeps the mark, and names the second by its MD5: Adobe's XMP specification part 3,
    section 1.1.3.1.
    """
    if len(packet) <= most:
        return packet, b""
    document = minidom.parseString(packet)
    rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    mark = rdf.removeChild(rdf.lastChild)
    meta = rdf.parentNode if rdf.parentNode is not document else rdf
    further = meta.toxml().encode()
    while rdf.firstChild:
        rdf.removeChild(rdf.firstChild)
    rdf.appendChild(mark)
    digest = hashlib.md5(further).hexdigest().upper()
    mark.setAttribute("xmlns:xmpNote", _NOTE)
    mark.setAttributeNS(_NOTE, "xmpNote:HasExtendedXMP", digest)
    return b"".join(node.toxml().encode() for node in document.childNodes), further


def _parsed(packet: bytes) -> tuple[minidom.Document, bool]:
    """A document with an rdf:RDF, and whether it replaces one that was damaged."""
    plain = packet.strip(b"\0 \r\n\t")
    if plain:
        with suppress(ExpatError, ValueError, LookupError):
            document = minidom.parseString(plain)
            if document.getElementsByTagNameNS(_RDF, "RDF"):
                return document, False
    return minidom.parseString(_EMPTY.encode()), bool(plain)


def _description(document: minidom.Document, texts: dict[str, str]) -> minidom.Element:
    description = document.createElementNS(_RDF, "rdf:Description")
    description.setAttribute("xmlns:rdf", _RDF)
    description.setAttribute("xmlns:Iptc4xmpExt", _IPTC)
    description.setAttributeNS(_RDF, "rdf:about", "")
    for name, text in texts.items():
        description.appendChild(document.createElementNS(_IPTC, f"Iptc4xmpExt:{name}"))
        description.lastChild.appendChild(document.createTextNode(_printable(text)))
    return description


def _printable(text: str) -> str:
    """What XML can hold of a text: names of files may be any bytes."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(character if character >= " " else "?" for character in text)


def _is_old(node: minidom.Node, ours: tuple[str, ...]) -> bool:
    """Whether a property, an element or an attribute, no longer holds, or is written anew."""
    space, name = node.namespaceURI or "", node.localName
    if space == _TERMS and name == "provenance":  # of content credentials, which do not stay
        return "jumbf" in (node.value if isinstance(node, minidom.Attr) else node.toxml())
    return name in (OLD | {_IPTC: ours}).get(space, ()) or space.startswith(BESIDE)


def _drop(node: minidom.Node) -> None:
    """Remove a property, which XMP may write as an element or as an attribute."""
    if isinstance(node, minidom.Attr):
        if node.ownerElement is not None:
            node.ownerElement.removeAttributeNode(node)
    elif node.parentNode is not None:
        node.parentNode.removeChild(node)
