"""What every loss in the registry promises; a new entry is covered without a change here.

A loss that looks through VGG16 takes `vgg16`, and gets untrained weights here; one that learns from
another model is given a teacher.
"""

import inspect

import pytest
import torch

from colorizer.backbones.vgg import vgg16_features
from colorizer.color.gamut import bins
from colorizer.color.tensors import Prediction, Target
from colorizer.losses import create_loss
from colorizer.registry import LOSSES
from tests.device import device

CENTERS = torch.from_numpy(bins().copy())


class Teacher(torch.nn.Module):
    """Holds light places for bluish and dark ones for reddish, whatever the photo shows."""

    def forward(self, L):
        small = torch.nn.functional.interpolate(L, [-(-side // 4) for side in L.shape[-2:]])
        ab = torch.cat([50 - small, 50 - small], 1)
        return (ab[:, None] - CENTERS.to(L.device)[:, :, None, None]).square().sum(2) / -200


class Knowing(torch.nn.Module):
    """A teacher that knows what these photos show."""

    def __init__(self, raw):
        super().__init__()
        self.raw = raw

    def forward(self, L):
        return self.raw


def create(name, **options):
    return create_sum({name: options}).members[name]


def create_sum(spec):
    for name, options in spec.items():
        if "vgg16" in inspect.signature(LOSSES[name]).parameters:
            options["vgg16"] = "random"
    loss = create_loss(spec).to(device())
    loss.set_teachers(lambda _: Teacher())
    return loss


def decode(raw):
    """Scores of the bins -> their mean ab, as a head does it."""
    return torch.einsum("nqhw,qc->nchw", raw.float().softmax(1), CENTERS.to(raw.device))


def photos(n=2, height=32, width=32):
    generator = torch.Generator().manual_seed(0)
    L = 20 + 60 * torch.rand(n, 1, height, width, generator=generator)
    ab = 40 * torch.rand(n, 2, height, width, generator=generator) - 20
    return Target(L.to(device()), ab.to(device()))


def predict(target, spread=3.0):
    generator = torch.Generator().manual_seed(1)
    n, _, height, width = target.L.shape
    size = (n, len(CENTERS), -(-height // 4), -(-width // 4))
    raw = spread * torch.randn(size, generator=generator)
    return Prediction(target.L, raw.to(device()).requires_grad_(), decode)


def perfect(target):
    """The prediction whose ab is the target's, and whose bins are as near as bins can be."""
    height, width = predict(target).raw.shape[-2:]
    small = torch.nn.functional.adaptive_avg_pool2d(target.ab, (height, width))
    centers = CENTERS.to(device())[:, :, None, None]
    distance2 = (small[:, None] - centers).square().sum(2)  # N Q h w
    raw = (distance2 / (-2 * 5.0**2)).requires_grad_()
    return Prediction(target.L, raw, lambda raw: target.ab + 0 * raw.mean())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 47), (61, 24)])
@pytest.mark.parametrize("n", [1, 3])
def test_float32_scalar_at_any_size(name, n, height, width):
    target = photos(n, height, width)
    value = create(name)(predict(target), target)
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value.isfinite()


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_reaches_the_prediction_and_nothing_else(name):
    target = photos()
    prediction = predict(target)
    loss = create(name)
    loss(prediction, target).backward()
    assert prediction.raw.grad.isfinite().all()
    assert prediction.raw.grad.abs().sum() > 0
    for key, parameter in loss.named_parameters():
        assert parameter.grad is None, key
    for key, buffer in loss.named_buffers():
        assert not buffer.requires_grad, key


@pytest.mark.parametrize("name", LOSSES)
def test_least_at_the_original(name):
    loss = create(name)
    if hasattr(loss, "discriminator"):
        pytest.skip("what it likes, it learns")
    target = photos()
    if hasattr(loss, "set_teacher"):
        loss.set_teacher(Knowing(perfect(target).raw.detach()))
    elsewhere = Target(target.L, -target.ab)
    if loss(perfect(target), target) == loss(perfect(target), elsewhere):
        pytest.skip("it does not look at the original")
    best = loss(perfect(target), target)
    assert best >= 0
    gray = Prediction(target.L, predict(target).raw * 0, lambda raw: 0 * raw[:, :2])
    for worse in (gray, predict(target)):
        assert loss(worse, target) > 1.05 * best


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("lightness", [0.0, 50.0, 100.0])
@pytest.mark.parametrize("chroma", [-128.0, 0.0, 127.0])
def test_finite_at_black_white_and_out_of_gamut(name, lightness, chroma):
    L = torch.full((1, 1, 32, 32), lightness, device=device())
    outside = torch.full((1, 2, 32, 32), chroma, device=device())
    loss = create(name)
    for ab in (torch.zeros_like(outside), outside):
        raw = torch.zeros(1, len(CENTERS), 8, 8, device=device(), requires_grad=True)
        prediction = Prediction(L, raw, lambda raw: raw[:, :2] + chroma)
        value = loss(prediction, Target(L, ab))
        value.backward()
        assert value.isfinite()
        assert raw.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_stays_near_float32(name):
    target = photos()
    loss = create(name).eval()
    expected = loss(predict(target), target)
    prediction = predict(target)
    with torch.autocast(device().type, dtype=torch.bfloat16):
        half = Prediction(target.L, prediction.raw.bfloat16(), decode)
        value = loss(half, target)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=0.05, abs=0.02)
    assert prediction.raw.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_trains_after_a_validation_in_inference_mode(name):
    vgg16_features.cache_clear()  # nothing is left over from a training
    target = photos()
    loss = create(name)
    with torch.inference_mode():
        loss.eval()(predict(target), target)
    prediction = predict(target)
    loss.train()(prediction, target).backward()
    assert prediction.raw.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_down_its_gradient_lowers_it(name):
    target = photos()
    prediction = predict(target)
    loss = create(name).eval()
    before = loss(prediction, target)
    before.backward()
    step = 1e-2 * prediction.raw.grad / prediction.raw.grad.norm()
    after = loss(Prediction(target.L, (prediction.raw - step).detach(), decode), target)
    assert after < before


@pytest.mark.parametrize("name", LOSSES)
def test_sums_with_weights(name):
    target = photos()
    total = create_sum({name: {"weight": 0.5}}).eval()
    alone = total.members[name](predict(target), target)
    assert total(predict(target), target).item() == pytest.approx(0.5 * alone.item(), rel=1e-5)
    assert list(total.terms(predict(target), target)) == [name]


@pytest.mark.parametrize("name", LOSSES)
def test_documents_every_option(name):
    for option in inspect.signature(LOSSES[name]).parameters.values():
        if option.kind not in (option.VAR_POSITIONAL, option.VAR_KEYWORD):  # of no constructor
            assert f" {option.name}: " in LOSSES[name].__doc__
