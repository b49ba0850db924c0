"""Reading pictures: sizes, depth, profiles and damage, beside Pillow, LittleCMS and formulas."""

import io
import struct

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from skimage import color, data

from colorizer.errors import ColorizerError, UsageError
from colorizer.pictures.formats import identified
from colorizer.pictures.formats.format import How
from colorizer.pictures.lightness import is_srgb, lightness
from colorizer.pictures.metadata.icc import SRGB, read_profile
from colorizer.pictures.picture import Picture
from tests.systems import needs_posix

D50 = (0.9642, 1.0, 0.8249)
ADOBE = np.array(  # Adobe RGB (1998), colorants adapted to D50
    [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]]
)


def fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)


def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A version 2 display profile, written by the specification."""
    tags = {b"desc": b"desc\0\0\0\0\0\0\0\2x\0" + b"\0" * 78, b"cprt": b"text\0\0\0\0x\0"} | tags
    tags |= {b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}
    start, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        padded = value + b"\0" * (-len(value) % 4)
        table += name + struct.pack(">II", start + len(body), len(value))
        body += padded
    head = struct.pack(">4sI4s4s4s12x4s28x", b"none", 0x02400000, b"mntr", space, b"XYZ ", b"acsp")
    head += fixed(*D50) + b"\0" * 48
    return struct.pack(">I", 4 + len(head + table + body)) + head + table + body


def gray_icc(gamma: float) -> bytes:
    return icc(b"GRAY", {b"kTRC": gamma_curve(gamma)})


def rgb_icc(colorants: np.ndarray, curve: bytes) -> bytes:
    tags = {}
    for channel, colorant in zip((b"r", b"g", b"b"), colorants, strict=True):
        tags[channel + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*colorant)
        tags[channel + b"TRC"] = curve
    return icc(b"RGB ", tags)


def tagged(array: np.ndarray, profile: bytes | None = None) -> pyvips.Image:
    image = pyvips.Image.new_from_array(array)
    kinds = ("b-w", "srgb") if array.dtype == np.uint8 else ("grey16", "rgb16")
    image = image.copy(interpretation=kinds[array.ndim == 3])
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def lightness_of(Y: np.ndarray) -> np.ndarray:
    return np.where(Y > 0.008856, 116 * np.cbrt(Y) - 16, 903.292 * Y)


def found_lightness(array: np.ndarray, profile: bytes | None = None) -> np.ndarray:
    return lightness(tagged(array, profile)).numpy().reshape(array.shape[:2])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_lightness_is_that_of_scikit_image(kind, channels):
    rng = np.random.default_rng(0)
    array = rng.integers(0, np.iinfo(kind).max, (50, 40, *channels), kind, endpoint=True)
    array[:2] = [[[0]], [[np.iinfo(kind).max]]] if channels else [[0], [np.iinfo(kind).max]]
    rgb = array if channels else np.stack([array] * 3, -1)
    expected = color.rgb2lab(rgb / np.float64(np.iinfo(kind).max))[..., 0]
    np.testing.assert_allclose(found_lightness(array), expected, atol=2e-3)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_gray_profiles(gamma, kind):
    codes = np.linspace(0, np.iinfo(kind).max, 256).astype(kind)[None]
    expected = lightness_of((codes / np.iinfo(kind).max) ** (round(gamma * 256) / 256))
    np.testing.assert_allclose(found_lightness(codes, gray_icc(gamma)), expected, atol=1e-3)


def test_a_gray_profile_of_lightness():
    """Its space of connection is Lab: the curve then gives L*, as LittleCMS has it."""
    profile = gray_icc(1.0)
    profile = profile[:20] + b"Lab " + profile[24:]
    codes = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_allclose(found_lightness(codes, profile)[0], codes[0] / 2.55, atol=2e-3)
    srgb = ImageCms.createProfile("sRGB")
    image = Image.fromarray(codes)
    gray = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    theirs = np.asarray(ImageCms.profileToProfile(image, gray, srgb, outputMode="RGB"))
    assert np.abs(found_lightness(codes, profile) - color.rgb2lab(theirs)[..., 0]).max() < 0.4


def test_adobe_rgb_agrees_with_littlecms():
    pixels = data.astronaut()[::4, ::4]
    profile = rgb_icc(ADOBE, gamma_curve(2.19921875))
    srgb = ImageCms.createProfile("sRGB")
    converted = np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(pixels), ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb
        )
    )
    inside = ((converted > 0) & (converted < 255)).all(-1)  # LittleCMS clips the others
    error = np.abs(found_lightness(pixels, profile) - color.rgb2lab(converted)[..., 0])
    assert error[inside].max() < 0.4  # its rounding to 8 bits
    sixteen = pixels.astype(np.uint16) * 257
    np.testing.assert_allclose(
        found_lightness(sixteen, profile), found_lightness(pixels, profile), atol=1e-3
    )


def test_linear_profile_at_sixteen_bits():
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 40, 3), np.uint16)
    srgb_colorants = np.array(
        [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.7141]]
    )
    found = found_lightness(pixels, rgb_icc(srgb_colorants, gamma_curve(1)))
    expected = lightness_of(pixels / 65535 @ [0.212671, 0.715160, 0.072169])
    np.testing.assert_allclose(found, expected, atol=0.01)


PARAMETRIC = {
    0: ((2.0,), lambda x: x**2),
    1: ((2.0, 1.0, -0.1), lambda x: np.maximum(x - 0.1, 0) ** 2),
    2: ((2.0, 0.9, 0.0, 0.1), lambda x: 0.81 * x**2 + 0.1),
    3: ((2.0, 0.9, 0.1, 0.1, 0.2), lambda x: np.where(x < 0.2, 0.1 * x, (0.9 * x + 0.1) ** 2)),
    4: (
        (2.0, 0.8, 0.1, 0.1, 0.2, 0.05, 0.01),
        lambda x: np.where(x < 0.2, 0.1 * x + 0.01, (0.8 * x + 0.1) ** 2 + 0.05),
    ),
}


@pytest.mark.parametrize("kind", PARAMETRIC)
def test_parametric_curves(kind):
    numbers, formula = PARAMETRIC[kind]
    curve = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + fixed(*numbers)
    found = read_profile(icc(b"GRAY", {b"kTRC": curve})).tables(255)[0]
    np.testing.assert_allclose(found, formula(np.linspace(0, 1, 256)).clip(0, 1), atol=1e-4)


def test_table_curves():
    curve = b"curv\0\0\0\0" + struct.pack(">I3H", 3, 0, 10000, 65535)
    found = read_profile(icc(b"GRAY", {b"kTRC": curve})).tables(4)[0]
    np.testing.assert_allclose(found, [0, 5000 / 65535, 10000 / 65535, 0.5763, 1], atol=1e-4)


def test_srgb_is_recognized_by_what_it_does():
    pixels = np.zeros((2, 2, 3), np.uint8)
    for profile in (
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        pyvips.Operation.call("profile_load", "srgb"),
    ):
        assert is_srgb(tagged(pixels, profile))
        np.testing.assert_allclose(
            read_profile(bytes(profile)).tables(255)[0], SRGB.tables(255)[0], atol=1e-3
        )
    assert is_srgb(tagged(pixels))
    assert not is_srgb(tagged(pixels, rgb_icc(ADOBE, gamma_curve(2.2))))


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_any_profile_gives_a_lightness(noise, at, repeat):
    profile = bytearray(rgb_icc(ADOBE, gamma_curve(2.2)))
    profile[at : at + len(noise)] = noise * repeat
    read_profile(bytes(profile))  # raises nothing
    read_profile(noise)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


GRAY = Image.fromarray(data.camera()[:301:2, :400:2])  # 200 x 151


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(orientation, kind):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(kind, {})
    file = saved(GRAY, kind, exif=exif, **options)
    from PIL import ImageOps

    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("L"))
    picture = Picture.open(file)
    assert (picture.height, picture.width) == upright.shape
    decoded = picture.image()
    assert decoded.get_typeof("orientation") == 0 or decoded.get("orientation") == 1
    found = decoded[0].numpy().reshape(upright.shape)
    np.testing.assert_allclose(found.astype(int), upright, atol=1)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *((mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        *((mode, "BMP") for mode in ("1", "L", "P", "RGB")),
        *((mode, "TIFF") for mode in ("1", "RGB")),
        *((mode, "GIF") for mode in ("P", "L")),
    ],
)
def test_every_mode_has_the_lightness_that_pillow_sees(mode, kind):
    image = Image.fromarray(data.astronaut()[::4, ::4]).convert(mode)
    expected = color.rgb2lab(np.asarray(image.convert("RGB")))[..., 0]
    file = saved(image, kind)
    found = lightness(Picture.open(file).image()).numpy().reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_converted(kind):
    patches = np.array([[0, 0, 0, 0], [0, 0, 0, 255], [0, 0, 255, 0], [0, 0, 0, 128]], np.uint8)
    image = Image.fromarray(patches[:, None].repeat(16, 0).repeat(16, 1), "CMYK")
    found = lightness(Picture.open(saved(image, kind)).image()).numpy().reshape(64, -1)
    paper, ink, yellow, gray = (found[row].mean() for row in (8, 24, 40, 56))
    assert paper > 95
    assert ink < 25
    assert 80 < yellow < paper
    assert 40 < gray < 75


def test_avif_of_ten_bits_reaches_white():
    image = tagged(np.full((32, 32, 3), 65535, np.uint16))
    file = image.heifsave_buffer(compression="av1", bitdepth=10, Q=100)
    picture = Picture.open(file)
    assert picture.bits == 16
    assert lightness(picture.image()).avg() == pytest.approx(100, abs=0.05)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 64), st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_thumbnail_has_the_size_asked_for(width, height, to_width, to_height):
    array = np.full((height, width), 119, np.uint8)
    small, has_color = Picture.open(array).thumbnail(0, (to_width, to_height))
    assert small.shape == (to_height, to_width)
    np.testing.assert_allclose(small, 50.03, atol=0.01)
    assert not has_color


def test_thumbnail_is_the_same_from_every_format_and_size():
    large = Image.fromarray(data.camera()).resize((1600, 1600), Image.Resampling.BICUBIC)
    small = large.resize((400, 400), Image.Resampling.BOX)
    sources = [saved(large, "PNG"), saved(large, "JPEG", quality=98), saved(small, "PNG")]
    sources.append(saved(large, "WEBP", lossless=True))
    seen = [Picture.open(file).thumbnail(0, (64, 64))[0] for file in sources]
    for other in seen[1:]:
        assert np.abs(other - seen[0]).mean() < 0.5


def test_color_is_noticed():
    astronaut = data.astronaut()
    gray = np.stack([data.camera()] * 3, -1)
    for array, truth in ((astronaut, True), (gray, False), (astronaut[..., 0], False)):
        assert Picture.open(array).thumbnail(0, (32, 32))[1] == truth


def test_pages():
    more = GRAY.transpose(Image.Transpose.ROTATE_180)
    alike = saved(GRAY, "TIFF", save_all=True, append_images=[more, GRAY])
    assert len(Picture.open(alike).pages) == 3
    unlike = Picture.open(saved(GRAY, "TIFF", save_all=True, append_images=[GRAY.resize((9, 8))]))
    assert [(page.width, page.height) for page in unlike.pages] == [(200, 151), (9, 8)]
    assert unlike.notes == ()
    movie = Picture.open(saved(GRAY, "GIF", save_all=True, append_images=[more]))
    assert len(movie.pages) == 1
    assert "2 pages or frames; only the first" in movie.notes[0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_the_header_of_a_bmp_says_what_its_pixels_are(mode):
    file = saved(Image.fromarray(data.astronaut()[::4, ::3]).convert(mode), "BMP")
    bmp = identified(file)
    says, whole = (bmp.open(file, "", How(header=header)) for header in (True, False))
    for name in ("width", "height", "bands", "format", "interpretation", "xres"):
        assert getattr(says, name) == getattr(whole, name)


def test_a_file_that_changed_is_read_again(tmp_path):
    path = tmp_path / "a.png"
    for value in (10, 200):
        Image.new("L", (8, 8), value).save(path)
        assert Picture.open(path).image().avg() == value


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_an_error(tmp_path, kind, share):
    file = saved(GRAY, kind)
    path = tmp_path / "cut.jpg"
    path.write_bytes(file[: int(len(file) * share)])
    with pytest.raises(ColorizerError, match=r"cut\.jpg cannot be read: ."):
        Picture.open(path).thumbnail(0, (64, 64))


@needs_posix("/dev/null")
def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    cases = {
        "text.jpg": r"text\.jpg is no picture of a known format; accepted: JPEG, PNG",
        "zero.jpg": r"zero\.jpg is empty",
        "drawing.svg": "no picture of a known format",
        "missing.jpg": r"there is no file .*missing\.jpg",
        ".": "is a folder",
    }
    for name, message in cases.items():
        with pytest.raises(ColorizerError, match=message):
            Picture.open(tmp_path / name)
    with pytest.raises(ColorizerError, match="device or a pipe"):
        Picture.open("/dev/null")


def test_float_pixels_are_refused():
    with pytest.raises(ColorizerError, match=r"type float .*accepted are gray, RGB and CMYK"):
        Picture.open(saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))


def test_the_pixel_limit(tmp_path):
    path = tmp_path / "bomb.png"
    pyvips.Image.black(20000, 1000).pngsave(str(path))
    assert path.stat().st_size < 100_000
    with pytest.raises(ColorizerError, match=r"claims 20000 x 1000 pixels, over .* 1,000,000;"):
        Picture.open(path, max_pixels=1_000_000)
    assert Picture.open(path).width == 20000


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(3)])
def test_arrays_of_another_kind_are_refused(array):
    with pytest.raises(UsageError, match=r"accepted are \(H, W\) and \(H, W, 3\), uint8 or uint16"):
        Picture.open(array)
