"""Chroma planes against scikit-image's Lab and FFmpeg's own conversion to RGB."""

import numpy as np
import pytest

av = pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")

from skimage import color, data  # noqa: E402

from colorizer.film.codecs import make_frame  # noqa: E402
from colorizer.film.frame_folder import rgb_of  # noqa: E402
from colorizer.film.planes import Coding, chroma_planes, lightness_at, luma  # noqa: E402


def coding(bits=8, full=False, matrix=6, across=1, down=1):
    return Coding("yuv444p", bits, full, matrix, 2, 2, across, down, True, False)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_lightness_is_that_of_gray_srgb(bits, full):
    scale = 2 ** (bits - 8)
    low, high = (0, 2**bits - 1) if full else (16 * scale, 235 * scale)
    values = np.arange(2**bits).astype(np.uint8 if bits == 8 else np.uint16)[None]
    gray = ((values - float(low)) / (high - low)).clip(0, 1)
    expected = color.rgb2lab(np.repeat(gray[..., None], 3, -1))[..., 0]
    assert np.abs(lightness_at(values, coding(bits, full)) - expected).max() < 0.01


@pytest.mark.parametrize(("matrix", "name"), [(6, "itu601"), (1, "itu709")])
@pytest.mark.parametrize("full", [False, True])
def test_a_player_sees_the_color_that_was_meant(matrix, name, full):
    """Differences of R', G' and B' are those of the color in Lab; FFmpeg makes the RGB."""
    rng = np.random.default_rng(0)
    L = rng.uniform(35, 75, (24, 32)).astype(np.float32)
    ab = rng.uniform(-14, 14, (24, 32, 2))
    meant = color.lab2rgb(np.concatenate([L[..., None], ab], -1))
    gray = color.lab2rgb(np.stack([L, 0 * L, 0 * L], -1))[..., 0]
    Y = np.rint(gray * 255 if full else gray * 219 + 16).astype(np.uint8)
    about = coding(full=full, matrix=matrix)
    planes = chroma_planes(Y, L, np.zeros((24, 32, 2)), ab, about, 1, 1)
    frame = make_frame((Y, *planes), "yuv444p")
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    shown = frame.to_ndarray(format="rgb24", src_colorspace=name).astype(float) / 255
    for i, j in ((0, 1), (1, 2), (2, 0)):
        apart = (shown[..., i] - shown[..., j]) - (meant[..., i] - meant[..., j])
        assert np.abs(apart).max() < 0.02
    assert np.abs(rgb_of((Y, *planes), about) / 255 - shown).max() < 0.02


def test_colors_out_of_gamut_shrink_and_do_not_clip():
    L = np.full((4, 4), 97.0, np.float32)
    Y = np.full((4, 4), 246, np.uint8)
    planes = chroma_planes(
        Y, L, np.zeros((4, 4, 2)), np.full((4, 4, 2), 60.0), coding(full=True), 1, 1
    )
    red, _, blue = rgb_of((Y, *planes), coding(full=True))[0, 0].astype(float)
    assert red == pytest.approx(255, abs=1)
    assert blue < 246  # still toward orange
    values = rgb_of((Y, *planes), coding(full=True))[0, 0] @ [0.299, 0.587, 0.114]
    assert values == pytest.approx(246, abs=1)


@pytest.mark.parametrize(("across", "down"), [(2, 2), (2, 1), (4, 1)])
@pytest.mark.parametrize(("height", "width"), [(33, 47), (64, 96)])
def test_chroma_lies_where_players_take_it(across, down, height, width):
    """A ramp of color from left to right: level with every `across`-th pixel of luma."""
    L = np.full((height, width), 50.0, np.float32)
    Y = np.full((height, width), 119, np.uint8)
    ramp = np.linspace(-20, 20, width)
    ab = np.stack([np.broadcast_to(ramp, (height, width))] * 2, -1)
    whole = chroma_planes(Y, L, np.zeros_like(ab), ab, coding(full=True), 1, 1)[1]
    part = chroma_planes(Y, L, np.zeros_like(ab), ab, coding(full=True), across, down)[1]
    assert part.shape == (-(-height // down), -(-width // across))
    meant = whole[::down, ::across]
    assert np.abs(part.astype(int) - meant).max() <= 1


@pytest.mark.parametrize(
    ("name", "bits"),
    [("yuv420p", 8), ("nv12", 8), ("yuyv422", 8), ("p010le", 10), ("yuv420p10be", 10), ("gray", 8)],
)
def test_luma_of_many_layouts(name, bits):
    picture = data.camera()[100:164, 100:196]
    plain = av.VideoFrame.from_ndarray(picture, "gray")
    ten = "yuv420p" if bits == 8 else "yuv420p10le"
    first = plain.reformat(format=ten)
    rows = np.frombuffer(first.planes[0], "u1" if bits == 8 else "<u2")
    expected = rows.reshape(first.height, -1)[:, :96]
    frame = first.reformat(format=name) if name != "gray" else plain
    expected = picture if name == "gray" else expected
    about = Coding(name, bits, False, 6, 2, 2, 2, 2, True, False)
    assert np.array_equal(luma(frame, about), expected)


def test_gray_pictures_in_rgb_keep_their_values():
    picture = data.camera()[:40, :50]
    frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, -1), "rgb24")
    about = Coding("rgb24", 8, True, 6, 2, 2, 1, 1, False, False)
    assert np.array_equal(luma(frame, about), picture)
