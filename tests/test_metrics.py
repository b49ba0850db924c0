"""Metrics against scikit-image, hand counts, and themselves on split batches."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from colorizer.color import Picture, Target, rgb_to_lab
from colorizer.errors import UnknownNameError, UsageError
from colorizer.metrics import create_metrics, list_metrics
from colorizer.registry import METRICS


def picture(rgb):
    return Picture(*rgb_to_lab(rgb))


def pair(n=5, noise=0.1):
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(n, 3, 12, 17, generator=generator)
    spread = noise * torch.linspace(0.2, 1, n).view(n, 1, 1, 1)  # images of unlike quality
    other = (rgb + spread * torch.randn(rgb.shape, generator=generator)).clamp(0, 1)
    return picture(other), picture(rgb)


def scalars(name, prediction, target, sizes=None):
    metrics = create_metrics([name])
    start = 0
    for size in sizes or [len(target.L)]:
        part = slice(start, start + size)
        metrics.update(
            Picture(prediction.L[part], prediction.ab[part]),
            Target(target.L[part], target.ab[part]),
        )
        start += size
    return {key: value.item() for key, value in metrics.compute().items()}


def test_the_three_are_listed():
    assert {"mse", "psnr", "channelwise_l2"} <= set(list_metrics())


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
    found = scalars("channelwise_l2", Picture(L, ab), Picture(L, torch.zeros_like(ab)))
    assert found == {
        "channelwise_l2": pytest.approx(2.5 + 4),
        "channelwise_l2_a": pytest.approx(2.5),
        "channelwise_l2_b": pytest.approx(4),
    }


@pytest.mark.parametrize("name", METRICS)
def test_batch_splits_do_not_matter(name):
    prediction, target = pair()
    whole = scalars(name, prediction, target)
    for sizes in ([1, 4], [2, 2, 1], [1] * 5):
        assert scalars(name, prediction, target, sizes) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_each_says_which_way_is_better_and_is_right(name):
    metric = METRICS.create(name)
    assert metric.higher_is_better in (True, False)
    prediction, target = pair(noise=0.2)
    near = scalars(name, pair(noise=0.02)[0], target)[name]
    far = scalars(name, prediction, target)[name]
    assert (near > far) == metric.higher_is_better


@pytest.mark.parametrize("name", METRICS)
def test_sums_over_processes_and_resets(name):
    prediction, target = pair()
    metric = METRICS.create(name)
    metric.update(prediction, target)
    assert set(metric._reductions) == set(metric._defaults)
    for state, reduce in metric._reductions.items():
        assert reduce is not None, state
        assert getattr(metric, state).dtype == torch.float64
    metric.reset()
    assert all((getattr(metric, state) == 0).all() for state in metric._defaults)


@pytest.mark.parametrize("name", METRICS)
def test_float32_scalars_from_half_precision_pictures(name):
    prediction, target = pair()
    metrics = create_metrics([name])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        metrics.update(Picture(prediction.L, prediction.ab.bfloat16()), target)
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
