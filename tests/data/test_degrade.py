"""Old photographs: each effect against an independent source, and what a seed fixes."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab

from colorizer.color.tensors import luminance_to_lightness, rgb_to_lab, srgb_to_linear
from colorizer.data import degrade
from colorizer.data.degrade import Degradation
from colorizer.errors import UsageError
from tests.device import device
from tests.drawn import landscape

OFF = {"fade": 0, "grain": 0, "blur": 0, "jpeg": 0, "orthochromatic": 0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def photos(n=3, height=40, width=56):
    """(N, 3, H, W), 0..1."""
    pictures = np.stack([landscape(i, height, width) for i in range(n)])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255


def here(seed=0):
    return torch.Generator(device()).manual_seed(seed)


def placed(*about):
    return photos(*about).to(device())


# ---- the whole


def test_a_seed_fixes_the_result():
    rgb = placed()
    once, again, other = (Degradation(1)(rgb, here(seed)) for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_each_picture_is_degraded_on_its_own():
    rgb = placed(8)
    others = torch.cat([rgb[:1], torch.rand(7, *rgb.shape[1:], generator=seeded(5)).to(device())])
    degraded = Degradation(1)
    assert torch.equal(degraded(rgb, here())[0], degraded(others, here())[0])
    same = degraded(rgb[:1].expand(8, -1, -1, -1), here())
    assert not any(torch.equal(same[0], other) for other in same[1:])


def test_what_is_not_degraded_is_the_lightness_exactly():
    rgb = placed(64, 16, 16)
    L = rgb_to_lab(rgb)[0]
    assert torch.equal(Degradation(0)(rgb, here()), L)
    assert torch.equal(Degradation(1, **OFF)(rgb, here()), L)
    faint = Degradation(1, **(OFF | {"fade": 1e-6}))(rgb, here())  # goes all the way
    assert not torch.equal(faint, L)
    torch.testing.assert_close(faint, L, atol=5e-3, rtol=0)
    kept = (Degradation(0.5)(rgb, here()) == L).flatten(1).all(1)
    assert 20 < kept.sum() < 45


def test_one_setting_moves_no_other_effect():
    rgb, faded = placed(), OFF | {"fade": 1.0}
    with_blur = Degradation(1, **(faded | {"blur": 1e-9}))(rgb, here())
    torch.testing.assert_close(Degradation(1, **faded)(rgb, here()), with_blur)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.booleans())
def test_lightness_stays_lightness_at_any_size(height, width, seed, black_and_white):
    rgb = torch.rand(2, 3, height, width, generator=seeded(seed)).to(device())
    rgb = rgb.round() if black_and_white else rgb
    strong = Degradation(1, fade=1, grain=0.5, blur=8, jpeg=1, orthochromatic=1)
    for degradation in (Degradation(1), strong):
        L = degradation(rgb, here(seed))
        assert L.shape == (2, 1, height, width)
        assert L.dtype == torch.float32
        assert L.isfinite().all()
        assert L.min() >= 0
        assert L.max() <= 100


def test_no_autocast_no_gradient():
    rgb = placed().requires_grad_()
    expected = Degradation(1)(rgb, here())
    with torch.autocast(device().type, dtype=torch.bfloat16):
        found = Degradation(1)(rgb, here())
    assert torch.equal(found, expected)
    assert not found.requires_grad


class NoLooking(torch.utils._python_dispatch.TorchDispatchMode):
    """Fails where the host would wait for the device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        waits = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal.default")
        assert not any(name in str(function) for name in waits), function
        return function(*args, **(kwargs or {}))


def test_the_host_never_waits():
    rgb = placed()
    with NoLooking():
        Degradation(1)(rgb, here())


def test_settings_out_of_range_are_named():
    for options in ({"probability": 1.5}, {"grain": -1}, {"jpeg": 2}, {"blur": float("nan")}):
        with pytest.raises(UsageError, match=f"{next(iter(options))} is .* accepted are 0 to"):
            Degradation(**options)


@pytest.mark.parametrize("effect", list(OFF))
def test_every_effect_shows_in_some_pictures_and_not_in_others(effect):
    rgb = photos(32, 128, 128)
    value = getattr(Degradation(), effect)
    L = Degradation(1, **(OFF | {effect: value}))(rgb, seeded())
    changed = (L - rgb_to_lab(rgb)[0]).abs().flatten(1).amax(1) > 0.01
    assert 10 < changed.sum() < 28


# ---- each effect


def test_color_conversions_are_scikit_images():
    rgb = torch.rand(1, 3, 9, 11, generator=seeded())
    linear = srgb_to_linear(rgb)
    luminance = torch.einsum("nchw,c->nhw", linear, torch.tensor([0.212671, 0.715160, 0.072169]))
    L = rgb2lab(rgb[0].permute(1, 2, 0).numpy())[..., 0]
    np.testing.assert_allclose(luminance_to_lightness(luminance)[0], L, atol=2e-2)
    ends = luminance_to_lightness(torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(ends, torch.tensor([0.0, 100.0]), atol=1e-4, rtol=0)


def test_orthochromatic_film_is_blind_to_red():
    rgb, strength = photos(), torch.tensor([0.0, 0.3, 1.0])
    found = degrade.film_luminance(rgb, strength)
    x = rgb.numpy().astype(np.float64)
    linear = np.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
    for i, s in enumerate(strength.tolist()):
        red, green, blue = linear[i]
        eye = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        expected = (1 - s) * eye + s * (0.55 * green + 0.45 * blue)
        np.testing.assert_allclose(found[i, 0], expected, atol=1e-5)
    red_and_white = torch.tensor([[1.0, 0, 0], [1, 1, 1]]).view(2, 3, 1, 1)
    seen = degrade.film_luminance(red_and_white, torch.ones(2)).flatten()
    torch.testing.assert_close(seen, torch.tensor([0.0, 1.0]))


def test_blur_is_scipys():
    x, sigma = photos()[:, :1], torch.tensor([0.0, 0.7, 2.0])
    found = degrade.blur(x, sigma, 2.0)
    assert torch.equal(found[0], x[0])
    for i in (1, 2):
        expected = gaussian_filter(x[i, 0].numpy(), sigma[i].item(), mode="nearest", radius=6)
        np.testing.assert_allclose(found[i, 0], expected, atol=1e-5)


def test_blur_grows_with_the_picture():
    point = torch.zeros(1, 1, 64, 64)
    point[..., 32, 32] = 1
    only = OFF | {"blur": 2.0}
    spreads = []
    for factor in (1, 2):
        rgb = point.repeat_interleave(factor, 2).repeat_interleave(factor, 3).expand(-1, 3, -1, -1)
        seeds = (seed for seed in range(50) if Degradation(1, **only)(rgb, seeded(seed)).max() < 90)
        L = Degradation(1, **only)(rgb, seeded(next(seeds)))
        spreads.append((L / L.max() > 0.1).sum().item() ** 0.5)
    assert spreads[1] == pytest.approx(2 * spreads[0], rel=0.25)


def test_grain_has_its_deviation_strongest_in_mid_tones():
    tones = torch.tensor([0.0, 0.2, 0.5, 0.8, 1.0])
    gray = tones.view(-1, 1, 1, 1).expand(-1, 1, 128, 128)
    amount, size = torch.full((5,), 0.05), torch.tensor([0.4, 0.4, 0.8, 0.8, 0.4])
    found = degrade.grain(gray, amount, size, 0.8, seeded())
    expected = 0.05 * 2 * (tones * (1 - tones)).sqrt()
    torch.testing.assert_close(found.std((1, 2, 3)), expected, rtol=0.05, atol=1e-6)
    torch.testing.assert_close(found.mean((1, 2, 3)), tones, rtol=0, atol=3e-3)
    assert torch.equal(found[0], gray[0])


def test_grain_is_correlated_over_its_size():
    gray = torch.full((2, 1, 256, 256), 0.5)
    noise = degrade.grain(gray, torch.full((2,), 0.05), torch.tensor([0.4, 0.8]), 0.8, seeded())
    noise = noise - 0.5
    neighbors = (noise[..., 1:] * noise[..., :-1]).mean((1, 2, 3)) / noise.var((1, 2, 3))
    for found, sigma in zip(neighbors.tolist(), (0.4, 0.8), strict=True):
        kernel = np.exp(-0.5 * (np.arange(-4, 5) / sigma) ** 2)
        correlation = (kernel[1:] * kernel[:-1]).sum() / (kernel**2).sum()
        assert found == pytest.approx(correlation, abs=0.02)


def test_fade_is_its_formula():
    gray = photos()[:, :1]
    black, white = torch.tensor([0.0, 0.2, 0.1]), torch.tensor([1.0, 0.9, 0.6])
    gamma = torch.tensor([1.0, 0.5, 2.0])
    found = degrade.fade(gray, black, white, gamma).numpy()
    assert np.array_equal(found[0], gray[0])
    for i in range(3):
        b, w, g = black[i].item(), white[i].item(), gamma[i].item()
        np.testing.assert_allclose(found[i], b + (w - b) * gray[i].numpy() ** g, atol=1e-6)


@pytest.mark.parametrize("size", [(40, 56), (33, 51), (5, 3)])
def test_jpeg_is_pillows(size):
    """But for libjpeg's integer arithmetic."""
    gray, quality = photos(4, *size)[:, :1], [1, 30, 60, 95]
    found = degrade.jpeg(gray, torch.tensor(quality).float())
    for i, q in enumerate(quality):
        Image.fromarray((255 * gray[i, 0]).round().byte().numpy()).save(
            file := io.BytesIO(), "jpeg", quality=q
        )
        expected = np.asarray(Image.open(file)).astype(float)
        difference = np.abs(255 * found[i, 0].numpy() - expected)
        assert difference.mean() < 0.5  # of 255
        assert (difference > 1).mean() < 0.1  # where a coefficient lay between two steps


def test_pictures_that_are_left_alone_stay_as_they_are() -> None:
    rgb = torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    L = rgb_to_lab(rgb)[0]
    untouched = 0
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        seen = Degradation(probability=0.2)(rgb, generator)
        same = (seen == L).flatten(1).all(1)
        untouched += int(same.sum())
    assert 0.7 < untouched / 120 < 0.9
