"""What stands behind or beside a picture in its file: told, and nothing vouches for it any more."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.formats.boxes import beside
from tests.model_folder import write_model_folder

GRAY = data.camera()[:240:5, :200:5]  # 48 x 40
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x08mdat" + b"film" * 99
CLAIMS = {
    "GCamera": ("http://ns.google.com/photos/1.0/camera/", ("MotionPhoto", "MicroVideoOffset")),
    "hdrgm": ("http://ns.adobe.com/hdr-gain-map/1.0/", ("Version", "GainMapMax")),
    "Container": ("http://ns.google.com/photos/1.0/container/", ("Version",)),
    "Depth": ("http://ns.google.com/photos/dd/1.0/depthmap/", ("DepthURI",)),
    "apple": ("http://ns.apple.com/HDRGainMap/1.0/", ("HDRGainMapVersion",)),
    "pixels": ("http://ns.apple.com/pixeldatainfo/1.0/", ("AuxiliaryImageType",)),
}
KEPT = 'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="kept" '


def packet(as_elements: bool) -> bytes:
    spaces = "".join(f'xmlns:{prefix}="{space}" ' for prefix, (space, _) in CLAIMS.items())
    names = [f"{prefix}:{name}" for prefix, (_, names) in CLAIMS.items() for name in names]
    inside = "".join(f"<{name}>claimed</{name}>" for name in names) if as_elements else ""
    beside = "" if as_elements else "".join(f'{name}="claimed" ' for name in names)
    item = (
        "<Container:Directory><rdf:Seq><rdf:li rdf:parseType='Resource'><Container:Item "
        'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" Item:Mime="claimed"/>'
        "</rdf:li></rdf:Seq></Container:Directory><terms:provenance "
        'xmlns:terms="http://purl.org/dc/terms/">self#jumbf=claimed</terms:provenance>'
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {KEPT}{spaces}{beside}>{inside}{item}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    return Colorizer(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"), threads=1)


def encoded(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("as_elements", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "TIFF"])
def test_xmp_claims_nothing_that_is_gone(colorizer, kind, as_elements):
    xmp = packet(as_elements)
    options = {"xmp": xmp} if kind != "TIFF" else {"tiffinfo": {700: xmp}}
    found, _ = colorizer.colorize_bytes(encoded(kind, **options), kind.lower())
    assert b"claimed" not in found
    assert b'dc:source="kept"' in found


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize(
    ("trailer", "told"),
    [
        (FILM, "film behind the picture"),
        (b"\0\0MotionPhoto_Data" + FILM + b"SEFH\0\0\0\0SEFT", "trailer of Samsung's camera"),
        (encoded("JPEG"), "a further picture behind the picture"),
        (b"something", "9 bytes behind the picture"),
        (b"\0" * 512, ""),
    ],
)
def test_what_stands_behind_a_picture_is_told(colorizer, kind, trailer, told):
    file = encoded(kind)
    found, notes = colorizer.colorize_bytes(file + trailer, ".png")
    whole, others = colorizer.colorize_bytes(file, ".png")
    assert found == whole
    more = [note for note in notes if note not in others]
    assert bool(more) == bool(told)
    assert told in "\n".join(more)
    assert trailer not in found or not trailer.strip(b"\0")


def test_a_film_whose_last_bytes_are_an_end_marker(colorizer):
    _, notes = colorizer.colorize_bytes(encoded("JPEG") + FILM + b"\xff\xd9", "jpg")
    assert any("film behind the picture" in note for note in notes)


def test_credentials_of_a_tiff_are_told_and_go(colorizer):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, extratags=[(52545, 7, 9, b"jumb-c2pa", True)])
    found, notes = colorizer.colorize_bytes(buffer.getvalue(), "tif")
    assert b"jumb-c2pa" not in found
    assert any("content credentials (C2PA) cannot be kept" in note for note in notes)


def test_the_resolution_of_a_bmp_is_no_exif(colorizer):
    for array in (GRAY, np.stack([GRAY] * 3, -1)):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "BMP", dpi=(300, 300))
        _, notes = colorizer.colorize_bytes(buffer.getvalue(), "bmp")
        assert not any("EXIF" in note for note in notes)


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def gif_with_a_comment() -> bytes:
    file = encoded("GIF", comment=b"somebody")
    assert b"somebody" in file
    return file


def webp_with_a_chunk(kind: bytes) -> bytes:
    file = encoded("WEBP") + kind + (4).to_bytes(4, "little") + b"data"
    return file[:4] + (len(file) - 8).to_bytes(4, "little") + file[8:]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (gif_with_a_comment(), "its comment"),
        (webp_with_a_chunk(b"C2PA"), "content credentials (C2PA)"),
        (webp_with_a_chunk(b"abcd"), "a chunk abcd"),
        (encoded("AVIF") + box(b"mpvd", FILM), "the film behind the picture (a motion photo)"),
        (encoded("AVIF") + box(b"jumb", b"claims"), "content credentials (C2PA)"),
        (encoded("JPEG2000") + box(b"uuid", b"\1" * 20), "data of other programs"),
    ],
)
def test_what_lies_beside_a_picture_is_told(colorizer, file, told):
    _, notes = colorizer.colorize_bytes(file, "png")
    assert [note for note in notes if "cannot be kept" in note] == [
        f"the picture: {told} cannot be kept"
    ]


@pytest.mark.parametrize(
    ("urn", "told"),
    [
        (b"urn:com:apple:photo:2020:aux:hdrgainmap", ("a gain map (HDR)",)),
        (b"urn:mpeg:hevc:2015:auxid:2", ("a depth map",)),
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth", ("a depth map",)),
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", ()),
        (b"urn:of:others", ("an auxiliary picture (urn:of:others)",)),
    ],
)
def test_auxiliary_pictures_are_named(urn, told):
    held = box(b"meta", b"\0\0\0\0" + box(b"auxC", b"\0\0\0\0" + urn + b"\0"))
    assert beside(io.BytesIO(box(b"ftyp", b"heic\0\0\0\0") + held)) == told


@pytest.mark.parametrize("kind", ["HEIC", "JXL"])
def test_what_lies_beside_pictures_of_the_extra(colorizer, kind):
    buffer = io.BytesIO()
    if kind == "HEIC":
        module = pytest.importorskip("pillow_heif")
        module.from_pillow(Image.fromarray(GRAY)).save(buffer)
        added = box(b"mpvd", FILM)
    else:
        pytest.importorskip("pillow_jxl")
        exif = Image.Exif()
        exif[315] = "somebody"  # so that it is a file of boxes
        Image.fromarray(GRAY).save(buffer, "JXL", exif=exif.tobytes())
        added = box(b"jumb", b"claims")
    _, notes = colorizer.colorize_bytes(buffer.getvalue() + added, "png")
    assert sum("cannot be kept" in note for note in notes) == 1
