"""Each loss against its formula typed again, and what only one of them promises."""

import copy
import math
import os
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from colorizer.color import Prediction, Target, rgb_to_lab
from colorizer.errors import UnknownNameError, UsageError
from colorizer.gamut import bins, class_weights, smooth_prior
from colorizer.losses import create_loss, list_losses
from colorizer.losses.adversarial import AdversarialLoss
from colorizer.losses.contrastive import ContrastiveLoss
from colorizer.losses.distribution import DistributionLoss
from colorizer.losses.perceptual import PerceptualLoss
from colorizer.losses.pixel import HuberLoss, L1Loss, MSELoss
from colorizer.losses.vgg import LAYERS, VGG16Features, vgg16_features

Q = len(bins())


def pair(n=2, height=24, width=26, seed=0):
    """A prediction with head `ab` at full size, and a target of the same lightness."""
    generator = torch.Generator().manual_seed(seed)
    L, ab = rgb_to_lab(torch.rand(n, 3, height, width, generator=generator))
    raw = (ab + 10 * torch.randn(ab.shape, generator=generator)).requires_grad_()
    return Prediction(L, raw, lambda raw: raw), Target(L, ab)


# ---- pixel


def test_pixel_losses_by_hand():
    L = torch.full((1, 1, 1, 2), 50.0)
    ab = torch.tensor([2.0, 0, 0, 40]).view(1, 2, 1, 2)  # differences of 2, 0, 0, 40
    prediction, target = Prediction(L, ab, lambda raw: raw), Target(L, torch.zeros_like(ab))
    assert MSELoss()(prediction, target).item() == pytest.approx((0.1**2 + 2**2) / 4)
    assert L1Loss()(prediction, target).item() == pytest.approx((0.1 + 2) / 4)
    huber = (0.5 * 0.1**2 + 0.5 * (2 - 0.5 * 0.5)) / 4  # delta 10 Lab units is 0.5
    assert HuberLoss()(prediction, target).item() == pytest.approx(huber)
    wide = HuberLoss(delta=60)(prediction, target).item()
    assert wide == pytest.approx(0.5 * (0.1**2 + 2**2) / 4)


def test_pixel_losses_in_rgb():
    prediction, target = pair()
    x = (prediction.rgb - target.rgb).abs().detach().double()
    assert MSELoss("rgb")(prediction, target).item() == pytest.approx((x**2).mean().item())
    assert L1Loss("rgb")(prediction, target).item() == pytest.approx(x.mean().item())
    huber = torch.where(x < 0.1, 0.5 * x**2, 0.1 * (x - 0.05)).mean().item()
    assert HuberLoss("rgb")(prediction, target).item() == pytest.approx(huber, rel=1e-5)
    with pytest.raises(UsageError, match="delta is 0"):
        HuberLoss(delta=0)


# ---- distribution


def soft_encode(ab, neighbors=5, sigma=5.0):
    """One pixel's shares of all bins, and its nearest bin, by brute force."""
    distance2 = ((bins().astype(float) - ab) ** 2).sum(1)
    near = np.argsort(distance2)[:neighbors]
    share = np.zeros(Q)
    share[near] = np.exp(-distance2[near] / (2 * sigma**2))
    return share / share.sum(), near[0]


def test_distribution_is_zhangs_formula():
    generator = torch.Generator().manual_seed(0)
    L, ab = rgb_to_lab(torch.rand(2, 3, 12, 16, generator=generator))
    raw = torch.randn(2, Q, 3, 4, generator=generator)
    prior = smooth_prior(np.random.default_rng(0).random(Q) ** 8)
    loss = DistributionLoss(mix=0.4)
    loss.set_prior(torch.from_numpy(prior))
    weights = 1 / (0.6 * prior + 0.4 / Q)
    weights /= (prior * weights).sum()

    small = ab.view(2, 2, 3, 4, 4, 4).mean((3, 5)).double().numpy()
    log_p = raw.double() - raw.double().exp().sum(1, keepdim=True).log()
    terms = []
    for n, y, x in np.ndindex(2, 3, 4):
        share, nearest = soft_encode(small[n, :, y, x])
        terms.append(-weights[nearest] * (share * log_p[n, :, y, x].numpy()).sum())
    found = loss(Prediction(L, raw, lambda raw: raw[:, :2]), Target(L, ab))
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-5)


@pytest.mark.parametrize("neighbors", [1, 5, 9])
def test_nearest_bins_are_exact(neighbors):
    generator = torch.Generator().manual_seed(0)
    ab = 255.9 * torch.rand(20_000, 2, generator=generator) - 128  # far out of gamut as well
    index, share = DistributionLoss(neighbors=neighbors).encode(ab.T[None, :, None])
    distance = torch.cdist(ab.double(), torch.from_numpy(bins().astype(float)))
    expected = distance.topk(neighbors, largest=False)
    found = distance.gather(1, index[0, :, 0].T)
    torch.testing.assert_close(found, expected.values, atol=1e-4, rtol=0)  # ties may swap
    assert index.shape == share.shape == (1, neighbors, 1, 20_000)
    torch.testing.assert_close(share.sum(1), torch.ones(1, 1, 20_000))
    assert (index[0, :, 0].sort(0).values.diff(dim=0) > 0).all()  # no bin twice, none invented


def test_distribution_weighs_evenly_without_a_prior_and_keeps_its_weights():
    loss = DistributionLoss()
    assert torch.equal(loss.weights, torch.ones(Q))
    prior = torch.from_numpy(smooth_prior(np.arange(Q)))
    loss.set_prior(prior)
    assert (prior * loss.weights).sum().item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(loss.weights, torch.from_numpy(class_weights(prior.numpy(), 0.5)))
    again = DistributionLoss()
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again.weights, loss.weights)
    assert list(loss.state_dict()) == ["weights"]


def test_distribution_never_widens_the_target():
    """The log-softmax is the one tensor made that has Q values per pixel."""
    L, ab = rgb_to_lab(torch.rand(2, 3, 64, 64))
    raw = torch.randn(2, Q, 16, 16, requires_grad=True)
    loss = DistributionLoss()
    with LiveBytes() as live:
        loss(Prediction(L, raw, lambda raw: raw[:, :2]), Target(L, ab))
    assert live.peak < 1.6 * raw.nbytes


def test_distribution_refuses_another_head():
    prediction, target = pair()
    with pytest.raises(UsageError, match=f"head 'distribution'.*{Q} channels.*gave 2"):
        DistributionLoss()(prediction, target)
    with pytest.raises(UsageError, match="mix 0"):
        DistributionLoss(mix=0)


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
    state = {key.removeprefix("features."): value for key, value in features._tensors.items()}
    model.load_state_dict(state)  # every key, and no other

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
    assert not any(t.requires_grad for t in vgg16_features("random")._tensors.values())


def test_vgg16_from_a_file(tmp_path):
    random = vgg16_features("random")
    stored = {key: value.half() for key, value in random._tensors.items()}
    save_file(stored | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "vgg.safetensors")
    loaded = vgg16_features(str(tmp_path / "vgg.safetensors"))
    for key, value in loaded._tensors.items():
        assert torch.equal(value, stored[key].float())
    del stored["features.21.bias"]
    with pytest.raises(UsageError, match=r"features\.21\.bias is nothing, VGG16 has \(512,\)"):
        VGG16Features(stored)


def test_vgg16_refuses_with_the_ways_out(tmp_path, monkeypatch):
    def offline(*_):
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    vgg16_features.cache_clear()
    with pytest.raises(UsageError, match=r"either connect once .* or set vgg16 to the path"):
        create_loss({"perceptual": 1.0})
    with pytest.raises(UsageError, match=r"'nowhere\.safetensors': no such file; accepted are"):
        create_loss({"perceptual": {"vgg16": "nowhere.safetensors"}})
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(UsageError, match=r"not a \.safetensors file"):
        vgg16_features(str(tmp_path / "text.safetensors"))
    with pytest.raises(UsageError, match="pictures are 7x9"):
        vgg16_features("random")(torch.rand(1, 3, 7, 9))


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


# ---- adversarial


def test_adversarial_is_the_hinge():
    prediction, target = pair(height=32, width=40)
    loss = AdversarialLoss(channels=4).eval()  # eval: the power iteration stands still
    with torch.no_grad():
        fake, real = loss.discriminator(prediction.rgb), loss.discriminator(target.rgb)
    assert loss(prediction, target).item() == pytest.approx(-fake.mean().item(), rel=1e-5)
    hinge = torch.clamp(1 + fake, min=0).mean() + torch.clamp(1 - real, min=0).mean()
    found = loss.discriminator_loss(prediction, target)
    assert found.item() == pytest.approx(hinge.item(), rel=1e-5)


def test_discriminator_is_spectrally_normal():
    loss = AdversarialLoss(channels=4)
    for _ in range(100):
        loss.discriminator(torch.rand(1, 3, 24, 24))
    convolutions = [m for m in loss.discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 5
    for convolution in convolutions:
        norm = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2)
        assert norm.item() == pytest.approx(1, abs=0.05)


def test_discriminator_loss_trains_the_discriminator_alone():
    prediction, target = pair(height=32, width=32)
    loss = AdversarialLoss(channels=8)
    optimizer = torch.optim.Adam(loss.discriminator.parameters(), 1e-3)
    values = []
    for _ in range(20):
        value = loss.discriminator_loss(prediction, target)
        values.append(value.item())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert prediction.raw.grad is None
    assert values[-1] < values[0]
    total = loss(prediction, target) + loss.discriminator_loss(prediction, target)
    total.backward()  # both in one graph, as a training step may
    assert prediction.raw.grad.abs().sum() > 0


def test_adversarial_starts_when_it_is_told():
    prediction, target = pair(height=32, width=32)
    total = create_loss({"adversarial": {"start": 0.5, "channels": 4}})
    value = total(prediction, target)
    value.backward()
    assert value.item() == 0
    assert (prediction.raw.grad == 0).all()
    total.adversarial.progress = 0.5
    assert total(prediction, target).item() != 0
    assert AdversarialLoss(channels=4).active


def test_adversarial_names_the_smallest_size():
    loss = AdversarialLoss(channels=4)
    prediction, target = pair(height=24, width=24)
    assert loss(prediction, target).isfinite()
    prediction, target = pair(height=24, width=23)
    with pytest.raises(UsageError, match="are 24x23, the discriminator needs 24 or more"):
        loss(prediction, target)
    with pytest.raises(UsageError, match="start 2"):
        AdversarialLoss(start=2)


# ---- the weighted sum


def test_create_loss_adds_by_weight():
    prediction, target = pair()
    loss = create_loss(
        {"huber": 2, "mse": {"weight": 0.5, "space": "rgb"}, "l1": {}, "perceptual": 0}
    )
    expected = {
        "huber": 2 * HuberLoss()(prediction, target).item(),
        "mse": 0.5 * MSELoss("rgb")(prediction, target).item(),
        "l1": L1Loss()(prediction, target).item(),
    }
    found = {name: term.item() for name, term in loss.terms(prediction, target).items()}
    assert found == pytest.approx(expected)
    assert loss(prediction, target).item() == pytest.approx(sum(expected.values()))
    assert not loss.needs_prior
    assert loss.adversarial is None


def test_create_loss_hands_on_the_prior():
    loss = create_loss({"distribution": 1.0, "l1": 0.1})
    assert loss.needs_prior
    prior = torch.from_numpy(smooth_prior(np.ones(Q)))
    loss.set_prior(prior)
    assert not torch.equal(loss.members["distribution"].weights, torch.ones(Q))


@pytest.mark.parametrize("spec", [{}, {"huber": 0}])
def test_create_loss_refuses_nothing(spec):
    with pytest.raises(UsageError, match="no loss is set"):
        create_loss(spec)


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf, "1", True, None])
def test_create_loss_refuses_strange_weights(weight):
    for value in (weight, {"weight": weight}):
        with pytest.raises(UsageError, match="loss 'huber': weight is"):
            create_loss({"huber": value})


def test_create_loss_names_the_wrong():
    with pytest.raises(UnknownNameError, match=r"unknown loss 'hubert'; did you mean 'huber'\?"):
        create_loss({"hubert": 0})
    with pytest.raises(UsageError, match=r"loss 'huber': .*'delt'.*takes space, delta"):
        create_loss({"huber": {"delt": 1.0}})
    assert list_losses() == sorted(list_losses())


# ---- memory


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors made inside it that are alive; `peak` is the most."""

    def __init__(self):
        super().__init__()
        self.alive = set()
        self.bytes = self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, result)
        return result

    def _count(self, tensor):
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self.alive:
            self.alive.add(key)
            self.bytes += size
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self._free, key, size)

    def _free(self, key, size):
        self.alive.discard(key)
        self.bytes -= size


def test_live_bytes_counts():
    with LiveBytes() as live:
        x = torch.zeros(1000)
        y = x.view(10, 100) + 1
        del y
        z = x + 1
    assert (live.peak, live.bytes) == (8000, 8000)
    del x, z
    assert live.bytes == 0


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
    the workspace of the convolutions. One picture of 128x128 stands for 1/128 of the batch.
    """
    loss = create_loss(spec)
    prediction, target = pair(1, 128, 128)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(Prediction(target.L, prediction.raw, lambda raw: raw), target)
        value.backward()

    step()  # the weights' bf16 copies, made once, are no activations
    with LiveBytes() as live:
        step()
    assert 1e9 < 128 * live.peak < 6e9 - 1.5e9
