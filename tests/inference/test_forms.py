"""A layer of colors and a pair: what an image editor makes of them, by the formulas of the W3C."""

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import color, data

from colorizer.cli import main
from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.pictures import forms
from tests.model_folder import write_model_folder

CAMERA = data.camera()[::4, ::5]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "tiny", "distribution")


def normal(below, above):
    """Compositing and Blending Level 1: the mode Normal, over what is opaque."""
    alpha = above[..., 3:]
    return alpha * above[..., :3] + (1 - alpha) * below


def luma(values):
    return (values @ [0.3, 0.59, 0.11])[..., None]


def in_color_mode(below, above):
    """The same, the mode Color: SetLum(above, Lum(below)), with its ClipColor."""
    values = above[..., :3] + luma(below) - luma(above[..., :3])
    light, low, high = luma(values), values.min(-1, keepdims=True), values.max(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(low < 0, light + (values - light) * light / (light - low), values)
        bright = light + (values - light) * (1 - light) / (high - light)
    values = np.where(high > 1, bright, values)
    return normal(below, np.concatenate([values, above[..., 3:]], -1))


@pytest.mark.parametrize("bits", [8, 16])
def test_over_the_photo_a_layer_gives_the_photo_in_color(model, bits):
    most = 2**bits - 1
    scan = CAMERA if bits == 8 else CAMERA.astype(np.uint16) * 257 + 3
    colorizer = Colorizer(model, threads=1, vividness=1.5)
    expected = colorizer.colorize(scan) / most
    layer = colorizer.with_options(result="layer").colorize(scan)
    assert layer.shape == (*scan.shape, 4)
    assert layer.dtype == scan.dtype
    layer, below = layer / most, np.repeat(scan[..., None] / most, 3, -1)
    assert np.abs(normal(below, layer) - expected).max() <= 1.01 / most
    # as the whole photo in color as a layer would, and that is near to it
    opaque = np.concatenate([expected, np.ones_like(expected[..., :1])], -1)
    apart = color.deltaE_cie76(
        color.rgb2lab(in_color_mode(below, layer)), color.rgb2lab(in_color_mode(below, opaque))
    )
    assert np.percentile(apart, 99) < 1.5
    apart = color.deltaE_cie76(color.rgb2lab(in_color_mode(below, layer)), color.rgb2lab(expected))
    assert apart.mean() < 4
    assert layer[..., 3].mean() < 0.9  # there is something to see through
    gray = colorizer.with_options(result="layer", vividness=0.0).colorize(scan)
    assert gray[..., 3].max() <= 1


@pytest.mark.parametrize("format", ["uchar", "ushort"])
def test_wild_colors_black_and_white(format):
    most = 255 if format == "uchar" else 65535
    dtype = np.uint8 if format == "uchar" else np.uint16
    colored = RNG.integers(0, most + 1, (40, 50, 3)).astype(dtype)
    gray = np.repeat(RNG.integers(0, most + 1, (40, 50, 1)).astype(dtype), 3, -1)
    gray[:5], gray[5:10] = 0, most
    gray[10:15] = colored[10:15] = RNG.integers(0, most, (5, 50, 1))
    images = [pyvips.Image.new_from_array(one) for one in (colored, gray)]
    layer = forms.layer(*images, None).numpy() / most
    assert np.abs(normal(gray / most, layer) - colored / most).max() <= 1.01 / most
    assert (layer[10:15, :, 3] == 0).all()


def test_what_is_transparent_stays_so(model, tmp_path):
    alpha = np.tile(np.linspace(0, 255, CAMERA.shape[1]).astype(np.uint8), (CAMERA.shape[0], 1))
    Image.fromarray(np.dstack([CAMERA, alpha]), "LA").save(tmp_path / "old.png")
    for form in ("layer", "pair"):
        path = tmp_path / f"{form}.png"
        Colorizer(model, threads=1, result=form).colorize_file(tmp_path / "old.png", path)
    layer, pair = (np.asarray(Image.open(tmp_path / f"{form}.png")) for form in ("layer", "pair"))
    assert (layer[:, 0, 3] == 0).all()
    assert (layer[..., 3] <= alpha).all()
    assert np.array_equal(pair[..., 3], np.concatenate([alpha, alpha], 1))


def test_a_pair_is_the_photo_beside_itself(model, tmp_path):
    colorizer = Colorizer(model, threads=1)
    found = colorizer.with_options(result="pair").colorize(CAMERA)
    assert np.array_equal(found[:, : CAMERA.shape[1]], np.repeat(CAMERA[..., None], 3, -1))
    assert np.array_equal(found[:, CAMERA.shape[1] :], colorizer.colorize(CAMERA))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA002] = CAMERA.shape[1]
    Image.fromarray(CAMERA).save(tmp_path / "old.jpg", exif=exif)
    colorizer.with_options(result="pair").colorize_file(tmp_path / "old.jpg", tmp_path / "new.jpg")
    with Image.open(tmp_path / "new.jpg") as made:
        assert made.getexif().get_ifd(0x8769)[0xA002] == made.width == 2 * CAMERA.shape[1]


def test_names_and_formats_on_the_command_line(model, tmp_path, capsys):
    photo, deep = tmp_path / "old.jpg", tmp_path / "deep.tif"
    Image.fromarray(CAMERA).save(photo)
    Image.fromarray(CAMERA.astype(np.uint16) * 257).save(deep)
    command = ["colorize", "--model", str(model), str(photo)]
    assert main(command) == 0
    for form in ("layer", "pair"):
        assert main([*command, str(deep), "--result", form]) == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "-" in path.name) == [
        *("deep-layer.png", "deep-pair.tif", "old-colored.jpg", "old-layer.png", "old-pair.jpg"),
    ]
    layer = pyvips.Image.new_from_file(str(tmp_path / "deep-layer.png"))
    assert (layer.bands, layer.format) == (4, "ushort")
    assert b"result layer" in layer.get("xmp-data")
    # results are no photos, whatever their form
    out = ["-o", str(tmp_path / "out")]
    assert main(["colorize", str(tmp_path), *out, "--model", str(model)]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("deep.tif", "old.jpg", "report.csv"),
    ]
    capsys.readouterr()
    for wrong in (["-o", str(tmp_path / "x.jpg")], ["--format", "webp"]):
        assert main([*command, "--result", "layer", *wrong]) == 2
        assert "accepted are .png, .tif, .tiff" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"not written as \.jpg"):
        Colorizer(model, result="layer").colorize_bytes(photo.read_bytes(), "jpg")
