"""What is written: formats, depth, metadata; and what is left behind when that fails."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo
from skimage import data

from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures.metadata.exif import to_tags
from colorizer.pictures.metadata.photoshop import fitting, iptc_of, resource, with_iptc
from colorizer.pictures.metadata.tags import Tags
from colorizer.pictures.metadata.xmp import mark_xmp
from tests.inference.camera import CAMERA, lab, opened, saved
from tests.systems import needs_posix

FORMATS = ["jpg", "png", "webp", "tif", "avif", "gif", "bmp"]


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("destination", FORMATS)
def test_every_format_to_every_format(colorizer, tmp_path, source, destination):
    path = saved(tmp_path / f"in.{source}", CAMERA)
    out = tmp_path / f"out.{destination}"
    colorizer.colorize_file(path, out)
    with Image.open(out) as image:
        assert image.size == (200, 151)
        found = np.asarray(image.convert("RGB"))
    with Image.open(path) as image:
        original = np.asarray(image.convert("RGB"))
    loss = {"png": 0.1, "tif": 0.1, "bmp": 0.1}.get(destination, 3)
    assert np.abs(lab(found)[..., 0] - lab(original)[..., 0]).mean() < loss
    assert np.abs(lab(found)[..., 1:]).mean() > 8
    assert sorted(os.listdir(tmp_path)) == sorted({path.name, out.name})


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_sixteen_bits_stay(colorizer, tmp_path, extension):
    deep = CAMERA.astype(np.uint16) * 257 + 77
    path = saved(tmp_path / f"in.{extension}", deep)
    colorizer.colorize_file(path, tmp_path / f"out.{extension}")
    found = opened(tmp_path / f"out.{extension}")
    assert found.dtype == np.uint16
    assert np.abs(lab(found)[..., 0] - lab(np.stack([deep] * 3, -1))[..., 0]).max() < 0.01
    colorizer.colorize_file(path, tmp_path / "out.jpg")
    assert opened(tmp_path / "out.jpg").dtype == np.uint8


@pytest.mark.parametrize("extension", ["png", "tif", "webp", "avif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_stays(colorizer, tmp_path, extension, channels):
    alpha = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (151, 1))[..., None]
    array = np.concatenate([CAMERA[..., None]] * channels + [alpha], -1)
    lossless = {"webp": {"lossless": True, "exact": True}}.get(extension, {})
    path = saved(tmp_path / f"in.{extension}", array, **lossless)
    assert not colorizer.colorize_file(path, tmp_path / f"out.{extension}")
    found = opened(tmp_path / f"out.{extension}")
    np.testing.assert_allclose(
        found[..., 3].astype(int), alpha[..., 0], atol=12 if extension == "avif" else 0
    )
    notes = colorizer.colorize_file(path, tmp_path / "out.jpg")
    assert "JPEG holds no transparency" in notes[0]
    assert opened(tmp_path / "out.jpg")[:, 0].min() > 250  # white shows through


def test_sixteen_bit_alpha_becomes_eight(colorizer, tmp_path):
    deep = pyvips.Image.new_from_array(np.full((9, 9, 4), 32896, np.uint16))
    deep.copy(interpretation="rgb16").pngsave(str(tmp_path / "in.png"))
    colorizer.colorize_file(tmp_path / "in.png", tmp_path / "out.webp")
    assert (opened(tmp_path / "out.webp")[..., 3] == 128).all()


def test_all_pages_of_a_tiff(colorizer, tmp_path):
    pages = [CAMERA, CAMERA[::-1], 255 - CAMERA]
    first, *more = map(Image.fromarray, pages)
    first.save(tmp_path / "in.tif", save_all=True, append_images=more)
    assert colorizer.colorize_file(tmp_path / "in.tif", tmp_path / "out.tif") == ()
    with Image.open(tmp_path / "out.tif") as image:
        assert image.n_frames == 3
        for number, page in enumerate(pages):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image), colorizer.colorize(page))
    notes = colorizer.colorize_file(tmp_path / "in.tif", tmp_path / "out.png")
    assert "has 3 pages; only the first" in notes[0]


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="kept"/></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("source", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("destination", ["jpg", "png", "webp", "tif", "avif"])
def test_metadata_stay_and_the_mark_is_added(colorizer, tmp_path, source, destination):
    exif = Image.Exif()
    exif[0x013B], exif[0x0112] = "An Artist", 1 if source == "avif" else 6
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 300.0, 2
    exif.get_ifd(0x8769)[0x9003] = "1999:12:31 23:59:59"
    exif.get_ifd(0x8825)[0x0001] = "N"
    block = exif.tobytes()
    exif = Image.Exif()
    exif.load(block)  # else Pillow leaves out the inner tags from a TIFF
    options = {"xmp": XMP}
    if source == "tif":
        exif[700], options = XMP, {}
    if source == "png":
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    path = saved(tmp_path / f"in.{source}", CAMERA, exif=exif, dpi=(300, 300), **options)
    out = tmp_path / f"out.{destination}"
    colorizer.colorize_file(path, out)
    with Image.open(out) as image:
        found = image.getexif()
        assert found[0x013B] == "An Artist"
        assert found.get(0x0112, 1) == 1
        assert found.get_ifd(0x8769)[0x9003] == "1999:12:31 23:59:59"
        assert found.get_ifd(0x8825)[0x0001] == "N"
        assert float(found[0x011A]) == pytest.approx(300, abs=0.1)
        assert image.size == ((200, 151) if source == "avif" else (151, 200))  # upright
    packet = pyvips.Image.new_from_file(str(out)).get("xmp-data").decode()
    assert "digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in packet
    assert "Colorizer, model tiny_ab, size 64, vividness 1" in packet
    assert f"weights sha256 {colorizer.weights_sha256}" in packet
    assert 'dc:format="kept"' in packet


@pytest.mark.parametrize("source", ["jpg", "tif"])
@pytest.mark.parametrize("destination", ["jpg", "png", "tif"])
def test_names_beyond_ascii_stay(colorizer, tmp_path, source, destination):
    exif = Image.Exif()
    exif[0x013B] = "Nadar __st"
    exif.get_ifd(0x8769)[0xA430] = "Zo__"
    block = exif.tobytes().replace(b"__", "Ö".encode())  # as exiftool writes it, in UTF-8
    path = saved(tmp_path / f"in.{source}", CAMERA, **({"exif": block} if source == "jpg" else {}))
    if source == "tif":
        with path.open("r+b") as file:
            Tags(file).change(4, to_tags(block))
        assert b"Nadar \xc3\x96st\0" in path.read_bytes()
    out = tmp_path / f"out.{destination}"
    colorizer.colorize_file(path, out)
    with Image.open(out) as image:
        found = image.getexif()
        assert found[0x013B].encode("latin-1") == b"Nadar \xc3\x96st"  # Pillow decodes as Latin-1
        assert found.get_ifd(0x8769)[0xA430].encode("latin-1") == b"Zo\xc3\x96"


def test_the_profile_becomes_srgb(colorizer, tmp_path):
    from tests.pictures.test_picture import ADOBE, gamma_curve, rgb_icc

    profile = rgb_icc(ADOBE, gamma_curve(2.2))
    path = saved(tmp_path / "in.png", data.astronaut()[::4, ::4], icc_profile=profile)
    colorizer.colorize_file(path, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["icc_profile"] == pyvips.Operation.call("profile_load", "srgb")
    own = bytearray(pyvips.Operation.call("profile_load", "srgb"))
    own[24:26] = b"\x07\xd0"  # made in the year 2000
    path = saved(tmp_path / "srgb.png", data.astronaut()[::4, ::4], icc_profile=bytes(own))
    colorizer.colorize_file(path, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["icc_profile"] == own  # sRGB already


IPTC = b"\x1c\x02\0\0\x02\0\x02\x1c\x02\x50\0\x02Me"


BLOCK = b"Photoshop 3.0\x008BIM\x04\x25\0\0\0\0\0\x01x\x008BIM\x04\x04\0\0\0\0\0\x0e" + IPTC


@pytest.mark.parametrize("source", ["jpg", "tif"])
@pytest.mark.parametrize("destination", ["jpg", "tif", "png"])
def test_iptc_stays(colorizer, tmp_path, source, destination):
    image = pyvips.Image.new_from_array(CAMERA).copy(interpretation="b-w")
    if source == "jpg":
        image.set_type(pyvips.GValue.blob_type, "iptc-data", BLOCK)
        image.jpegsave(str(tmp_path / "in.jpg"))
    else:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[33723], tags.tagtype[33723] = IPTC, 7
        Image.fromarray(CAMERA).save(tmp_path / "in.tif", tiffinfo=tags)
    out = tmp_path / f"out.{destination}"
    notes = colorizer.colorize_file(tmp_path / f"in.{source}", out)
    if destination == "png":
        assert "only JPEG and TIFF hold IPTC data" in notes[0]
        return
    assert notes == ()
    found = bytes(pyvips.Image.new_from_file(str(out)).get("iptc-data"))
    assert iptc_of(found.removeprefix(b"Photoshop 3.0\0")) == IPTC or found == IPTC
    assert found.startswith(b"Photoshop") == (destination == "jpg")
    if source == destination == "jpg":
        assert found == BLOCK
    if destination == "tif":
        with Image.open(out) as tiff:
            assert tiff.tag_v2[33723] == IPTC


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_block_of_photoshop_is_read(noise, at):
    block = BLOCK.removeprefix(b"Photoshop 3.0\0")
    assert iptc_of(resource(0x0404, noise)) == noise
    assert fitting(block) == block
    for damaged in (block[:at] + noise, block[:at], noise):
        assert len(fitting(damaged)) <= len(damaged) + 1  # made even
        assert iptc_of(with_iptc(fitting(damaged), IPTC))


def test_a_damaged_profile_is_replaced(colorizer, tmp_path):
    profile = bytearray(pyvips.Operation.call("profile_load", "srgb"))
    profile[0] ^= 255  # its size
    path = saved(tmp_path / "in.webp", data.astronaut()[::4, ::4], icc_profile=bytes(profile))
    colorizer.colorize_file(path, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["icc_profile"] == pyvips.Operation.call("profile_load", "srgb")


def test_pages_say_nothing_that_the_original_did_not(colorizer, tmp_path):
    first, second = Image.fromarray(CAMERA), Image.fromarray(CAMERA[::-1])
    first.save(tmp_path / "in.tif", save_all=True, append_images=[second])
    colorizer.colorize_file(tmp_path / "in.tif", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as image:
        assert not image.getexif().get_ifd(0x8769)
    assert sorted(os.listdir(tmp_path)) == ["in.tif", "out.tif"]


def test_an_existing_mark_is_replaced_and_a_damaged_packet_too():
    once, lost = mark_xmp(b"", "A", "1")
    assert not lost
    twice = mark_xmp(once, "B", "2")[0]
    assert twice.count(b"DigitalSourceType>") == once.count(b"DigitalSourceType>") == 2
    assert b">B<" in twice
    assert b">A<" not in twice
    assert mark_xmp(b"<broken", "A", "1") == (once, True)
    turned = once.replace(
        b"<rdf:Description ",
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" ',
    )
    assert b"Orientation" not in mark_xmp(turned, "A", "1")[0]


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.heic", "out.svg"])
def test_what_cannot_be_written_is_said_first(colorizer, tmp_path, name):
    with pytest.raises(UsageError, match=r"cannot write .*; accepted are \.jpg"):
        colorizer.colorize_file(tmp_path / "missing.jpg", tmp_path / name)


def test_no_place_for_the_output(colorizer, tmp_path):
    with pytest.raises(ColorizerError, match="there is no folder"):
        colorizer.colorize_file(CAMERA, tmp_path / "missing" / "out.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="is no file"):
        colorizer.colorize_file(CAMERA, tmp_path / "folder.png")


@pytest.mark.parametrize("letter", ["a", "ä", "写"])
def test_names_of_any_letters_up_to_the_most_that_fit(colorizer, tmp_path, letter):
    most = (255 - 4) // len(letter.encode())
    name = letter * most + ".png"
    colorizer.colorize_file(CAMERA, tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(UsageError, match=r"its name has 25[6-9] bytes"):
        colorizer.colorize_file(CAMERA, tmp_path / f"a{letter * most}bbb.png")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_at_the_output(colorizer, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ColorizerError, match="no permission to write"):
        colorizer.colorize_file(CAMERA, tmp_path / "out.png")


@needs_posix("resource limits")
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif", "avif", "bmp", "gif"])
def test_no_space_leaves_nothing_behind(folder, tmp_path, extension):
    resource = pytest.importorskip("resource")
    saved(tmp_path / "in.png", np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8))
    script = (
        "import resource, sys; from colorizer.inference.colorizer import Colorizer\n"
        "from colorizer.errors import ColorizerError\n"
        f"c = Colorizer({str(folder)!r}, threads=1)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        f"try: c.colorize_file('in.png', 'out.{extension}')\n"
        "except ColorizerError as error: print(error)\n"
    )
    assert resource
    root = str(Path(__file__).resolve().parents[2])
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"out.{extension} cannot be written" in run.stdout
    assert "too large" in run.stdout.lower()
    assert run.stderr == ""
    assert os.listdir(tmp_path) == ["in.png"]


def test_a_damaged_source_leaves_nothing_behind(colorizer, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(CAMERA).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:3000])
    (tmp_path / "out.jpg").write_bytes(b"precious")
    with pytest.raises(ColorizerError, match=r"cut\.jpg cannot be read"):
        colorizer.colorize_file(tmp_path / "cut.jpg", tmp_path / "out.jpg")
    assert (tmp_path / "out.jpg").read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["cut.jpg", "out.jpg"]


@needs_posix("modes of files")
def test_a_file_may_become_itself_and_links_are_followed(colorizer, tmp_path):
    path = saved(tmp_path / "in[1],x=2] ä.png", CAMERA)
    expected = colorizer.colorize(path)
    path.chmod(0o640)
    (tmp_path / "link.png").symlink_to(path)
    colorizer.colorize_file(path, tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(opened_by_pillow(path), expected)


def opened_by_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)
