"""Pixels in, pixels out: sizes, depths, routes and options."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from colorizer.errors import UsageError
from colorizer.inference.colorizer import Colorizer, colorize, colorize_file
from tests.inference.camera import CAMERA, lab, opened, saved
from tests.model_folder import write_model_folder
from tests.systems import needs_posix


@given(st.integers(1, 60), st.integers(1, 60), st.booleans(), st.sampled_from([8, 16]))
@settings(max_examples=40, deadline=None)
def test_size_depth_and_lightness_are_kept(colorizer, height, width, is_color, bits):
    rng = np.random.default_rng(height + 100 * width)
    kind = np.uint8 if bits == 8 else np.uint16
    shape = (height, width, 3) if is_color else (height, width)
    array = rng.integers(0, 2**bits, shape).astype(kind)
    found = colorizer.colorize(array)
    assert found.shape == (height, width, 3)
    assert found.dtype == kind
    rgb = array if is_color else np.stack([array] * 3, -1)
    error = np.abs(lab(found)[..., 0] - lab(rgb)[..., 0])
    assert error.max() < (0.3 if bits == 8 else 0.01)  # 8 bits: half a step of each channel


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 500)])
def test_extreme_shapes(colorizer, shape):
    found = colorizer.colorize(np.full(shape, 128, np.uint8))
    assert found.shape == (*shape, 3)
    np.testing.assert_allclose(
        lab(found)[..., 0], lab(np.full((1, 1, 3), 128, np.uint8))[0, 0, 0], atol=0.3
    )
    assert np.ptp(found.reshape(-1, 3), 0).max() <= 1  # one gray has one color


def test_black_and_white_stay_what_they_are(colorizer):
    for value in (0, 255):
        assert (colorizer.colorize(np.full((20, 30), value, np.uint8)) == value).all()


def test_colors_do_not_depend_on_the_size_of_the_picture(colorizer):
    large = Image.fromarray(data.camera())
    seen = [
        lab(colorizer.colorize(np.asarray(large.resize((n, n), Image.Resampling.BOX))))[..., 1:]
        for n in (512, 256)
    ]
    halved = seen[0].reshape(256, 2, 256, 2, 2).mean((1, 3))
    assert np.abs(halved - seen[1]).mean() < 1


def test_all_routes_give_the_same_pixels(colorizer, folder, tmp_path):
    path = saved(tmp_path / "in.png", CAMERA)
    expected = colorizer.colorize(path)
    colorizer.colorize_file(path, tmp_path / "a.png")
    colorize_file(path.read_bytes(), tmp_path / "b.tif", folder, threads=1)
    copy = pickle.loads(pickle.dumps(colorizer))
    for found in (
        opened(tmp_path / "a.png"),
        opened(tmp_path / "b.tif"),
        colorizer.colorize(CAMERA),
        colorizer.colorize(path.read_bytes()),
        colorize(str(path), folder),
        copy.colorize(path),
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_picture_in_color_is_colored_anew_with_a_note(colorizer, tmp_path):
    path = saved(tmp_path / "in.png", data.astronaut()[::4, ::4])
    assert "has colors of its own" in colorizer.colorize_file(path, tmp_path / "out.png")[0]


def test_vividness(folder):
    chroma = []
    for vividness in (0, 1, 2):
        found = Colorizer(folder, threads=1, vividness=vividness).colorize(CAMERA)
        chroma.append(np.abs(lab(found)[..., 1:]).mean())
    assert chroma[0] < 0.01
    assert 1.05 * chroma[1] < chroma[2] <= 2.01 * chroma[1]


def test_temperature_is_for_distributions(folder, tmp_path):
    with pytest.raises(UsageError, match="tiny_ab predicts no distribution, so it takes no temp"):
        Colorizer(folder, temperature=0.3)
    model = write_model_folder(tmp_path / "d", "distribution")
    own, warm = (Colorizer(model, threads=1, temperature=t).colorize(CAMERA) for t in (None, 5))
    assert np.abs(lab(own)[..., 1:]).mean() > 1.15 * np.abs(lab(warm)[..., 1:]).mean()


@pytest.mark.parametrize(
    "options",
    [
        {"size": 16},
        {"size": "256"},
        {"vividness": 2.5},
        {"vividness": float("nan")},
        {"temperature": 0},
        {"threads": 0},
        {"max_pixels": 0},
    ],
)
def test_values_out_of_range(folder, options):
    (name,) = options
    with pytest.raises(UsageError, match=f"{name} is .*; accepted are"):
        Colorizer(folder, **options)


def test_an_unknown_model():
    with pytest.raises(UsageError, match="unknown model 'colornet99'"):
        Colorizer("colornet99")


def test_nothing_heavy_is_imported():
    script = (
        "import sys, colorizer.inference.colorizer, colorizer.places.on_threads\n"
        "heavy = {'torch', 'onnxruntime', 'pyvips', 'PIL', 'yaml', 'tqdm'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@needs_posix("resource limits")
def test_memory_does_not_grow_with_the_area(folder, tmp_path):
    for name, side in (("small", 500), ("large", 5000)):
        image = pyvips.Image.gaussnoise(500, 500, mean=128, sigma=30).cast("uchar")
        image = image.replicate(side // 500, side // 500).copy(interpretation="b-w")
        image.jpegsave(str(tmp_path / f"{name}.jpg"))
    root = str(Path(__file__).resolve().parents[2])
    script = (
        "import resource, sys; from colorizer.inference.colorizer import colorize_file\n"
        "colorize_file(sys.argv[1], sys.argv[1] + '.jpg', sys.argv[2], threads=1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peak = {
        name: int(
            subprocess.run(
                [sys.executable, "-c", script, tmp_path / f"{name}.jpg", folder],
                env=os.environ | {"PYTHONPATH": root},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for name in ("small", "large")
    }
    assert peak["large"] < peak["small"] + 60  # MB; its pixels alone are 75, as floats 300


def test_other_options_share_the_loaded_model(colorizer):
    other = colorizer.with_options(size=64, vividness=0.5)
    assert other._network is colorizer._network
    assert (other.size, colorizer.size) == (64, colorizer._network.size)
