"""What the chunks of a PNG say of its colors: one answer for the tool, for training, for tests."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from colorizer.errors import ColorizerError
from colorizer.pictures.decode import decode_bytes
from colorizer.pictures.lightness import lightness
from colorizer.pictures.picture import Picture

RAMP = np.arange(256, dtype=np.uint8)[None].repeat(8, 0)
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
P3_Y = np.array([0.2289746, 0.6917385, 0.0792869])  # SMPTE EG 432-1: RGB to Y
SRGB_Y = np.array([0.212671, 0.715160, 0.072169])


def png(pixels: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    added = b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return buffer.getvalue()[:33] + added + buffer.getvalue()[33:]


def gama(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def chrm(numbers: tuple[float, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in numbers))


def srgb_light(codes: np.ndarray) -> np.ndarray:
    x = codes / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def lightness_of(Y: np.ndarray) -> np.ndarray:
    return np.where(Y > 0.008856, 116 * np.cbrt(Y) - 16, 903.3 * Y)


def found(file: bytes) -> np.ndarray:
    image = lightness(Picture.open(file).image())
    return image.numpy().reshape(image.height, image.width)


CASES = {  # chunks, and linear light of the codes
    "nothing": ((), srgb_light),
    "linear": ((gama(1),), lambda codes: codes / 255),
    "sRGB before gAMA": ((gama(1), (b"sRGB", b"\0")), srgb_light),
    "cICP before all": ((gama(1), (b"sRGB", b"\0"), (b"cICP", bytes((1, 8, 0, 1)))), None),
    "gamma of 2.2": (((b"cICP", bytes((1, 4, 0, 1))),), lambda codes: (codes / 255) ** 2.2),
    "as written for sRGB": (
        (gama(0.45455), chrm((*P3[:2], 0.64, 0.33, 0.3, 0.6, 0.15, 0.06))),
        srgb_light,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("shades", [False, True])
def test_one_meaning_on_every_way(case, shades):
    chunks, light = CASES[case]
    pixels = np.stack([RAMP] * 3, -1) if shades else RAMP
    file = png(pixels, *chunks)
    expected = lightness_of((light or (lambda codes: codes / 255))(RAMP.astype(float)))
    np.testing.assert_allclose(found(file), expected, atol=0.05)
    whole, small = (decode_bytes(file, side)[0] for side in (8, 7))
    as_srgb = lightness_of(srgb_light(whole[..., 1].astype(float)))
    light_enough = expected > 30  # LittleCMS, which this way takes, is wrong near black
    np.testing.assert_allclose(as_srgb[light_enough], expected[light_enough], atol=0.6)
    assert abs(float(whole.mean()) - float(small.mean())) < 1


@pytest.mark.parametrize("how", ["cHRM", "cHRM and gAMA", "cICP"])
def test_primaries_of_display_p3(how):
    chunks = {
        "cHRM": (chrm(P3),),
        "cHRM and gAMA": (chrm(P3), gama(1)),
        "cICP": ((b"cICP", bytes((12, 13, 0, 1))),),
    }[how]
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    codes = pixels.astype(float)
    light = codes / 255 if "gAMA" in how else srgb_light(codes)
    expected, as_srgb = lightness_of(light @ P3_Y), lightness_of(light @ SRGB_Y)
    np.testing.assert_allclose(found(png(pixels, *chunks)), expected, atol=0.05)
    assert np.abs(expected - as_srgb).max() > 1  # else nothing is tested


def test_a_space_that_is_not_known_is_told():
    picture = Picture.open(png(RAMP, (b"cICP", bytes((9, 16, 0, 1)))))
    assert any("its color profile is of no use here" in note for note in picture.notes)


def test_pictures_above_the_limit_of_pillow():
    """Of which Image.open makes an error of its own: the library's limit is not ours."""
    file = bytearray(png(RAMP))
    file[16:24] = struct.pack(">2I", 14000, 13000)
    file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))
    with pytest.raises(ColorizerError, match=r"claims 14000 x 13000 pixels, over"):
        decode_bytes(bytes(file), 64, max_pixels=100_000_000)
    with pytest.raises(ColorizerError, match="cannot be read"):
        decode_bytes(bytes(file), 64)


@pytest.mark.slow
def test_pictures_of_182_megapixels(tmp_path):
    import pyvips

    for kind in ("png", "jpg", "webp"):
        height = 11200 if kind == "webp" else 13000
        path = tmp_path / f"large.{kind}"
        pyvips.Image.black(16200 if kind == "webp" else 14000, height).write_to_file(str(path))
        assert decode_bytes(path.read_bytes(), 64)[0].shape[0] == 64
