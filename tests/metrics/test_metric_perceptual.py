"""Distances between features against other implementations; LPIPS against the package's values.

The weights are large. With COLORIZER_ALEXNET and COLORIZER_VGG16, paths of .safetensors files with
torchvision's ImageNet weights, the tests that need them run too.
"""

import os

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.kid import poly_kernel

from colorizer.backbones.alexnet import alexnet_lpips
from colorizer.backbones.inception import inception
from colorizer.backbones.vgg import _network, vgg16_means
from colorizer.color.tensors import LabBatch, rgb_to_lab
from colorizer.errors import UsageError
from colorizer.metrics import create_metrics
from colorizer.metrics.perceptual import frechet_distance, kernel_distance
from tests.drawn import landscape

LPIPS_PACKAGE = 0.492592  # lpips 0.1.4, net="alex", on the same two pictures


def features(n=60, d=8, shift=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=generator)
    return torch.randn(n, d, generator=generator) @ mix + shift


@pytest.mark.parametrize("n", [60, 6])  # more and fewer pictures than features
def test_frechet_distance_with_a_matrix_root(n):
    x, y = features(n), features(n, shift=0.5, seed=1)
    (mx, cx), (my, cy) = (
        (s.mean(0), np.cov(s.T)) for s in (x.double().numpy(), y.double().numpy())
    )
    root = sqrtm(cx @ cy)
    expected = ((mx - my) ** 2).sum() + np.trace(cx + cy - 2 * root.real)
    assert frechet_distance(x, y).item() == pytest.approx(expected, rel=1e-3)


def test_frechet_distance_of_a_shift_is_its_square():
    x = features()
    assert frechet_distance(x, x).item() == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + 2).item() == pytest.approx(4 * 8, rel=1e-6)


def test_kernel_distance_by_loops():
    x, y = features(7).double(), features(7, shift=0.3, seed=1).double()
    kxx, kyy, kxy = poly_kernel(x, x), poly_kernel(y, y), poly_kernel(x, y)
    total = sum(
        kxx[i, j] + kyy[i, j] - kxy[i, j] - kxy[j, i] for i in range(7) for j in range(7) if i != j
    )
    assert kernel_distance(x, y).item() == pytest.approx(total.item() / 42)
    assert kernel_distance(x, x).item() == pytest.approx(0, abs=1e-12)


def test_kernel_distance_of_blocks(monkeypatch):
    x, y = features(20), features(20, shift=0.3, seed=1)
    halves = [kernel_distance(x[part], y[part]) for part in (slice(10), slice(10, 20))]
    monkeypatch.setattr("colorizer.metrics.perceptual._BLOCK", 10)
    assert kernel_distance(x, y).item() == pytest.approx(torch.stack(halves).mean().item())


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_a_set_of_one_is_refused(distance):
    with pytest.raises(UsageError, match="needs 2 pictures"):
        distance(features(1), features(1))


def test_vgg16_takes_any_size():
    backbone = vgg16_means("random")
    assert backbone(torch.rand(1, 3, 40, 70)).shape == (1, 512)
    assert "untrained" in backbone.about


def test_inception_takes_any_size():
    pytest.importorskip("torch_fidelity")
    backbone = inception("random")
    picture = torch.randint(0, 256, (1, 3, 40, 70), dtype=torch.uint8)
    assert backbone(picture).shape == (1, 2048)


def test_inception_from_a_file(tmp_path):
    pytest.importorskip("torch_fidelity")
    first = inception("random")
    torch.save(first.network.state_dict(), tmp_path / "inception.pth")
    second = inception(str(tmp_path / "inception.pth"))
    picture = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(first(picture), second(picture))
    assert "sha256" in second.about


def test_backbones_leave_the_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    alexnet_lpips.__wrapped__("random")
    _network.__wrapped__("random")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("metric", "setting"), [("lpips", "alexnet"), ("frechet_vgg16", "vgg16"), ("fid", "inception")]
)
def test_missing_and_wrong_weights_are_refused(metric, setting, tmp_path):
    if metric == "fid":
        pytest.importorskip("torch_fidelity")
    with pytest.raises(UsageError, match=rf"{setting} .*nothing.safetensors'"):
        create_metrics({metric: {setting: str(tmp_path / "nothing.safetensors")}})
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"no weights")
    with pytest.raises(UsageError, match=rf"{setting} .*wrong.safetensors'"):
        create_metrics({metric: {setting: str(wrong)}})


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, other)
    with pytest.raises(UsageError, match=r"features.0.weight is \(64, 3, 3, 3\), not \(64, 3, 11"):
        create_metrics({"lpips": {"alexnet": str(other)}})


def test_lpips_refuses_tiny_pictures():
    side = LabBatch(*rgb_to_lab(torch.rand(1, 3, 31, 64)))
    metrics = create_metrics({"lpips": {"alexnet": "random"}})
    with pytest.raises(UsageError, match="lpips: pictures are 31x64, it needs 32"):
        metrics.update(side, side)


@pytest.mark.skipif("COLORIZER_ALEXNET" not in os.environ, reason="needs COLORIZER_ALEXNET")
def test_lpips_of_two_pictures_is_the_packages():
    backbone = alexnet_lpips(os.environ["COLORIZER_ALEXNET"])
    x, y = (
        torch.from_numpy(landscape(seed, 96, 112)).permute(2, 0, 1)[None] / 255 for seed in (0, 1)
    )
    assert backbone(x, y).item() == pytest.approx(LPIPS_PACKAGE, abs=1e-4)
    assert backbone(x, x).item() == 0


@pytest.mark.skipif("COLORIZER_VGG16" not in os.environ, reason="needs COLORIZER_VGG16")
def test_vgg16_features_are_torchvisions():
    from safetensors.torch import load_file
    from torchvision.models import vgg

    tensors = load_file(os.environ["COLORIZER_VGG16"])
    network = vgg.make_layers(vgg.cfgs["D"])
    network.load_state_dict({k.removeprefix("features."): v for k, v in tensors.items()})
    rgb = torch.rand(1, 3, 128, 128)
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    with torch.no_grad():
        expected = network[:30]((rgb - mean) / std).mean((2, 3))
    found = vgg16_means(os.environ["COLORIZER_VGG16"])(rgb)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
