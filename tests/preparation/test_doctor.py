"""What is wrong with a picture, and which pictures are the same."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageEnhance
from skimage.color import rgb2lab

from colorizer.preparation.doctor import examine, lab
from colorizer.preparation.duplicates import Fingerprint, PictureIndex, digest, signature
from colorizer.preparation.normalize import decode_middle
from tests.preparation.test_prepare import photo


def reason(rgb: np.ndarray) -> str | None:
    finding = examine(np.ascontiguousarray(rgb.clip(0, 255), np.uint8))
    return finding and finding.reason


def look(seed: int) -> np.ndarray:
    return np.asarray(photo(seed, 120, 160))


@given(arrays(np.uint8, (4, 5, 3)))
def test_lab_is_that_of_scikit_image(rgb: np.ndarray) -> None:
    np.testing.assert_allclose(lab(rgb), rgb2lab(rgb), atol=0.01)


@pytest.mark.parametrize("seed", range(8))
def test_photos_pass_and_their_gray_and_toned_versions_do_not(seed: int) -> None:
    rgb = look(seed).astype(float)
    light = lab(look(seed))[..., :1] / 100
    assert reason(rgb) is None
    assert reason(rgb.mean(-1, keepdims=True).repeat(3, -1)) == "gray"
    sepia = [45, 30, 15] * (1 - light) + [252, 236, 205] * light
    duotone = [20, 20, 90] * (1 - light) + [250, 240, 180] * light
    assert reason(sepia) == reason(duotone) == "toned"


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
def test_smooth_gradients_are_blank(angle: float) -> None:
    y, x = np.mgrid[0:1:120j, 0:1:160j]
    t = ((x * np.cos(angle) + y * np.sin(angle)) / 3 + 0.4)[..., None]
    noise = np.random.default_rng(0).normal(0, 2, (120, 160, 3))
    assert reason([200, 60, 40] * t + [40, 120, 180] * (1 - t) + noise) == "blank"


def test_drawings_are_graphic() -> None:
    rng = np.random.default_rng(1)
    for _ in range(8):
        image = Image.new("RGB", (640, 480), tuple(rng.integers(200, 256, 3).tolist()))
        draw = ImageDraw.Draw(image)
        for _ in range(6):
            left, top = rng.integers(0, 400, 2).tolist()
            draw.rectangle((left, top, left + 150, top + 70), tuple(rng.integers(0, 256, 3)))
            draw.text((left, top + 75), "of the graphic kind", (20, 20, 20), font_size=24)
        file = io.BytesIO()
        image.save(file, "jpeg", quality=80)
        assert reason(decode_middle(file.getvalue(), 160).rgb) == "graphic"


COPIES = {
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "larger": lambda image: image.resize((image.width * 2, image.height * 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "cut": lambda image: image.crop((1, 1, image.width - 2, image.height - 1)),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_copies_are_found_and_others_are_not(name: str, kind: str) -> None:
    index = PictureIndex()
    for seed in range(20):
        found = index.find(digest(b"%d" % seed), signature(lab(look(seed))))
        assert found is None
        index.add(str(seed), digest(b"%d" % seed), signature(lab(look(seed))))
    for seed in range(20):
        file = io.BytesIO()
        COPIES[name](photo(seed, 120, 160)).save(file, kind, quality=50)
        copy = decode_middle(file.getvalue(), 160).rgb
        assert index.find(digest(file.getvalue()), signature(lab(copy))).name == str(seed)


def test_the_same_layout_in_other_colors_is_another_picture() -> None:
    L = lab(look(3))
    other = L * [1, -1, 1] + [0, 20, 0]
    index = PictureIndex()
    index.add("one", digest(b"one"), signature(L))
    assert signature(L).distance(signature(other)) == 0
    assert index.find(digest(b"other"), signature(other)) is None
    assert index.find(digest(b"one"), signature(other)).bits is None  # the same bytes


signatures = st.builds(
    Fingerprint,
    arrays(np.uint64, 4, elements=st.integers(0, 2**64 - 1)),
    arrays(np.int8, 32),
)


@given(signatures, signatures, signatures)
def test_the_distance_is_a_distance(one: Fingerprint, two: Fingerprint, three: Fingerprint) -> None:
    assert one.distance(one) == 0
    assert one.distance(two) == two.distance(one)
    assert one.distance(three) <= one.distance(two) + two.distance(three)
    bits = bin(int.from_bytes(one.bits.tobytes()) ^ int.from_bytes(two.bits.tobytes()))
    assert one.distance(two) == bits.count("1")
    again = Fingerprint.from_hex(one.to_hex())
    assert again.distance(one) == 0
    np.testing.assert_array_equal(again.tint, one.tint)
