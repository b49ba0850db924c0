"""Files that the site's scripts read and write, against Pillow, libvips and our Python side."""

import io
import struct
import zipfile

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageOps
from skimage import data

from colorizer.color import gamut
from colorizer.inference.priors import palette_prior
from colorizer.pictures.metadata import exif
from tests.site import photos
from tests.site.node import HERE, call, needs_node

pytestmark = needs_node
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(41, 50), (8, 8), (203, 301), (1, 1)])
def test_a_jpeg_of_rows_is_that_of_libvips_byte_for_byte(size):
    height, width = size
    smooth = np.add.outer(np.arange(height), np.arange(width))[..., None] * [1, 2, 3] % 256
    for values in (RNG.integers(0, 256, (height, width, 3)), smooth):
        rgb = values.astype(np.uint8)
        four = np.concatenate([rgb, rgb[..., :1]], -1)
        found = call("writing.mjs", "jpeg", four, width, height, folder=HERE).tobytes()
        image = pyvips.Image.new_from_array(rgb).copy(interpretation="srgb")
        expected = image.jpegsave_buffer(Q=95, keep="none")
        assert found[found.index(b"\xff\xdb") :] == expected[expected.index(b"\xff\xdb") :]


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_of_rows_holds_the_pixels(channels):
    rgba = RNG.integers(0, 256, (37, 53, 4)).astype(np.uint8)
    found = call("writing.mjs", "png", rgba, 53, 37, channels == 4, folder=HERE)
    with Image.open(io.BytesIO(found.tobytes())) as image:
        image.load()
        assert image.mode == ("RGB" if channels == 3 else "RGBA")
        assert np.array_equal(np.asarray(image), rgba[..., :channels])


def clear_pngs():
    """PNGs with transparency of all kinds that there are."""
    rgb = data.coffee()[:61, :90]
    picture = Image.fromarray(rgb)
    alpha = Image.fromarray(RNG.integers(0, 256, (61, 90)).astype(np.uint8))
    both = picture.copy()
    both.putalpha(alpha)
    few = picture.quantize(13)
    gray = picture.convert("L")
    gray_alpha = Image.merge("LA", (gray, alpha))
    return {
        "RGBA": photos.png_of(both),
        "LA": photos.png_of(gray_alpha),
        "P, 4 bits": photos.png_of(few, transparency=bytes([0, 100, 255, 7]), bits=4),
        "P": photos.png_of(picture.quantize(200), transparency=3),
        "RGB, one clear": photos.png_of(picture, transparency=tuple(map(int, rgb[3, 4]))),
        "L, one clear": photos.png_of(gray, transparency=int(np.asarray(gray)[3, 4])),
        "1 bit": photos.png_of(gray.convert("1"), transparency=1),
    }


@pytest.mark.parametrize("kind", list(clear_pngs()))
def test_a_png_with_transparency_is_read_exactly(kind):
    content = clear_pngs()[kind]
    found = call("writing.mjs", "pngPixels", content, folder=HERE)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    assert found["isOurs"]
    apart = found["data"].reshape(expected.shape) != expected
    assert not apart.any()


def test_a_zip_has_each_file_once():
    files = [
        ["a.png", b"one" * 100],
        ["A.PNG", b"two"],
        ["a.png", b""],
        ["Grüße.jpg", bytes(range(256))],
    ]
    found = call("writing.mjs", "archive", files, folder=HERE)
    with zipfile.ZipFile(io.BytesIO(found.tobytes())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.png", "A-2.PNG", "a-3.png", "Grüße.jpg"]
        assert [archive.read(name) for name in archive.namelist()] == [one for _, one in files]


def exif_blocks():
    """As cameras write them, in both orders of bytes."""
    block = photos.turned_scan(64, 48).split(b"Exif\0\0", 1)[1]
    with Image.open(io.BytesIO(photos.turned_scan(64, 48))) as image:
        block = image.info["exif"].removeprefix(b"Exif\0\0")
    big = Image.Exif()
    big.endian = ">"
    big[0x0112], big[0x0100], big[0x010F] = 8, 64, "Big"
    big[0x0131] = "A program"
    big.get_ifd(0x8769).update({0xA001: 2, 0xA002: 64, 0xA003: 48, 0xA500: 2.2})
    return {"little": block, "big": big.tobytes().removeprefix(b"Exif\0\0")}


@pytest.mark.parametrize("order", ["little", "big"])
def test_exif_as_python_tidies_it(order):
    block = exif_blocks()[order]
    assert call("exif.js", "orientation", block) == exif.orientation(block)
    found = call("exif.js", "tidied", block, 48, 64).tobytes()
    told = exif.resolution_of(exif.to_tags(block))
    expected = exif.tidied(block, 48, 64, told[::-1] if told else None)
    ours, theirs = Image.Exif(), Image.Exif()
    ours.load(b"Exif\0\0" + found)
    theirs.load(b"Exif\0\0" + expected)
    for ifd in (0x8769, 0x8825):
        assert ours.get_ifd(ifd) == theirs.get_ifd(ifd)
    drop = {0x8769, 0x8825}
    assert {k: v for k, v in ours.items() if k not in drop} == {
        k: v for k, v in theirs.items() if k not in drop
    }
    assert ours[0x0112] == 1


def with_thumbnail() -> bytes:
    """A block whose second directory points to a JPEG in it."""
    small = photos.jpeg_of(Image.new("L", (8, 8), 99))
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 26)
    entries = struct.pack("<HHIIHHII", 0x0201, 4, 1, 56, 0x0202, 4, 1, len(small))
    second = struct.pack("<H", 2) + entries + struct.pack("<I", 0)
    return b"II*\0\x08\0\0\0" + first + second + small


def test_a_thumbnail_of_the_old_pixels_goes():
    block = with_thumbnail()
    assert b"\xff\xd8\xff" in block
    found = call("exif.js", "tidied", block, 8, 8).tobytes()
    assert b"\xff\xd8\xff" not in found
    assert exif.to_tags(found).keys() == {0x0112}
    assert exif.orientation(found) == 1


def test_a_jpeg_that_is_cut_off_is_so_though_its_thumbnail_is_whole():
    content = photos.jpeg_of(Image.fromarray(data.camera()), exif=b"Exif\0\0" + with_thumbnail())
    for size, is_whole in ((len(content), True), (len(content) - 2000, False)):
        told = call("writing.mjs", "jpegTold", content[:size], folder=HERE)
        assert told == {"isWhole": is_whole, "orientation": 6, "width": 512, "height": 512}


@pytest.mark.parametrize("block", [b"", b"II*\0", b"MM\0*\0\0\0\xff", b"II*\0\x08\0\0\0\xff\xff"])
def test_damaged_exif_turns_nothing(block):
    assert call("exif.js", "orientation", block) == 1


def test_a_palette_as_python_reads_it():
    photo = data.chelsea()
    typical = gamut.smooth_prior(RNG.random(len(gamut.bins())))
    expected = palette_prior(photo, typical, 10**8)
    four = np.concatenate([photo, photo[..., :1]], -1)
    height, width = photo.shape[:2]
    bins = gamut.bins().tolist()
    found = call("writing.mjs", "palette", four, width, height, bins, typical, folder=HERE)
    assert np.abs(found / expected - 1).max() < 0.01


@pytest.mark.parametrize("shrink", [2, 4, 8])
@pytest.mark.parametrize("kind", ["gray", "print", "color"])
def test_a_smaller_jpeg_is_that_of_libjpeg(kind, shrink):
    picture = Image.fromarray(data.astronaut()[:250, :331])
    if kind == "gray":
        picture = picture.convert("L")
    elif kind == "print":
        picture = picture.convert("L").convert("RGB")
    content = photos.jpeg_of(picture, quality=85)
    images = [pyvips.Image.jpegload_buffer(content, shrink=n) for n in (1, shrink)]
    whole, small = (i.numpy().reshape(i.height, i.width, i.bands).astype(np.uint8) for i in images)
    four = np.concatenate([np.broadcast_to(whole, (250, 331, 3)), whole[..., :1]], -1)
    found = call("writing.mjs", "smallJpeg", content, four, 331, 250, shrink, folder=HERE)
    found = found.reshape(*small.shape[:2], 4)[..., :3].astype(int)
    inner = np.s_[: 250 // 8 * 8 // shrink, : 331 // 8 * 8 // shrink]
    apart = np.abs(found - small)[inner]
    if kind == "color":
        assert apart.mean() < 2
    else:
        # but where white or black cut a block off, so that it is not as the file holds it
        assert np.mean(apart == 0) > 0.98
        assert apart.max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(orientation):
    exif_data = Image.Exif()
    exif_data[0x0112] = orientation
    picture = Image.fromarray(RNG.integers(0, 256, (30, 47, 3)).astype(np.uint8))
    content = photos.png_of(picture, exif=exif_data)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    rgba = np.asarray(picture.convert("RGBA"))
    box = [3, 5, 20, 17]
    found = call("writing.mjs", "part", content, rgba, 47, 30, box, folder=HERE)
    expected = upright[5:22, 3:23]
    assert np.array_equal(found.reshape(17, 20, 4)[..., :3], expected)
