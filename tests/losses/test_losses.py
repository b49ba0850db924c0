"""Pixel, bin and adversarial losses against their formulas typed again; their weighted sum."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from colorizer.color.binning import Binning
from colorizer.color.gamut import bins, class_weights, smooth_prior
from colorizer.color.tensors import Prediction, Target, rgb_to_lab
from colorizer.errors import UnknownNameError, UsageError
from colorizer.losses import create_loss, list_losses
from colorizer.losses.adversarial import AdversarialLoss
from colorizer.losses.distillation import DistillationLoss
from colorizer.losses.distribution import DistributionLoss
from colorizer.losses.pixel import HuberLoss, L1Loss, MSELoss
from colorizer.metrics import create_metrics
from tests.drawn import pair
from tests.live_bytes import LiveBytes

Q = len(bins())


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


def test_colorfulness_is_that_of_the_metric():
    prediction, target = pair()
    metric = create_metrics(["colorfulness"])
    metric.update(prediction, target)
    expected = 1 - metric.compute()["colorfulness"].item() / 100
    loss = create_loss({"colorfulness": 1.0})
    assert loss(prediction, target).item() == pytest.approx(expected, abs=1e-4)
    gray = Prediction(target.L, torch.zeros(2, 2, 8, 8), lambda raw: raw)
    assert loss(gray, target).item() == pytest.approx(1, abs=1e-3)


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
    index, share = Binning(neighbors)(ab.T[None, :, None])
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
    """Of Q values per pixel there are the raw output, seen again as a view, and its log-softmax."""
    L, ab = rgb_to_lab(torch.rand(2, 3, 64, 64))
    raw = torch.randn(2, Q, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
    loss = DistributionLoss()
    with LiveBytes() as live:
        loss(Prediction(L, raw, lambda raw: raw[:, :2]), Target(L, ab))
    assert live.peak < 2.6 * raw.nbytes


def test_distribution_refuses_another_head():
    prediction, target = pair()
    with pytest.raises(UsageError, match=f"head 'distribution'.*{Q} channels.*gave 2"):
        DistributionLoss()(prediction, target)
    with pytest.raises(UsageError, match="mix 0"):
        DistributionLoss(mix=0)


# ---- distillation


class Fixed(nn.Module):
    """A teacher whose scores, at stride 4, grow with lightness; it notes what it was shown."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.linspace(-0.05, 0.05, Q).view(1, Q, 1, 1))
        self.seen = []

    def forward(self, L):
        self.seen.append(L.clone())
        return self.slope * nn.functional.avg_pool2d(L, 4)


def bins_pair(height=16, width=24):
    _, target = pair(height=height, width=width)
    n = len(target.L)
    raw = torch.randn(n, Q, height // 4, width // 4, generator=torch.Generator().manual_seed(4))
    return Prediction(target.L, raw.requires_grad_(), lambda raw: raw[:, :2]), target


def log_softmax(scores):
    scores = scores.astype(np.float64)
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def test_distillation_is_the_relative_entropy_from_the_teacher():
    prediction, target = bins_pair()
    loss, teacher = DistillationLoss(), Fixed()
    loss.set_teacher(teacher)
    log_p = log_softmax(teacher(target.L).detach().numpy())
    log_q = log_softmax(prediction.raw.detach().numpy())
    expected = (np.exp(log_p) * (log_p - log_q)).sum(1).mean()
    assert loss(prediction, target).item() == pytest.approx(expected, rel=1e-5)
    assert teacher.slope.grad is None
    assert not teacher.slope.requires_grad


def test_distillation_of_the_mirror_and_of_another_size():
    prediction, target = bins_pair()
    teacher = Fixed()
    loss = DistillationLoss(size=32, mirror=True)
    loss.set_teacher(teacher)
    loss(prediction, target)
    straight, mirrored = teacher.seen
    assert straight.shape[-2:] == (32, 48)
    assert torch.equal(mirrored, straight.flip(-1))
    twice = nn.functional.interpolate(target.L, (32, 48), mode="bilinear", align_corners=False)
    assert torch.allclose(straight, twice, atol=1e-3)
    found = loss._distribution(target.L, (4, 6))
    assert torch.allclose(found.sum(1), torch.ones(len(target.L), 4, 6), atol=1e-5)
    # This teacher sees no difference, so that the mean is what each of the two says.
    plain = DistillationLoss(size=32)
    plain.set_teacher(teacher)
    assert torch.allclose(found, plain._distribution(target.L, (4, 6)), atol=1e-6)


def test_distillation_keeps_its_teacher_to_itself():
    """No parameter of the training, and not in its checkpoints."""
    loss = create_loss({"distillation": {"teacher": "anyone"}})
    loss.set_teachers(lambda name: {"anyone": Fixed()}[name])
    assert not list(loss.parameters())
    assert not loss.state_dict()


def test_distillation_refuses():
    prediction, target = bins_pair()
    with pytest.raises(UsageError, match="has no teacher yet"):
        DistillationLoss()(prediction, target)
    with pytest.raises(UsageError, match=f"head 'distribution'.*{Q} channels.*gave 2"):
        DistillationLoss()(*pair())
    with pytest.raises(UsageError, match="size -1"):
        DistillationLoss(size=-1)


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


def test_adversarial_refuses_a_start_that_no_step_reaches():
    with pytest.raises(UsageError, match="start 1"):
        AdversarialLoss(start=1)


def test_adversarial_starts_when_it_is_told():
    prediction, target = pair(height=32, width=32)
    total = create_loss({"adversarial": {"start": 0.5, "channels": 4}})
    value = total(prediction, target)
    value.backward()
    assert value.item() == 0
    assert (prediction.raw.grad == 0).all()
    total.set_progress(0.5)
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
    assert not loss.adversaries
    assert create_loss({"adversarial": {"channels": 2}}).adversaries


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
