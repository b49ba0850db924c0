"""Bytes in, bytes out: exactly what the file would be."""

import numpy as np
import pytest
import pyvips
from PIL import Image, TiffImagePlugin
from skimage import data

from colorizer import colorize_bytes
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from tests.model_folder import write_model_folder

CAMERA = data.camera()[:301:4, :400:4]  # 76 x 100
FORMATS = ["jpg", "png", "webp", "tif", "avif", "gif", "bmp", "jp2"]


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    return Colorizer(write_model_folder(tmp_path_factory.mktemp("models") / "tiny"), threads=1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Files of every depth, with and without alpha, metadata and pages."""
    folder = tmp_path_factory.mktemp("sources")
    exif = Image.Exif()
    exif[0x013B], exif[0x0112] = "An Artist", 6
    rotated = Image.fromarray(CAMERA)
    rotated.save(folder / "exif.jpg", exif=exif, dpi=(300, 300), comment=b"kept?")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x013B], tags[0x83BB] = "An Artist", b"\x1c\x02\x50\x00\x05Nadar"
    rotated.save(folder / "tags.tif", tiffinfo=tags)
    deep = pyvips.Image.new_from_array(CAMERA.astype(np.uint16) * 257)
    deep.copy(interpretation="grey16").pngsave(str(folder / "deep.png"))
    alpha = np.stack([CAMERA, CAMERA[::-1]], -1)
    Image.fromarray(alpha, "LA").save(folder / "alpha.png")
    pages = [Image.fromarray(np.roll(CAMERA, 40 * i)) for i in range(3)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    for suffix in FORMATS:
        rotated.save(folder / f"plain.{suffix}")
    return folder


@pytest.mark.parametrize("destination", FORMATS[:-1])
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_bytes_are_those_of_the_file(colorizer, sources, tmp_path, destination):
    out = tmp_path / f"picture.{destination}"  # the name that notes give what has no file
    for source in sorted(sources.iterdir()):
        told = colorizer.colorize_file(source.read_bytes(), out)
        found, notes = colorizer.colorize_bytes(source.read_bytes(), f".{destination}")
        assert found == out.read_bytes(), source.name
        assert notes == told, source.name
        colorizer.colorize_file(source, out)  # which libvips streams from the disk
        assert found == out.read_bytes(), source.name


def test_by_function(colorizer, sources):
    encoded = (sources / "deep.png").read_bytes()
    folder = colorizer._network.folder
    again, _ = colorize_bytes(encoded, "PNG", folder, threads=1)
    assert again == colorizer.colorize_bytes(encoded, ".png")[0]


def test_nothing_is_left_beside(colorizer, sources, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    colorizer.colorize_bytes((sources / "pages.tif").read_bytes(), ".tif")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_colored(colorizer, sources):
    whole = (sources / "plain.png").read_bytes()
    with pytest.raises(UsageError, match=r"cannot write \.xyz; accepted are \.jpg"):
        colorizer.colorize_bytes(whole, ".xyz")
    with pytest.raises(UsageError, match="cannot write a file without extension"):
        colorizer.colorize_bytes(whole, "")
    with pytest.raises(ColorizerError, match="the picture cannot be read"):
        colorizer.colorize_bytes(whole[: len(whole) // 2], ".png")
    with pytest.raises(ColorizerError, match=r"the picture is empty \(0 bytes\)"):
        colorizer.colorize_bytes(b"", ".png")
