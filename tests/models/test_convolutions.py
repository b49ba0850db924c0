"""The convolutions of encoders: constant SAME padding, folded batch norms, depthwise in float32."""

import copy
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from colorizer import create_model
from colorizer.errors import UsageError
from colorizer.export import export
from colorizer.models.convolutions import EncoderConv2d, adapt, folded
from colorizer.models.encoders import Encoder


def network(name: str) -> nn.Module:
    """A timm network with batch statistics as if it had been trained."""
    torch.manual_seed(0)
    body = timm.create_model(name, features_only=True).eval()
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return body


NAMES = ["tf_efficientnet_lite0", "tf_mixnet_s", "resnet18", "test_resnet", "vgg11_bn"]


@pytest.mark.parametrize("name", NAMES)
def test_padding_is_equal_to_the_bit_and_folding_nearly(name: str) -> None:
    body = network(name)
    x = torch.randn(1, 3, 64, 96)
    adapted = copy.deepcopy(body)
    adapt(adapted)
    assert list(adapted.state_dict()) == list(body.state_dict())
    with torch.inference_mode():
        expected = body(x)
        for ours, theirs in zip(adapted(x), expected, strict=True):
            assert torch.equal(ours, theirs)
        fast = folded(adapted, set(adapted.modules()))
        for ours, theirs in zip(fast(x), expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max())
    if name != "tf_mixnet_s":  # whose mixed convolutions are joined before their norm
        assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (7, 4, 1)])
def test_constant_margins_are_those_of_tensorflow(kernel: int, stride: int, dilation: int) -> None:
    """TensorFlow: total padding max((ceil(n / s) - 1) s + (k - 1) d + 1 - n, 0), less in front."""
    conv = timm.layers.Conv2dSame(4, 4, kernel, stride, dilation=dilation)
    n = 8 * stride
    total = max((n // stride - 1) * stride + (kernel - 1) * dilation + 1 - n, 0)
    assert EncoderConv2d(conv).margins == [total // 2, total - total // 2] * 2


def test_depthwise_convolutions_train_in_float32_and_answer_in_bfloat16() -> None:
    conv = EncoderConv2d(nn.Conv2d(8, 8, 5, 2, 2, groups=8))
    assert conv.full_precision
    assert not EncoderConv2d(nn.Conv2d(8, 8, 3, 1, 1, groups=8)).full_precision
    x = torch.randn(2, 8, 16, 16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        ours = conv(x.bfloat16())
    assert ours.dtype == torch.bfloat16
    exact = nn.functional.conv2d(x.bfloat16().float(), conv.weight, conv.bias, 2, 2, groups=8)
    assert torch.equal(ours, exact.bfloat16())
    conv.weight.requires_grad_(False)  # frozen: the fast way forward
    with torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(conv(x.bfloat16()), exact.bfloat16())


def test_an_encoder_is_frozen_for_a_share_of_the_training() -> None:
    encoder = Encoder("test_resnet", freeze=0.5)
    L = 100 * torch.rand(1, 1, 64, 64)
    plain = encoder.eval()(L)
    encoder.train()
    assert not encoder.freeze_at(0.0)  # nothing that was frozen learns now
    assert not encoder.body.training
    assert not any(p.requires_grad for p in encoder.parameters())
    assert encoder._folded
    for ours, theirs in zip(encoder(L), plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert encoder.freeze_at(0.5)
    assert encoder.body.training
    assert all(p.requires_grad for p in encoder.parameters())
    assert not encoder._folded


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "vgg11_bn", "densenet121"])
def test_the_finest_stages_stay_as_they_are(name: str) -> None:
    encoder = Encoder(name, frozen_stages=2)
    L = 100 * torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        plain = encoder.eval()(L)
        assert not encoder.freeze_at(0.0)
        for ours, theirs in zip(encoder(L), plain, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max())
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    features = encoder.train()(L)
    assert [feature.requires_grad for feature in features] == [False] * 2 + [True] * (
        len(features) - 2
    )
    sum(feature.square().mean() for feature in features).backward()
    torch.optim.SGD(encoder.parameters(), 0.1).step()
    changed = {key for key, value in encoder.state_dict().items() if (value != before[key]).any()}
    first = min(list(before).index(key) for key in changed)
    assert first > 0
    assert all(key in changed for key in list(before)[first:] if key.endswith("running_mean"))
    for ours, theirs in zip(encoder(L)[:2], features[:2], strict=True):
        assert torch.equal(ours, theirs)


def test_stages_that_there_are_not() -> None:
    with pytest.raises(UsageError, match=r"frozen_stages is 6; 'test_resnet' has 5 stages"):
        Encoder("test_resnet", frozen_stages=6)


@pytest.mark.slow
def test_a_model_is_exported_whether_it_is_folded_or_not(tmp_path: Path) -> None:
    model = create_model("colornet", encoder="test_resnet", last_stride=8, width=8, freeze=True)
    model.freeze_at(0.5)
    export(model, tmp_path / "model", settings={})
    assert model.encoder._folded  # of the caller's model


def test_folding_leaves_no_trace_in_the_state() -> None:
    encoder = Encoder("test_resnet", freeze=True)
    before = set(encoder.state_dict())
    encoder.freeze_at(0.9)
    assert set(encoder.state_dict()) == before
    encoder.unfold()
    assert not encoder._folded
