"""The contract of picture formats: whatever is registered is tested, beside Pillow where it can."""

import contextlib
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures import finding
from colorizer.pictures.decode import decode_bytes
from colorizer.pictures.formats import (
    SUFFIXES,
    WRITABLE,
    becoming,
    format_of,
    result_suffix,
    writer,
)
from colorizer.pictures.formats.format import FORMATS, Format
from colorizer.pictures.formats.raw import Raw
from colorizer.pictures.origin import HEAD
from colorizer.pictures.picture import Picture
from colorizer.places.memory import estimate
from tests.model_folder import write_model_folder

GRAY = data.camera()[:240:5, :200:5]  # 48 x 40
COLOR = data.astronaut()[:240:5, :200:5]
READ = [format for format in FORMATS if not isinstance(format, Raw)]
WRITTEN = [format for format in FORMATS if format.is_written]
LOSSY = {"JPEG": 4, "HEIC": 6, "AVIF": 8, "WebP": 8, "GIF": 12}  # of 255, in the mean
names = pytest.mark.parametrize("format", READ, ids=lambda format: format.name)
written = pytest.mark.parametrize("format", WRITTEN, ids=lambda format: format.name)


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    return Colorizer(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"), threads=1)


def by_pillow(kind: str, **options) -> Callable[[np.ndarray], bytes]:
    def save(pixels: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind, **options)
        return buffer.getvalue()

    return save


def heic(pixels: np.ndarray) -> bytes:
    module = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    module.from_pillow(Image.fromarray(pixels)).save(buffer, quality=90)
    return buffer.getvalue()


def jxl(pixels: np.ndarray) -> bytes:
    pytest.importorskip("pillow_jxl")
    return by_pillow("JXL", lossless=True)(pixels)


SAMPLES = {  # how a file of each format is made without us
    "JPEG": by_pillow("JPEG", quality=95),
    "PNG": by_pillow("PNG"),
    "WebP": by_pillow("WEBP", quality=95),
    "TIFF": by_pillow("TIFF"),
    "JPEG 2000": by_pillow("JPEG2000"),
    "AVIF": by_pillow("AVIF", quality=95),
    "HEIC": heic,
    "JPEG XL": jxl,
    "GIF": by_pillow("GIF"),
    "BMP": by_pillow("BMP"),
    "PNM": by_pillow("PPM"),
}


@names
@pytest.mark.parametrize("pixels", [GRAY, COLOR], ids=["gray", "color"])
def test_a_file_is_known_and_read(format, pixels):
    file = SAMPLES[format.name](pixels)
    assert [known for known in FORMATS if known.accepts(file[:HEAD])] == [format]
    picture = Picture.open(file)
    assert (picture.width, picture.height, picture.format) == (40, 48, format)
    with picture.reading():
        image = picture.image()
        found = image.numpy().reshape(48, 40, -1)[..., : 1 if image.bands < 3 else 3]
    expected = np.broadcast_to(pixels.reshape(48, 40, -1), (48, 40, 3)).astype(int)
    assert np.abs(np.broadcast_to(found, expected.shape) - expected).mean() <= LOSSY.get(
        format.name, 0
    )
    assert decode_bytes(file, 24)[0].shape[:2] == (29, 24)
    assert finding.is_picture("a name that says nothing", file[:HEAD])


@names
def test_a_colored_file_keeps_its_lightness(colorizer, format):
    suffix = becoming(format)
    found, _ = colorizer.colorize_bytes(SAMPLES[format.name](GRAY), suffix)
    assert format_of(found[:HEAD]) is writer(suffix)
    again = Picture.open(found)
    L = again.lightness().numpy().reshape(48, 40)
    original = Picture.open(SAMPLES[format.name](GRAY)).lightness().numpy().reshape(48, 40)
    assert np.abs(L - original).mean() < (3 if writer(suffix).name in LOSSY else 0.3)


@names
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_truncated_file_is_a_sentence(colorizer, tmp_path, format, share):
    file = SAMPLES[format.name](COLOR)
    path = tmp_path / "cut.picture"
    path.write_bytes(file[: int(len(file) * share)])
    with pytest.raises(ColorizerError, match=r"cut\.picture") as raised:
        colorizer.colorize_file(path, tmp_path / "out.png")
    assert "\n" not in str(raised.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cut.picture"]


@names
def test_mutated_files_give_a_sentence_or_a_picture(colorizer, format):
    file = SAMPLES[format.name](COLOR)
    for number in range(25):
        rng = np.random.default_rng([7, number])
        found = bytearray(file)
        for _ in range(3):
            at = int(rng.integers(0, min(len(found), 400) if rng.random() < 0.7 else len(found)))
            found[at : at + 2] = rng.bytes(2)
        with contextlib.suppress(ColorizerError):  # nothing else may be raised
            Picture.open(bytes(found), 1_000_000).thumbnail(0, (32, 32))


@names
def test_a_limit_on_pixels_holds(format):
    with pytest.raises(ColorizerError, match=r"claims 40 x 48 pixels, over the limit of 1,000;"):
        Picture.open(SAMPLES[format.name](GRAY), max_pixels=1000)


@written
@pytest.mark.parametrize("kind", ["exif", "xmp", "resolution", "comments", "iptc", "alpha"])
def test_metadata_are_kept_or_told(colorizer, format, kind):
    if kind == "alpha":
        alpha = np.dstack([COLOR, np.full((48, 40), 200, np.uint8)])
        file, words = SAMPLES["PNG"](alpha), "transparency"
    else:
        exif = Image.Exif()
        exif[315] = "somebody"
        iptc = b"\x1c\x02\x50\0\x08somebody"
        block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc
        xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='%s'/></x:xmpmeta>"
        options: dict = {
            "exif": {"exif": exif},
            "xmp": {"xmp": xmp % b"http://www.w3.org/1999/02/22-rdf-syntax-ns#"},
            "resolution": {"dpi": (300, 300)},
            "comments": {"comment": b"somebody"},
            "iptc": {"extra": b"\xff\xed" + struct.pack(">H", len(block) + 2) + block},
        }
        words = {"comments": "comment", "iptc": "IPTC", "xmp": "XMP", "exif": "EXIF"}.get(
            kind, kind
        )
        file = by_pillow("JPEG", **options[kind])(GRAY)
    found, notes = colorizer.colorize_bytes(file, format.suffixes[0])
    told = any(words in note for note in notes)
    assert told or kind in format.holds
    if kind in ("exif", "comments", "iptc"):
        assert (b"somebody" in found) == (kind in format.holds)
    if kind == "xmp":
        assert (b"AISystemUsed" in found) == (kind in format.holds)
    if kind == "alpha" and not told:
        with Image.open(io.BytesIO(found)) as image:
            kept = np.asarray(image.convert("RGBA"))[..., 3].astype(int)
        assert np.abs(kept - 200).mean() < 10


def test_suffixes_lead_to_one_format():
    all_suffixes = [s for format in FORMATS for s in (*format.suffixes, *format.other_suffixes)]
    assert len(all_suffixes) == len(set(all_suffixes))
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in all_suffixes)
    assert set(all_suffixes) == SUFFIXES
    assert all(result_suffix("a" + suffix) in WRITABLE for suffix in SUFFIXES)
    assert result_suffix("a.xyz") == ""
    assert all(becoming(format) in WRITABLE for format in FORMATS)


@names
def test_memory_is_estimated(format: Format):
    """What does not stream takes bytes for each pixel, and a new format has to say so."""
    picture = Picture.open(SAMPLES[format.name](GRAY))
    streams = {"JPEG", "PNG", "TIFF"}
    assert (format.memory(picture.pages[0].frame) == 0) == (format.name in streams)
    assert estimate(picture, Path("out" + becoming(format)), 256, 1) > 30_000_000


def test_every_format_has_a_sample():
    assert {format.name for format in READ} == set(SAMPLES)
