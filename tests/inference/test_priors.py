"""Palettes, variants, quality, uncertainty and the color layer, on a model that is known."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import color, data

from colorizer.cli import main
from colorizer.color import gamut
from colorizer.errors import ColorizerError, UsageError
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.network import Network
from colorizer.inference.predict import predict_chroma, predict_steadily
from colorizer.inference.priors import palette_prior, reference_ab, variant_prior
from colorizer.pictures.picture import Picture
from tests.model_folder import write_model_folder

CAMERA = data.camera()[:301:2, :400:2]  # 151 x 200
EVEN = np.full(len(gamut.bins()), 1 / len(gamut.bins()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "d", "distribution")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("models") / "ab")


@pytest.fixture(scope="module")
def colorizer(folder):
    return Colorizer(folder, threads=1)


def ab(rgb: np.ndarray) -> np.ndarray:
    return color.rgb2lab(rgb / np.float64(np.iinfo(rgb.dtype).max))[..., 1:]


def painted(rgb: tuple[int, int, int]) -> np.ndarray:
    return np.full((40, 60, 3), rgb, np.uint8)


def test_reference_colors_are_those_of_scikit_image():
    photo = data.astronaut()[:200:2, ::4]  # smaller than the copy, so that nothing is averaged
    found = reference_ab(Picture.open(photo))
    np.testing.assert_allclose(found, ab(photo).reshape(-1, 2), atol=0.1)


@pytest.mark.parametrize(("rgb", "axis", "sign"), [((200, 60, 40), 0, 1), ((90, 110, 170), 1, -1)])
def test_a_palette_draws_colors_towards_the_reference(folder, colorizer, rgb, axis, sign):
    found = ab(Colorizer(folder, palette=painted(rgb), threads=1).colorize(CAMERA))
    assert sign * (found - ab(colorizer.colorize(CAMERA)))[..., axis].mean() > 2


def test_a_typical_palette_changes_nothing():
    photo = data.astronaut()[::4, ::4]
    typical = gamut.histogram(reference_ab(Picture.open(photo)))
    prior = palette_prior(photo, typical / typical.sum(), 10**9)
    np.testing.assert_allclose(prior, 1, rtol=1e-4)
    prior = palette_prior(photo, EVEN, 10**9)
    assert prior.min() > 0.1  # nothing is forbidden
    assert (prior * EVEN).sum() == pytest.approx(1, rel=3e-3)


@pytest.mark.parametrize("gray", [CAMERA, np.stack([CAMERA] * 3, -1)])
def test_a_gray_palette_is_refused(folder, gray, tmp_path):
    with pytest.raises(UsageError, match="has no colors, so it is no palette"):
        Colorizer(folder, palette=gray)
    with pytest.raises(ColorizerError, match="there is no file"):
        Colorizer(folder, palette=tmp_path / "missing.jpg")


def test_variants_differ_and_each_is_a_rule_for_the_whole_picture(colorizer):
    found = [ab(colorizer.with_options(variant=i).colorize(CAMERA)) for i in (1, 2, 3, 4)]
    np.testing.assert_array_equal(found[0], ab(colorizer.colorize(CAMERA)))
    for i in range(4):
        for j in range(i):
            assert np.linalg.norm(found[i] - found[j], axis=-1).mean() > 2
    halves = colorizer.with_options(variant=2).colorize(np.concatenate([CAMERA, CAMERA[::-1]]))
    difference = np.abs(halves[:100].astype(int) - halves[:-101:-1])
    assert difference.mean() < 2  # alike wherever it lies


def test_variant_priors():
    assert (variant_prior(1) == 1).all()
    for variant in (2, 3, 50):
        prior = variant_prior(variant)
        np.testing.assert_array_equal(prior, variant_prior(variant))
        assert np.log(prior).std() == pytest.approx(0.6, abs=1e-3)
        bins = gamut.bins()
        near = ((bins[:, None] - bins[None]) ** 2).sum(-1) == 100
        steps = np.abs(np.log(prior)[:, None] - np.log(prior)[None])[near]
        assert steps.max() < 1.2  # smooth


@pytest.mark.parametrize(
    ("options", "what"),
    [({"palette": painted((200, 0, 0))}, "palette"), ({"variant": 2}, "variants")],
)
def test_what_only_a_distribution_takes(plain, options, what):
    with pytest.raises(
        UsageError, match=f"tiny_ab predicts no distribution, so it takes no {what}"
    ):
        Colorizer(plain, **options)


def test_uncertainty_is_the_entropy(colorizer, plain, tmp_path):
    found = colorizer.uncertainty(CAMERA)
    assert found.shape == CAMERA.shape
    assert 0 < found.min() < found.max() < 1
    level = colorizer.uncertainty(np.full((64, 64), 150, np.uint8))
    assert np.ptp(level) < 1e-3
    colorizer.uncertainty_file(CAMERA, tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        assert image.mode == "L"
        np.testing.assert_allclose(np.asarray(image) / 255, found, atol=0.6 / 255)
    with pytest.raises(UsageError, match="takes no uncertainty map"):
        Colorizer(plain).uncertainty(CAMERA)


def test_uncertainty_is_not_annealed_and_a_prior_counts(folder):
    network = Network(folder, threads=1)
    L = np.full((32, 32), 60, np.float32)
    logits = np.log(network_share(L[0, 0]))
    entropy = -(np.exp(logits) * logits).sum() / np.log(len(logits))
    assert network.uncertainty(L)[0, 0] == pytest.approx(entropy, abs=1e-3)
    only = np.full(len(logits), 1e-12)
    only[7] = 1
    assert network.uncertainty(L, prior=only)[0, 0] < 0.01
    np.testing.assert_allclose(network(L, prior=only)[:, 0, 0], gamut.bins()[7], atol=0.1)


def network_share(L: float) -> np.ndarray:
    """The tiny model's distribution, as its docstring says it."""
    from tests.model_folder import BINS, SPREAD

    center = np.array([0.5, 0.7]) * L - [20, 30]
    share = np.exp(-((BINS - center) ** 2).sum(1) / (2 * SPREAD**2))
    return share / share.sum()


def test_best_is_steadier_than_fast():
    """A network that depends on size and side: the average must not."""

    def predict(L):
        height, width = L.shape[0] // 4, L.shape[1] // 4
        side = np.linspace(-20, 20, width)[None].repeat(height, 0)
        return np.stack([side, np.full((height, width), L.shape[1] / 10)])

    L = np.random.default_rng(0).uniform(0, 100, (160, 200)).astype(np.float32)
    slope, offset = predict_steadily(L, (160, 128), predict)
    assert slope.shape == offset.shape == (128, 160, 2)
    found = slope * 50 + offset
    assert np.abs(found[..., 0]).mean() < 0.3 * np.abs(predict_chroma(L, predict)[1][..., 0]).mean()
    np.testing.assert_allclose(found[..., 1], np.mean([16, 12.8, 22.4]), atol=0.5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 90), (151, 200)])
def test_best_gives_every_size(colorizer, shape):
    array = np.resize(CAMERA, shape)
    found = colorizer.with_options(quality="best").colorize(array)
    assert found.shape == (*shape, 3)
    assert np.abs(ab(found) - ab(colorizer.colorize(array))).mean() < 5


def test_a_pickle_keeps_the_options(folder):
    own = Colorizer(folder, palette=painted((200, 60, 40)), variant=2, quality="best", threads=1)
    again = pickle.loads(pickle.dumps(own))
    np.testing.assert_array_equal(own.colorize(CAMERA), again.colorize(CAMERA))
    assert len(pickle.dumps(own)) < 10_000  # the weights stay where they are


@pytest.mark.parametrize("options", [{"variant": 0}, {"variant": 1.5}, {"quality": "good"}])
def test_values_out_of_range(folder, colorizer, options):
    (name,) = options
    with pytest.raises(UsageError, match=f"{name} is .*; accepted are"):
        Colorizer(folder, **options)
    with pytest.raises(UsageError, match=f"{name} is .*; accepted are"):
        colorizer.with_options(**options)


def test_another_option_cannot_be_changed(colorizer):
    with pytest.raises(UsageError, match="no option 'vividnes'; did you mean 'vividness'"):
        colorizer.with_options(vividnes=2)


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def color_by_command(*arguments: object) -> int:
    return main(["colorize", *map(str, arguments), "--threads", "1"])


def test_the_command_line_has_it_all(folder, tmp_path, capsys):
    Image.fromarray(CAMERA).save(tmp_path / "in.png")
    Image.fromarray(painted((200, 60, 40))).save(tmp_path / "ref.png")
    options = ["--variants", 2, "--palette", tmp_path / "ref.png", "--result", "layer"]
    options += [
        "--vividness",
        0.5,
        "--uncertainty",
        tmp_path / "map.png",
        "--max-pixels",
        40_000,
        "--memory",
        90_000,
    ]
    out = tmp_path / "out.png"
    assert color_by_command(tmp_path / "in.png", "-o", out, "--model", folder, *options) == 0
    assert "2 colored, 0 done before, 0 failed" in capsys.readouterr().out
    found = [opened(tmp_path / name) for name in ("out-1.png", "out-2.png", "map.png")]
    assert [array.shape[:2] for array in found] == [(151, 200)] * 3
    rgb, alpha = found[1][..., :3], found[1][..., 3:] / 255
    over = alpha * rgb + (1 - alpha) * CAMERA[..., None]
    lightness = color.rgb2lab(over / 255)[..., 0]
    expected = color.rgb2lab(np.stack([CAMERA] * 3, -1))[..., 0]
    np.testing.assert_allclose(lightness, expected, atol=1)


def test_a_folder_by_command(plain, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("1.png", "2.png"):
        Image.fromarray(CAMERA).save(tmp_path / "in" / name)
    (tmp_path / "in" / "3.png").write_text("no picture")
    out = tmp_path / "out"
    for told, part in (("2 colored, 0 done", "1/1"), ("0 colored, 2 done", "1/1")):
        options = ["--workers", 2, "--quality", "best", "--shard", part]
        assert color_by_command(tmp_path / "in", "-o", out, "--model", plain, *options) == 1
        said = capsys.readouterr()
        assert told in said.out
        assert "3.png is no picture of a known format" in said.err
    assert {path.name for path in out.iterdir()} == {"1.png", "2.png", "report.csv"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--variants", 3], "takes no variants"),
        (["--variants", 0], "variants is 0; accepted are"),
        (["--uncertainty", "map.png"], "takes no uncertainty map"),
        (["--palette", "in.png"], "takes no palette"),
        (["--shard", "2"], "shard is '2'; accepted is i/n"),
        (["--workers", 0], "workers is 0; accepted are"),
        (["--memory", 5], "memory is 5; accepted are numbers from"),
        (["--max-pixels", 0], "max_pixels is 0; accepted are"),
    ],
)
def test_bad_usage_by_command(plain, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(CAMERA).save("in.png")
    assert color_by_command("in.png", "--model", plain, *options) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_the_metadata_tell_what_was_asked_for(folder, tmp_path):
    Image.fromarray(painted((200, 60, 40))).save(tmp_path / "ref.png")
    made = Colorizer(folder, palette=tmp_path / "ref.png", variant=3, quality="best", threads=1)
    made.colorize_file(CAMERA, tmp_path / "out.png")
    packet = pyvips.Image.new_from_file(str(tmp_path / "out.png")).get("xmp-data").decode()
    assert "size 64, vividness 1, palette ref.png, variant 3, quality best" in packet
