"""Lab and sRGB on tensors, against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab
from torch.utils._python_dispatch import TorchDispatchMode

from colorizer.color.tensors import (
    LabBatch,
    Prediction,
    Target,
    lab_to_rgb,
    lightness_to_gray,
    rgb_to_lab,
)
from tests.device import device


def channels_last(tensor):
    return tensor.cpu().double().permute(0, 2, 3, 1).numpy()


@pytest.fixture
def rgb():
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(2, 3, 40, 50, generator=generator)
    rgb[0, :, 0, :8] = torch.tensor(list(np.ndindex(2, 2, 2))).T.float()  # the cube's corners
    rgb[1, :, :20] *= 0.02  # the linear part of both curves
    return rgb.to(device())


def test_rgb_to_lab_is_scikit_image(rgb):
    L, ab = rgb_to_lab(rgb)
    expected = rgb2lab(channels_last(rgb))
    assert L.shape == (2, 1, 40, 50)
    assert ab.shape == (2, 2, 40, 50)
    np.testing.assert_allclose(channels_last(torch.cat([L, ab], 1)), expected, atol=2e-3)


def test_lab_to_rgb_is_scikit_image_and_the_inverse(rgb):
    lab = rgb2lab(channels_last(rgb))
    tensor = torch.from_numpy(lab).to(device()).permute(0, 3, 1, 2)
    back = lab_to_rgb(tensor[:, :1], tensor[:, 1:])
    assert back.dtype == torch.float32
    np.testing.assert_allclose(channels_last(back), lab2rgb(lab), atol=1e-4)
    np.testing.assert_allclose(channels_last(back), channels_last(rgb), atol=1e-3)


def test_lab_to_rgb_clips_out_of_gamut():
    L = torch.full((1, 1, 1, 2), 50.0)
    ab = torch.tensor([127.0, -127.0]).expand(1, 2, 1, 2)
    rgb = lab_to_rgb(L, ab)
    assert rgb.min() == 0
    assert rgb.max() == 1


def test_lightness_to_gray_is_scikit_image():
    L = torch.linspace(0, 100, 401)
    lab = np.zeros((401, 3))
    lab[:, 0] = L
    gray = lightness_to_gray(L)
    np.testing.assert_allclose(gray.numpy(), lab2rgb(lab).mean(-1), atol=1e-4)
    back = rgb2lab(np.repeat(gray.double().numpy()[:, None], 3, 1))
    np.testing.assert_allclose(back[:, 0], L.numpy(), atol=1e-3)


def test_autocast_changes_nothing(rgb):
    plain = rgb_to_lab(rgb)
    with torch.autocast(device().type, dtype=torch.bfloat16):
        cast = rgb_to_lab(rgb)
        again = lab_to_rgb(*cast)
    assert torch.equal(plain[0], cast[0])
    assert torch.equal(plain[1], cast[1])
    assert torch.equal(again, lab_to_rgb(*plain))


def test_gradients_are_finite_everywhere():
    grid = torch.meshgrid(
        torch.tensor([0.0, 1e-4, 1, 7.99, 8, 50, 100]),
        torch.tensor([-128.0, -20, 0, 20, 127]),
        torch.tensor([-128.0, -20, 0, 20, 127]),
        indexing="ij",
    )
    lab = torch.stack(grid).reshape(1, 3, 7, 25).requires_grad_()
    lab_to_rgb(lab[:, :1], lab[:, 1:]).sum().backward()
    assert lab.grad.isfinite().all()
    L = grid[0].clone().requires_grad_()
    lightness_to_gray(L).sum().backward()
    assert L.grad.isfinite().all()
    rgb = torch.tensor([0.0, 1e-4, 0.04045, 0.5, 1]).expand(1, 3, 1, 5).clone().requires_grad_()
    L, ab = rgb_to_lab(rgb)
    (L.sum() + ab.sum()).backward()
    assert rgb.grad.isfinite().all()


class Operations(TorchDispatchMode):
    """Notes what is called inside it."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def test_nothing_is_copied_to_the_device_or_left_to_tf32(rgb):
    """`torch.tensor` on a GPU waits for it; products and convolutions there may be TF32."""
    with Operations() as found:
        lab_to_rgb(*rgb_to_lab(rgb))
    assert found.names
    assert not found.names & {"lift_fresh", "_to_copy", "copy_", "convolution", "mm", "bmm"}


def test_picture_gives_rgb_and_gray(rgb):
    L, ab = rgb_to_lab(rgb)
    picture = Target(L, ab)
    assert torch.allclose(picture.rgb, rgb, atol=1e-3)
    assert picture.gray.shape == rgb.shape
    assert torch.allclose(picture.gray, LabBatch(L, torch.zeros_like(ab)).rgb, atol=1e-3)


def test_prediction_decodes_on_demand_and_enlarges():
    calls = []

    def decode(raw):
        calls.append(raw.shape)
        return raw[:, :2] * 10

    L = torch.full((1, 1, 9, 13), 50.0)
    prediction = Prediction(L, torch.ones(1, 4, 3, 4, dtype=torch.bfloat16), decode)
    assert calls == []
    assert prediction.ab.shape == (1, 2, 9, 13)
    assert prediction.ab.dtype == torch.float32
    assert torch.allclose(prediction.ab, torch.tensor(10.0))
    assert prediction.rgb.shape == (1, 3, 9, 13)
    assert len(calls) == 1
