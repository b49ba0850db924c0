"""Metrics against scikit-image, hand counts, and themselves on split batches."""

import inspect
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorizer.backbones import inception, vgg
from colorizer.backbones.frozen import Backbone
from colorizer.color import gamut
from colorizer.color.tensors import LabBatch, rgb_to_lab
from colorizer.errors import UnknownNameError, UsageError
from colorizer.metrics import create_metrics, list_metrics
from colorizer.metrics.base import ImageMean, Number
from colorizer.registry import METRICS
from tests.device import device

WEIGHTS = {"alexnet", "vgg16", "inception"}


def picture(rgb):
    return LabBatch(*rgb_to_lab(rgb))


def options(name):
    """Untrained networks for the metrics that look through one."""
    return dict.fromkeys(WEIGHTS & set(inspect.signature(METRICS[name]).parameters), "random")


def create(name):
    return METRICS.create(name, **options(name)).to(device())


def there(side, part):
    moved = LabBatch(side.L[part].to(device()), side.ab[part].to(device()))
    if hasattr(side, "raw"):
        moved.raw = side.raw[part].to(device())
    return moved


def scored(side):
    """With the scores of a network that is surest of the color nearest to its own."""
    ab = F.adaptive_avg_pool2d(side.ab, (9, 10))
    apart = (ab[:, None] - torch.tensor(gamut.bins())[None, :, :, None, None]).square().sum(2)
    side.raw = -apart / (2 * 12**2)
    return side


@pytest.fixture
def small_networks(monkeypatch):
    """Two filters in place of VGG16 and Inception, which take long."""
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Conv2d(3, 4, 3, stride=2)
    torch.nn.init.normal_(layer.weight, generator=generator)

    def forward(network, rgb):
        scale = 255 if rgb.dtype == torch.uint8 else 1
        return torch.relu(network(rgb.float() / scale)).mean((2, 3))

    backbone = Backbone("small", layer.requires_grad_(False), forward)
    monkeypatch.setattr(vgg, "vgg16_means", lambda source: backbone)
    monkeypatch.setattr(inception, "inception", lambda source: backbone)


def pair(n=5, noise=0.1):
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(n, 3, 36, 41, generator=generator)
    spread = noise * torch.linspace(0.2, 1, n).view(n, 1, 1, 1)  # images of unlike quality
    other = (rgb + spread * torch.randn(rgb.shape, generator=generator)).clamp(0, 1)
    return scored(picture(other)), picture(rgb)


def scalars(name, prediction, target, sizes=None):
    metrics = create_metrics({name: options(name)}).to(device())
    start = 0
    for size in sizes or [len(target.L)]:
        part = slice(start, start + size)
        metrics.update(there(prediction, part), there(target, part))
        start += size
    return {key: value.item() for key, value in metrics.compute().items()}


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("name", list_metrics())
def test_no_state_is_in_float64(name):
    """Apple's GPUs have none; the sum is as good as if it were."""
    metric = create(name)
    states = [getattr(metric, state) for state in metric._defaults]
    tensors = [state for state in states if isinstance(state, torch.Tensor)]
    assert all(state.dtype != torch.float64 for state in tensors)


def test_a_sum_of_many_loses_nothing():
    class Seen(ImageMean):
        numbers = (Number("seen", "Seen"),)

        def per_image(self, prediction, target):
            return prediction.L.mean((1, 2, 3))[:, None]

    metric = Seen()
    each = torch.full((1, 1, 1, 1), 0.1)
    for _ in range(20_000):
        metric.update(LabBatch(each, each), LabBatch(each, each))
    assert metric.compute().item() == pytest.approx(0.1, rel=2e-7)


def test_all_are_listed():
    assert {
        *("mse", "channelwise_l2", "psnr", "psnr_pooled", "ssim", "delta_e", "colorfulness"),
        *("chroma_histogram", "lpips", "fid", "frechet_vgg16", "hue_shares", "calibrated_nll"),
    } <= set(list_metrics())


def test_psnr_is_the_mean_of_scikit_images():
    prediction, target = pair()
    levels = [
        (255 * side.rgb).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        for side in (target, prediction)
    ]
    each = [peak_signal_noise_ratio(a, b) for a, b in zip(*levels, strict=True)]
    assert scalars("psnr", prediction, target) == {"psnr": pytest.approx(np.mean(each), abs=1e-3)}


def test_psnr_of_one_level_everywhere():
    value = torch.full((1, 3, 4, 4), 100 / 255)
    result = scalars("psnr", picture(value), picture(value + 1 / 255))
    assert result["psnr"] == pytest.approx(20 * math.log10(255), abs=1e-3)


def test_psnr_of_identical_pictures_is_the_cap():
    _, target = pair()
    assert scalars("psnr", target, target) == {"psnr": 100.0}


def test_pooled_psnr_by_hand():
    zeros = torch.zeros(2, 3, 4, 4)
    other = zeros.clone()
    other[0] += 10 / 255  # squares 100 and 0: the mean is 50
    pooled = scalars("psnr_pooled", picture(other), picture(zeros))["psnr_pooled"]
    assert pooled == pytest.approx(10 * math.log10(255**2 / 50), abs=1e-3)
    single = scalars("psnr", picture(other), picture(zeros))["psnr"]
    assert single == pytest.approx((10 * math.log10(255**2 / 100) + 100) / 2, abs=1e-3)


def test_ssim_is_the_mean_of_scikit_images():
    prediction, target = pair()
    each = [
        structural_similarity(
            *(side.rgb[i].permute(1, 2, 0).double().numpy() for side in (target, prediction)),
            channel_axis=2,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for i in range(len(target.L))
    ]
    assert scalars("ssim", prediction, target)["ssim"] == pytest.approx(np.mean(each), abs=1e-5)
    assert scalars("ssim", target, target)["ssim"] == pytest.approx(1)


def test_ssim_needs_room_for_its_window():
    side = picture(torch.rand(1, 3, 10, 40))
    with pytest.raises(UsageError, match="ssim: pictures are 10x40, it needs 11"):
        scalars("ssim", side, side)


def test_mse_by_hand():
    prediction, target = pair()
    expected = ((prediction.rgb - target.rgb).double() ** 2).mean()
    assert scalars("mse", prediction, target)["mse"] == pytest.approx(expected.item(), rel=1e-5)
    assert scalars("mse", target, target)["mse"] == 0


def test_channelwise_l2_by_hand():
    L = torch.full((2, 1, 1, 2), 50.0)
    ab = torch.zeros(2, 2, 1, 2)
    ab[0, 0, 0] = torch.tensor([3.0, 4])  # a: squares 9 and 16 and twice 0
    ab[1, 1, 0] = torch.tensor([0.0, 8])  # b: once 64
    found = scalars("channelwise_l2", LabBatch(L, ab), LabBatch(L, torch.zeros_like(ab)))
    assert found == {
        "channelwise_l2": pytest.approx(2.5 + 4),
        "channelwise_l2_a": pytest.approx(2.5),
        "channelwise_l2_b": pytest.approx(4),
    }


@pytest.mark.usefixtures("small_networks")
def test_auc_is_the_area_under_the_cumulative_errors():
    L, ab = torch.full((1, 1, 24, 24), 50.0), torch.rand(1, 2, 24, 24) * 120
    error = np.linalg.norm(ab.numpy()[0], axis=0).ravel()
    expected = np.mean([(error <= threshold).mean() for threshold in range(151)])
    found = scalars("auc", LabBatch(L, ab), LabBatch(L, torch.zeros_like(ab)))
    assert found["auc"] == pytest.approx(100 * expected, rel=1e-5)


@pytest.mark.usefixtures("small_networks")
def test_rebalanced_auc_weighs_each_pixel_by_how_rare_its_color_is():
    generator = np.random.default_rng(0)
    real = np.zeros((3, 2, 24, 24), np.float32)
    real[:, :, :3] = generator.uniform(-60, 60, (3, 2, 3, 24))  # an eighth has colors
    ours = real * 0.2
    centers, cells = gamut.bins().astype(float), real.transpose(0, 2, 3, 1).reshape(-1, 2)
    nearest = ((np.round(cells / 10)[:, None] * 10 - centers) ** 2).sum(-1).argmin(1)
    how_common = gamut.smooth_prior(np.bincount(nearest, minlength=len(centers)))
    weight = 1 / how_common[nearest]
    error = np.linalg.norm((real - ours).transpose(0, 2, 3, 1).reshape(-1, 2), axis=1)
    expected = np.mean([np.average(error <= threshold, weights=weight) for threshold in range(151)])
    L = torch.full((3, 1, 24, 24), 50.0)
    found = scalars("auc", *(LabBatch(L, torch.from_numpy(ab)) for ab in (ours, real)))
    assert found["auc_rebalanced"] == pytest.approx(100 * expected, rel=1e-4)
    assert found["auc_rebalanced"] < found["auc"] - 5


@pytest.mark.parametrize("name", METRICS)
def test_batch_splits_do_not_matter(name):
    prediction, target = pair()
    whole = scalars(name, prediction, target)
    for sizes in ([1, 4], [2, 2, 1], [1] * 5):
        assert scalars(name, prediction, target, sizes) == pytest.approx(whole, rel=1e-5, abs=1e-6)


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("name", METRICS)
def test_each_says_which_way_is_better_and_is_right(name):
    metric = create(name)
    assert metric.higher_is_better is metric.numbers[0].higher_is_better
    if metric.higher_is_better is None:  # it describes, and does not judge
        return
    prediction, target = pair(noise=0.2)
    near = scalars(name, pair(noise=0.02)[0], target)[name]
    far = scalars(name, prediction, target)[name]
    assert (near > far) == metric.higher_is_better


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("name", METRICS)
def test_two_processes_and_a_reset(name):
    prediction, target = pair(6)
    whole = scalars(name, prediction, target)
    metric, other = (create(name) for _ in range(2))
    for process, part in ((metric, slice(0, None, 2)), (other, slice(1, None, 2))):
        process.update(there(prediction, part), there(target, part))
    for state, reduce in metric._reductions.items():  # what torchmetrics does between processes
        mine, theirs = getattr(metric, state), getattr(other, state)
        if isinstance(mine, list):
            setattr(metric, state, [reduce([*mine, *theirs])])
        else:
            setattr(metric, state, reduce(torch.stack([mine, theirs])))
    result = metric.compute()
    result = result if isinstance(result, dict) else {name: result}
    assert {key: value.item() for key, value in result.items()} == pytest.approx(
        whole, rel=1e-5, abs=1e-6
    )
    metric.reset()
    states = [torch.as_tensor(getattr(metric, state)) for state in metric._defaults]
    assert all((state == 0).all() for state in states)  # or empty


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("name", METRICS)
def test_its_numbers_are_what_it_computes(name):
    numbers = [number.name for number in create(name).numbers]
    assert numbers[0] == name
    assert all(number == name or number.startswith(f"{name}_") for number in numbers) or name in (
        *("fid", "frechet_vgg16"),
    )
    assert list(scalars(name, *pair())) == numbers


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("name", METRICS)
def test_sizes_must_agree(name):
    sides = [scored(picture(torch.rand(1, 3, 40, width))) for width in (40, 41)]
    with pytest.raises(UsageError, match=r"\(1, 1, 40, 40\) for targets of shape \(1, 1, 40, 41\)"):
        create(name).update(*sides)


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("name", METRICS)
def test_network_weights_stay_out_of_the_state_dict(name):
    metric = create(name)
    assert not metric.state_dict()
    assert not list(metric.parameters())
    assert metric.clone().numbers == metric.numbers


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("name", METRICS)
def test_float32_scalars_from_half_precision_pictures(name):
    prediction, target = pair()
    metrics = create_metrics({name: options(name)})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = LabBatch(prediction.L, prediction.ab.bfloat16())
        half.raw = prediction.raw.bfloat16()
        metrics.update(half, target)
    for value in metrics.compute().values():
        assert value.shape == ()
        assert value.dtype == torch.float32
        assert value.isfinite()


def test_collection_takes_a_prefix():
    metrics = create_metrics(["mse", "channelwise_l2"]).clone(prefix="val/")
    metrics.update(*pair())
    assert set(metrics.compute()) == {
        "val/mse",
        "val/channelwise_l2",
        "val/channelwise_l2_a",
        "val/channelwise_l2_b",
    }


def test_wrong_names():
    with pytest.raises(UnknownNameError, match=r"unknown metric 'psnrr'; did you mean 'psnr'\?"):
        create_metrics(["psnrr"])
    with pytest.raises(UsageError, match=r"give a list of names: \['psnr'\]"):
        create_metrics("psnr")
