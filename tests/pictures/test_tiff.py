"""Channels and pages of TIFF files that tifffile writes, beside what tifffile reads."""

import io

import numpy as np
import pytest
import tifffile
from skimage import color, data

from colorizer.errors import ColorizerError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures.lightness import lightness
from colorizer.pictures.picture import Picture
from tests.model_folder import write_model_folder

GRAY = data.camera()[:240:5, :200:5]  # 48 x 40
COLORS = {"minisblack": 1, "miniswhite": 1, "rgb": 3, "separated": 4}
DEPTHS = [np.uint8, np.uint16]


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    model = write_model_folder(tmp_path_factory.mktemp("models") / "tiny")
    return Colorizer(model, threads=1, vividness=0)


def channels(count: int, kind: type) -> list[np.ndarray]:
    """Different pictures, of all values; the last is nowhere 0."""
    highest = np.iinfo(kind).max
    made = []
    for i in range(count):
        plane = np.roll(GRAY, 7 * i, axis=i % 2) / 255 * (0.6 + 0.4 / (i + 1))
        made.append(np.rint((0.2 + 0.8 * plane if i else plane) * highest).astype(kind))
    return made


def written(planes: list[np.ndarray], planar: str, **options) -> bytes:
    """A TIFF; its extra samples are in `options`."""
    buffer = io.BytesIO()
    array = np.stack(planes, -1 if planar == "contig" else 0)
    if len(planes) == 1:
        array = planes[0]
    options |= {"planarconfig": planar if len(planes) > 1 else None}
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", DEPTHS)
@pytest.mark.parametrize("photometric", COLORS)
@pytest.mark.parametrize("extra", [(), (0,), (1,), (2,), (0, 0), (0, 2), (2, 0), (0, 1)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_channels_by_their_tags(kind, photometric, extra, planar):
    count = COLORS[photometric]
    planes = channels(count + len(extra), kind)
    alpha = next((i for i, value in enumerate(extra) if value), None)
    shown = [plane.astype(float) for plane in planes[:count]]
    highest = np.iinfo(kind).max
    if alpha is not None and extra[alpha] == 1:
        through = planes[count + alpha].astype(float)
        planes[:count] = [np.rint(p * through / highest).astype(kind) for p in shown]
        shown = [np.rint(p * (highest / through)) for p in planes[:count]]
    file = written(planes, planar, photometric=photometric, extrasamples=extra or None)
    assert tifffile.TiffFile(io.BytesIO(file)).pages[0].extrasamples == extra
    picture = Picture.open(file)
    found = picture.image()
    pixels = picture.image().numpy().reshape(*GRAY.shape, -1)
    if photometric == "miniswhite":
        shown = [highest - shown[0]]
    rounding = 1 if alpha is not None and extra[alpha] == 1 else 0
    for band, plane in enumerate(shown):
        np.testing.assert_allclose(pixels[..., band].astype(float), plane, rtol=0, atol=rounding)
    if alpha is None:
        assert found.bands == count
    else:
        assert found.hasalpha()
        np.testing.assert_array_equal(pixels[..., count], planes[count + alpha])
    if photometric != "separated":
        rgb = np.stack([pixels[..., min(i, count - 1)] for i in range(3)], -1) / highest
        L = lightness(found).numpy().reshape(GRAY.shape)
        np.testing.assert_allclose(L, color.rgb2lab(rgb)[..., 0], atol=2e-3)
    others = [planes[count + i] for i in range(len(extra)) if i != alpha]
    further = picture.further()
    assert (further is None) == (not others)
    if others:
        kept = further.numpy().reshape(*GRAY.shape, -1)
        np.testing.assert_array_equal(kept, np.stack(others, -1))


@pytest.mark.parametrize("kind", DEPTHS)
@pytest.mark.parametrize(
    ("photometric", "extra", "written_as"),
    [
        ("rgb", (0, 0), (0, 0)),
        ("minisblack", (0,), (0,)),
        ("rgb", (0, 1), (2, 0)),
        ("separated", (2, 0), (2, 0)),
    ],
)
def test_further_channels_are_kept_or_told(
    colorizer, tmp_path, kind, photometric, extra, written_as
):
    count = COLORS[photometric]
    planes = channels(count + len(extra), kind)
    file = written(planes, "contig", photometric=photometric, extrasamples=extra)
    others = [planes[count + i] for i, value in enumerate(extra) if value == 0]
    assert colorizer.colorize_file(file, tmp_path / "out.tif")[1:] == ()  # colors are told
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        page = tiff.pages[0]
        assert page.extrasamples == written_as
        assert page.dtype == kind
        for place, plane in enumerate(others):
            at = 3 + [i for i, value in enumerate(written_as) if value == 0][place]
            np.testing.assert_array_equal(page.asarray()[..., at], plane)
    for name in ("out.png", "out.jpg"):
        notes = colorizer.colorize_file(file, tmp_path / name)
        assert any("left out (spot colors, selections, infrared)" in note for note in notes)


def test_a_fourth_channel_is_no_transparency_in_a_jpeg(colorizer, tmp_path):
    planes = channels(4, np.uint16)
    file = written(planes, "contig", photometric="rgb", extrasamples=(0,))
    colorizer.colorize_file(file, tmp_path / "out.png")
    with_alpha = Picture.open(tmp_path / "out.png").image()
    assert with_alpha.bands == 3


def pages(*arrays: tuple[np.ndarray, dict]) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for array, options in arrays:
            writer.write(array, photometric="minisblack", contiguous=False, **options)
    return buffer.getvalue()


def test_the_picture_is_taken_not_its_preview(colorizer, tmp_path):
    small, large = GRAY[::4, ::4], GRAY
    in_sub = pages((small, {"subifds": 1, "subfiletype": 1}), (large, {"subfiletype": 0}))
    unmarked = pages((small, {"subifds": 1}), (large, {"subfiletype": 0}))
    second = pages((small, {"subfiletype": 1}), (large, {}))
    pyramid = pages((large, {"subifds": 1}), (small, {"subfiletype": 1}))
    flat = pages((large, {}), (small, {"subfiletype": 1}))
    only = pages((large, {"subfiletype": 1}))
    for file in (in_sub, unmarked, second, pyramid, flat, only):
        assert colorizer.colorize_file(file, tmp_path / "out.tif") == ()
        with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
            assert [page.shape for page in tiff.pages] == [(*large.shape, 3)]
            found = tiff.pages[0].asarray()
        np.testing.assert_allclose(found[..., 0].astype(int), large, atol=1)


@pytest.mark.parametrize("photometric", [32803, 34892])
def test_raw_photos_are_refused_with_what_to_do(photometric):
    file = bytearray(pages((GRAY[::4, ::4], {"subifds": 1, "subfiletype": 1}), (GRAY, {})))
    places = [i for i in range(len(file) - 12) if file[i : i + 4] == b"\x06\x01\x03\0"]
    file[places[-1] + 8 : places[-1] + 10] = photometric.to_bytes(2, "little")
    with pytest.raises(ColorizerError, match=r"is a raw photo.*darktable"):
        Picture.open(bytes(file))


def test_pages_that_differ_are_colored_each(colorizer, tmp_path):
    deep = GRAY.astype(np.uint16) * 257
    shades = np.stack([GRAY] * 3, -1)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for number, array in enumerate((GRAY, deep[::2], shades[:, ::3])):
            extra = [(315, 2, 0, f"artist {number}", True)]
            writer.write(array, contiguous=False, extratags=extra, description=f"page {number}")
    assert colorizer.colorize_file(buffer.getvalue(), tmp_path / "out.tif") == ()
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        for number, array in enumerate((GRAY, deep[::2], GRAY[:, ::3])):
            page = tiff.pages[number]
            assert page.dtype == array.dtype
            np.testing.assert_allclose(
                page.asarray()[..., 1].astype(int), array.astype(int), atol=1
            )
            assert page.tags[315].value == f"artist {number}"
            assert page.description == f"page {number}"
            assert b"DigitalSourceType" in bytes(page.tags[700].value)
        assert len(tiff.pages) == 3


@pytest.mark.parametrize("bits", [12])
def test_other_depths_are_refused(bits):
    file = written([GRAY.astype(np.float32)], "contig", photometric="minisblack")
    with pytest.raises(ColorizerError, match="accepted are gray, RGB and CMYK"):
        Picture.open(file)


def test_inks_that_are_not_cmyk_are_refused():
    planes = channels(4, np.uint8)
    inks = [(332, 3, 1, 2, True)]
    file = written(planes, "contig", photometric="separated", extratags=inks)
    with pytest.raises(ColorizerError, match="other inks than CMYK"):
        Picture.open(file)
