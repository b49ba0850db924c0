"""What files say beside their pixels: kept, changed with the pixels, or told."""

import io
import shutil
import subprocess
import zlib

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image
from skimage import color, data

from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.lightness import lightness
from colorizer.pictures.metadata.exif import to_tags
from colorizer.pictures.metadata.tags import ASCII, BYTE, SHORT, Tag, Tags
from colorizer.pictures.picture import Picture
from tests.model_folder import write_model_folder

GRAY = data.camera()[:240:5, :200:5]  # 48 x 40
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="{}" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:ImageWidth="7" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:ColorSpace="65535"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    model = write_model_folder(tmp_path_factory.mktemp("models") / "tiny")
    return Colorizer(model, threads=1)


def encoded(kind: str, array: np.ndarray = GRAY, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(**options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, photometric="minisblack", **options)
    return buffer.getvalue()


def exiftool(path, *options) -> list[str]:
    command = ["exiftool", "-a", "-ee", "-s", "-s", "-s", *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")


needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not here")


@pytest.mark.parametrize("source", ["jpg", "tif"])
@pytest.mark.parametrize("destination", ["jpg", "tif", "png", "webp"])
@pytest.mark.parametrize("size", [65_000, 200_000])
def test_xmp_of_any_size_and_the_mark_stay(colorizer, tmp_path, source, destination, size):
    if source == "jpg" and size > 65_000:
        first = colorizer.colorize_bytes(tiff(extratags=[(700, 1, size, b"", True)]), "jpg")
        assert first  # an extended packet comes from the file below
        text = XMP.format("y" * size).encode()
        file = colorizer.colorize_bytes(tiff(extratags=[(700, 1, len(text), text, True)]), "jpg")[0]
    else:
        text = XMP.format("y" * (size - len(XMP))).encode()
        file = encoded("JPEG", xmp=text[:65_000]) if source == "jpg" else None
        file = file or tiff(extratags=[(700, 1, len(text), text, True)])
    found, notes = colorizer.colorize_bytes(file, destination)
    assert notes in ((), ("the picture has colors of its own; they are replaced",))
    joined = found
    if destination == "jpg":  # without the heads of the segments
        segments, place = [], 2
        while found[place + 1] != 0xDA:
            length = int.from_bytes(found[place + 2 : place + 4])
            segment = found[place + 4 : place + 2 + length]
            head = b"http://ns.adobe.com/xmp/extension/\0"
            segments.append(segment[len(head) + 40 :] if segment.startswith(head) else segment)
            place += 2 + length
        joined = b"".join(segments)
    assert joined.count(b"y" * (size - len(XMP))) == 1
    assert found.count(b"DigitalSourceType>") == 2
    assert b"ImageWidth" not in joined.replace(b"PixelXDim", b"")
    assert b'ColorSpace="65535"' not in joined


@needs_exiftool
@pytest.mark.parametrize("destination", ["jpg", "tif"])
def test_exiftool_reads_extended_xmp(colorizer, tmp_path, destination):
    text = XMP.format("y" * 100_000).encode()
    path = tmp_path / f"out.{destination}"
    colorizer.colorize_file(tiff(extratags=[(700, 1, len(text), text, True)]), path)
    assert exiftool(path, "-XMP-dc:Source")[0] == "y" * 100_000
    assert exiftool(path, "-XMP-iptcExt:DigitalSourceType")[0]


def test_tags_of_windows_and_others_stay_on_every_way(colorizer, tmp_path):
    title = "Köln 写真".encode("utf-16-le") + b"\0\0"
    extra = [
        (40091, 1, len(title), title, True),
        (40094, 1, len(title), title, True),
        (269, 2, 0, "a document", True),
        (33550, 12, 3, (1.5, 2.5, 0.0), True),  # of GeoTIFF
        (50000, 7, 4, b"\1\2\3\4", True),  # of nobody
    ]
    for order in "<>":
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer, byteorder=order) as writer:
            writer.write(GRAY, photometric="minisblack", extratags=extra, software="a program")
        for destination in ("tif", "jpg", "png", "webp"):
            found, notes = colorizer.colorize_bytes(buffer.getvalue(), destination)
            assert notes == ()
            block = pictures_exif(found, destination)
            assert block[40091] == Tag(BYTE, title)
            assert block[40094] == Tag(BYTE, title)
            assert block[269] == Tag(ASCII, b"a document\0")
            assert block[33550].numbers == (1.5, 2.5, 0.0)
            assert block[50000].data == b"\1\2\3\4"
            assert block[305] == Tag(ASCII, b"a program\0")


def pictures_exif(file: bytes, kind: str) -> dict:
    if kind == "tif":
        return next(Tags(io.BytesIO(file)).chain()).tags
    image = pyvips.Image.new_from_buffer(file, "")
    return to_tags(bytes(image.get("exif-data")))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    file = encoded("PNG")
    added = b"".join(
        len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)
        for kind, content in chunks
    )
    return file[:33] + added + file[33:]


def test_texts_of_png_keep_their_characters(colorizer):
    texts = (
        (b"tEXt", b"Author\0Jos\xe9"),
        (b"iTXt", "Description\0\0\0de\0Beschreibung\0Köln 写真".encode()),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 500)),
    )
    found, notes = colorizer.colorize_bytes(png(*texts), "png")
    assert notes == ()
    for kind, content in texts:
        assert found.count(kind + content) == 1
    assert zlib.decompress(found.partition(b"Comment\0\0")[2][:-4] or b"") == b"x" * 500
    _, notes = colorizer.colorize_bytes(png(*texts), "jpg")
    assert "only PNG holds its texts (Author, Description, Comment); they are left out" in notes[0]


def test_comments_of_jpeg_stay(colorizer):
    file = encoded("JPEG", comment=b"scanned in 1999")
    for destination in ("jpg", "png"):
        found, notes = colorizer.colorize_bytes(file, destination)
        assert notes == ()
        assert b"scanned in 1999" in found
    _, notes = colorizer.colorize_bytes(file, "webp")
    assert "only JPEG and PNG hold its comment" in notes[0]


@pytest.mark.parametrize("destination", ["bmp", "gif"])
def test_what_bmp_and_gif_lose_is_told_kind_by_kind(colorizer, destination):
    exif = Image.Exif()
    exif[315] = "somebody"
    file = encoded("JPEG", exif=exif, xmp=XMP.format("kept").encode())
    found, notes = colorizer.colorize_bytes(file, destination)
    told = "\n".join(notes)
    assert "holds no EXIF data" in told
    assert ("has no place for XMP" in told) == (destination == "bmp")
    with Image.open(io.BytesIO(found)) as image:
        if destination == "gif":
            assert b"kept" in found[found.index(b"XMP DataXMP") :].split(b"<?xpacket end")[0]
        image.load()
        assert image.size == Image.open(io.BytesIO(file)).size


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp", "avif", "jp2"])
def test_a_resolution_that_nobody_gave_is_not_made_up(colorizer, tmp_path, kind):
    source = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(kind, kind.upper())
    file = tiff(resolutionunit=1) if kind == "tif" else encoded(source)
    for destination in ("jpg", "png", "tif", "webp", "avif"):
        path = tmp_path / f"out.{destination}"
        colorizer.colorize_file(file, path)
        with Image.open(path) as image:
            assert image.getexif().get(282) is None
            # of JPEG and TIFF Pillow itself makes one up
            assert destination in ("tif", "jpg") or not any(image.info.get("dpi", (0, 0)))
            assert image.info.get("jfif_unit", 0) == 0
    colorizer.colorize_file(file, tmp_path / "out.bmp")
    with Image.open(tmp_path / "out.bmp") as image:
        assert not any(image.info.get("dpi", (0, 0)))
    with tifffile.TiffFile(tmp_path / "out.tif") as found:
        assert not {282, 283, 296} & set(found.pages[0].tags.keys())


@pytest.mark.parametrize("source", ["jpg", "png", "tif", "bmp"])
def test_a_resolution_that_was_given_stays(colorizer, tmp_path, source):
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(source, source.upper())
    file = encoded(kind, dpi=(600, 300))
    for destination in ("jpg", "png", "tif", "webp", "avif", "bmp"):
        path = tmp_path / f"out.{destination}"
        colorizer.colorize_file(file, path)
        with Image.open(path) as image:
            given = image.info.get("dpi") or tuple(image.getexif()[tag] for tag in (282, 283))
            assert [float(axis) for axis in given] == pytest.approx((600, 300), abs=0.1)


def test_what_describes_the_old_pixels_changes_with_them(colorizer):
    exif = Image.Exif()
    exif[274], exif[282], exif[283], exif[296] = 6, 600.0, 300.0, 2
    exif[318] = (0.3, 0.3)  # the white point of the old color space
    inner = exif.get_ifd(0x8769)
    inner[0xA001], inner[0xA002], inner[0xA003], inner[0x9102] = 65535, 40, 48, 3.5
    inner[0x9003] = "1999:12:31 23:59:59"
    for destination in ("jpg", "png", "tif", "webp"):
        found, _ = colorizer.colorize_bytes(encoded("JPEG", exif=exif), destination)
        block = pictures_exif(found, destination)
        if destination == "tif":
            block = Tags(io.BytesIO(found)).tree(next(Tags(io.BytesIO(found)).chain()), (0x8769,))
        assert 318 not in block
        assert block.get(274, Tag.of(SHORT, 1)).first == 1
        assert (block[282].first, block[283].first) == (300, 600)
        inner_found = block[0x8769]
        assert inner_found[0xA001].first == 1
        assert (inner_found[0xA002].first, inner_found[0xA003].first) == (48, 40)
        assert 0x9102 not in inner_found
        assert inner_found[0x9003].data == b"1999:12:31 23:59:59\0"


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "WEBP"])
def test_a_gray_profile_on_colors_gives_way_to_srgb(colorizer, kind):
    from tests.pictures.test_picture import gray_icc

    shades = np.stack([GRAY] * 3, -1)
    file = encoded(kind, shades, icc_profile=gray_icc(1.8))
    found, notes = colorizer.colorize_bytes(file, kind.lower())
    assert "its color profile is of no use here" in notes[0]
    srgb = pyvips.Operation.call("profile_load", "srgb")
    with Image.open(io.BytesIO(found)) as image:
        assert image.info["icc_profile"] == srgb


def test_damaged_exif_data_are_told(colorizer):
    block = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12" * 40
    _, notes = colorizer.colorize_bytes(encoded("JPEG", exif=block), "jpg")
    assert any("damaged EXIF data cannot be kept" in note for note in notes)


@pytest.mark.parametrize("extension", ["heic", "jxl"])
def test_formats_of_the_extra(colorizer, tmp_path, extension):
    plugin = {"heic": "pillow_heif", "jxl": "pillow_jxl"}[extension]
    module = pytest.importorskip(plugin)
    exif = Image.Exif()
    exif[315] = "somebody"
    image = Image.fromarray(GRAY)
    if extension == "heic":
        module.from_pillow(image).save(tmp_path / "in.heic", quality=-1, exif=exif.tobytes())
    else:
        image.save(tmp_path / "in.jxl", lossless=True, exif=exif.tobytes())
    colorizer.colorize_file(tmp_path / f"in.{extension}", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as found:
        shades = np.asarray(found) / 255
        assert found.getexif()[315] == "somebody"
    L = color.rgb2lab(shades)[..., 0]
    expected = color.rgb2lab(np.stack([GRAY] * 3, -1) / 255)[..., 0]
    assert np.abs(L - expected).max() < (3 if extension == "heic" else 0.3)


def test_a_missing_plugin_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_jxl", None)
    with pytest.raises(ColorizerError, match=r"is JPEG XL.*pip install -e '\.\[formats\]'"):
        Picture.open(b"\xff\x0a" + b"\0" * 40)


def test_jpeg_2000_of_16_bits(colorizer, tmp_path):
    deep = GRAY.astype(np.uint16) * 257
    file = encoded("JPEG2000", deep)
    colorizer.colorize_file(file, tmp_path / "out.tif")
    found = tifffile.imread(tmp_path / "out.tif") / 65535
    expected = color.rgb2lab(np.stack([deep] * 3, -1) / 65535)
    assert np.abs(color.rgb2lab(found)[..., 0] - expected[..., 0]).max() < 0.01
    with pytest.raises(UsageError, match=r"cannot write \.jp2; accepted are \.jpg"):
        colorizer.colorize_file(file, tmp_path / "out.jp2")


@pytest.mark.parametrize("gamma", [1.0, 0.55556, 0.45455])
@pytest.mark.parametrize("shades", [False, True])
def test_the_gamma_of_a_png(gamma, shades):
    from tests.pictures.test_picture import lightness_of

    named = round(gamma * 100_000).to_bytes(4)
    file = png((b"gAMA", named))
    if shades:
        with_colors = encoded("PNG", np.stack([GRAY] * 3, -1))
        chunk = b"\0\0\0\4gAMA" + named + zlib.crc32(b"gAMA" + named).to_bytes(4)
        file = with_colors[:33] + chunk + with_colors[33:]
    found = lightness(Picture.open(file).image()).numpy().reshape(GRAY.shape)
    expected = lightness_of((GRAY / 255) ** (1 / gamma))
    if gamma == 0.45455:  # stands for sRGB
        expected = color.rgb2lab(np.stack([GRAY] * 3, -1) / 255)[..., 0]
    np.testing.assert_allclose(found, expected, atol=0.02)
