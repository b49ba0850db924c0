"""The losses that look through VGG16: the network, their formulas, their memory."""

import copy
import os

import pytest
import torch
import torch.nn.functional as F
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file
from torch import nn

from colorizer.backbones import vgg
from colorizer.backbones.vgg import LAYERS, vgg16_features
from colorizer.color.tensors import Prediction, Target
from colorizer.errors import UsageError
from colorizer.losses import create_loss
from colorizer.losses.contrastive import ContrastiveLoss
from colorizer.losses.perceptual import PerceptualLoss
from tests.drawn import pair
from tests.live_bytes import LiveBytes

# ---- VGG16


def plain_vgg(features):
    """VGG16 as torchvision builds it, up to relu4_3, with the weights of `features`."""
    layers, inputs = [], 3
    for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512):
        if width == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
    model = nn.Sequential(*layers)
    model.load_state_dict(features.network.state_dict())  # every key, and no other

    def run(rgb):
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (rgb - mean[:, None, None]) / std[:, None, None]
        found = []
        for number, layer in enumerate(model):
            x = layer(x)
            if number in (3, 8, 15, 22):
                found.append(x)
        return found

    return run


def tensors(source):
    """The weights of a source, by torchvision's names; five blocks."""
    return {f"features.{k}": v for k, v in vgg._network(source)[0].state_dict().items()}


def forget():
    vgg16_features.cache_clear()
    vgg._network.cache_clear()


def test_features_are_vgg16s():
    rgb = torch.rand(2, 3, 33, 47)
    features = vgg16_features("random")
    with torch.no_grad():
        expected = dict(zip(LAYERS, plain_vgg(features)(rgb), strict=True))
    found = features(rgb)
    assert list(found) == list(LAYERS)
    for layer in LAYERS:
        torch.testing.assert_close(found[layer], expected[layer], rtol=1e-4, atol=1e-4)
    assert list(features(rgb, ["relu2_2"])) == ["relu2_2"]
    assert found["relu2_2"].is_contiguous(memory_format=torch.channels_last)


def test_features_follow_autocast_and_leave_the_gradient_alone():
    rgb = torch.rand(1, 3, 16, 16, requires_grad=True)
    features = vgg16_features("random")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert features(rgb)["relu4_3"].dtype == torch.bfloat16
    features(rgb)["relu4_3"].sum().backward()
    found, rgb.grad = rgb.grad, None
    plain_vgg(features)(rgb)[-1].sum().backward()
    torch.testing.assert_close(found, rgb.grad, rtol=1e-3, atol=1e-3 * rgb.grad.abs().max().item())


def test_vgg16_is_shared_and_kept_out_of_state_and_parameters():
    loss = create_loss({"perceptual": {"vgg16": "random"}, "contrastive": {"vgg16": "random"}})
    assert loss.members["perceptual"].features is loss.members["contrastive"].features
    assert copy.deepcopy(loss).members["perceptual"].features is vgg16_features("random")
    assert not list(loss.parameters())
    assert not loss.state_dict()
    assert not any(p.requires_grad for p in vgg16_features("random").network.parameters())


def test_vgg16_from_a_file(tmp_path):
    stored = {key: value.half() for key, value in tensors("random").items()}
    save_file(stored | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "vgg.safetensors")
    for key, value in tensors(str(tmp_path / "vgg.safetensors")).items():
        assert torch.equal(value, stored[key].float())
    del stored["features.21.bias"]
    save_file(stored, tmp_path / "less.safetensors")
    with pytest.raises(UsageError, match=r"features\.21\.bias is missing, not \(512,\)"):
        vgg16_features(str(tmp_path / "less.safetensors"))


def test_vgg16_refuses_with_the_ways_out(tmp_path, monkeypatch):
    def offline(*_):
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("colorizer.backbones.fetched.hub_answers", lambda: True)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    forget()
    with pytest.raises(UsageError, match=r"either connect once .* or set vgg16 to the path"):
        create_loss({"perceptual": 1.0})
    with pytest.raises(UsageError, match=r"'nowhere\.safetensors': no such file; accepted are"):
        create_loss({"perceptual": {"vgg16": "nowhere.safetensors"}})
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(UsageError, match=r"not a \.safetensors file"):
        vgg16_features(str(tmp_path / "text.safetensors"))
    with pytest.raises(UsageError, match="pictures are 7x9"):
        vgg16_features("random")(torch.rand(1, 3, 7, 9))


@pytest.fixture
def unreachable(monkeypatch):
    """No way to the hub, and nobody may ask its own client, which would retry for long."""

    def refuse(*_, **__):
        raise AssertionError("asked the hub")

    def unroutable(*_, **__):
        raise OSError("unreachable")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr("socket.create_connection", unroutable)
    forget()
    yield
    forget()


@pytest.mark.usefixtures("unreachable")
def test_vgg16_offline_is_refused_after_the_probe_alone(monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(UsageError, match=r"out of reach and its cache has none.*set vgg16 to the"):
        create_loss({"perceptual": 1.0})


@pytest.mark.usefixtures("unreachable")
def test_vgg16_offline_comes_from_the_hubs_cache(tmp_path, monkeypatch):
    # As the hub lays its cache out: a reference to a commit, and that commit's files.
    place = tmp_path / "models--timm--vgg16.tv_in1k"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("c0ffee")
    (place / "snapshots" / "c0ffee").mkdir(parents=True)
    weights = tensors("random")
    save_file(weights, place / "snapshots" / "c0ffee" / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = tensors("imagenet")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)


@pytest.mark.skipif("COLORIZER_VGG16" not in os.environ, reason="needs COLORIZER_VGG16=FILE")
def test_real_vgg16_weights_rank_chroma():
    _, target = pair(height=64, width=64)
    smooth = F.avg_pool2d(target.ab, 9, 1, 4)
    target = Target(target.L, smooth)
    for name in ("perceptual", "contrastive"):
        loss = create_loss({name: {"vgg16": os.environ["COLORIZER_VGG16"]}})
        gray, half, full = (
            loss(Prediction(target.L, share * smooth, lambda raw: raw), target).item()
            for share in (0.0, 0.5, 1.0)
        )
        assert gray > half > full
        assert full == pytest.approx(0, abs=1e-3)


# ---- perceptual


def test_perceptual_is_the_formula():
    prediction, target = pair()
    run = plain_vgg(vgg16_features("random"))
    with torch.no_grad():
        sides = list(zip(run(prediction.rgb), run(target.rgb), strict=True))
    content = sum(((x - y) ** 2).mean().item() for x, y in sides) / 4
    style = 0.0
    for x, y in sides:
        n, c, h, w = x.shape
        g = [torch.einsum("nihw,njhw->nij", f, f) / (c * h * w) for f in (x, y)]
        style += ((g[0] - g[1]) ** 2).sum().item() / n / 4
    rgb = prediction.rgb.detach()
    tv = (rgb[..., 1:] - rgb[..., :-1]).abs().mean().item()
    tv += (rgb[..., 1:, :] - rgb[..., :-1, :]).abs().mean().item()

    def found(**weights):
        options = {"content": 0.0, "style": 0.0, "tv": 0.0} | weights
        return PerceptualLoss(**options, vgg16="random")(prediction, target).item()

    assert found(content=1.0) == pytest.approx(content, rel=1e-4)
    assert found(style=1.0) == pytest.approx(style, rel=1e-4)
    assert found(tv=1.0) == pytest.approx(tv, rel=1e-4)
    mixed = 0.5 * content + 2 * style + 3 * tv
    assert found(content=0.5, style=2, tv=3) == pytest.approx(mixed, rel=1e-4)


def test_perceptual_skips_vgg_for_total_variation_alone():
    prediction, target = pair()
    loss = PerceptualLoss(content=0, style=0, tv=1, vgg16="nowhere")
    assert loss(prediction, target) > 0
    with pytest.raises(UsageError, match="one above 0"):
        PerceptualLoss(content=0, style=0, vgg16="random")


# ---- contrastive


def test_contrastive_layers_is_the_formula():
    prediction, target = pair()
    run = plain_vgg(vgg16_features("random"))
    with torch.no_grad():
        sides = list(zip(*(run(x) for x in (prediction.rgb, target.rgb, target.gray)), strict=True))
    expected = 0.0
    for weight, (x, color, gray) in zip((1 / 16, 1 / 8, 1 / 4, 1), sides, strict=True):
        pull, push = (x - color).abs().mean(), (x - gray).abs().mean()
        span = (color - gray).abs().mean()
        expected += weight * pull.item() / (push + 0.3 * span + 1e-3).item()
    loss = ContrastiveLoss("layers", softening=0.3, vgg16="random")
    assert loss(prediction, target).item() == pytest.approx(expected, rel=1e-3)
    one = ContrastiveLoss("layers", layer_weights={"relu1_2": 2.0}, vgg16="random")
    x, color, gray = sides[0]
    span = (color - gray).abs().mean()
    expected = 2 * (x - color).abs().mean() / ((x - gray).abs().mean() + 0.5 * span + 1e-3)
    assert one(prediction, target).item() == pytest.approx(expected.item(), rel=1e-3)


def test_contrastive_vector_is_the_formula():
    prediction, target = pair()
    run = plain_vgg(vgg16_features("random"))
    with torch.no_grad():
        x, color, gray = (
            F.normalize(run(side)[-1].mean((2, 3)))
            for side in (prediction.rgb, target.rgb, target.gray)
        )
    pull, push, span = (u.sub(v).norm(dim=1) for u, v in ((x, color), (x, gray), (color, gray)))
    expected = torch.clamp(pull - push + 0.8 * span, min=0).mean().item()
    loss = ContrastiveLoss("vector", margin=0.8, vgg16="random")
    assert expected > 0
    assert loss(prediction, target).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("mode", ["vector", "layers"])
def test_contrastive_falls_from_gray_to_the_original(mode):
    _, target = pair()
    loss = ContrastiveLoss(mode, margin=1.0, vgg16="random")
    values = [
        loss(Prediction(target.L, share * target.ab, lambda raw: raw), target).item()
        for share in (0, 0.5, 1)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0, abs=1e-5)


def test_contrastive_refuses_strange_settings():
    for options in ({"layer_weights": {"relu5_1": 1.0}}, {"layer_weights": {"relu1_2": 0.0}}):
        with pytest.raises(UsageError, match="accepted are relu1_2, relu2_2, relu3_3, relu4_3"):
            ContrastiveLoss(**options, vgg16="random")
    with pytest.raises(UsageError, match="margin 2"):
        ContrastiveLoss(margin=2, vgg16="random")


# ---- memory


def test_live_bytes_counts():
    with LiveBytes() as live:
        x = torch.zeros(1000)
        y = x.view(10, 100) + 1
        del y
        z = x + 1
    assert (live.peak, live.bytes) == (8000, 8000)
    del x, z
    assert live.bytes == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        {"perceptual": {"vgg16": "random", "tv": 1.0}},
        {"contrastive": {"vgg16": "random", "mode": "layers"}},
        {"contrastive": {"vgg16": "random", "mode": "vector"}},
    ],
    ids=lambda spec: "-".join([*spec, *(v.get("mode", "") for v in spec.values())]).strip("-"),
)
def test_vgg_losses_fit_in_six_gigabytes(spec):
    """Batch 32 at 256x256, bf16: all that is alive at once in the loss, forward and backward.

    1.5 GB of the 6 are left for the model (colornet18: a million parameters), its optimizer and
    the workspace of the convolutions. One picture of 96x96 stands for 1/228 of the batch.
    """
    loss = create_loss(spec)
    prediction, target = pair(1, 96, 96)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(Prediction(target.L, prediction.raw, lambda raw: raw), target)
        value.backward()

    step()  # the weights' bf16 copies, made once, are no activations
    with LiveBytes() as live:
        step()
    assert 1e9 < 228 * live.peak < 6e9 - 1.5e9
