"""Encoders: the gray picture they see, pretrained weights from files, freezing, other families."""

import os
import pickle

import pytest
import timm
import torch
from safetensors.torch import save_file

from colorizer.color.tensors import lightness_to_gray
from colorizer.errors import ColorizerError, UnknownNameError, UsageError
from colorizer.models import create_model, encoders
from colorizer.models.encoders import Encoder


def lightness(n=2, h=64, w=96):
    return 100 * torch.rand(n, 1, h, w, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def features_of_three_channels(name, state, L):
    """What the whole timm network, loaded by its own strict loader, makes of the gray picture."""
    model = timm.create_model(name, features_only=True).eval()
    model.load_state_dict({k: state[k] for k in model.state_dict()}, strict=True)
    mean, std = (torch.tensor(model.default_cfg[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    return model((lightness_to_gray(L).expand(-1, 3, -1, -1) - mean) / std)


def timm_state(name, seed=0):
    torch.manual_seed(seed)
    model = timm.create_model(name)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return model.state_dict()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_features_equal_the_three_channel_network(tmp_path, suffix):
    state = timm_state("test_resnet")
    file = tmp_path / f"weights{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    encoder = Encoder("test_resnet", pretrained_file=str(file)).eval()
    L = lightness()
    with torch.no_grad():
        ours = encoder(L)
    theirs = features_of_three_channels("test_resnet", state, L)
    assert len(ours) == len(theirs) == len(encoder.channels)
    for a, b, c, r in zip(ours, theirs, encoder.channels, encoder.reductions, strict=True):
        assert a.shape == (2, c, 64 // r, 96 // r)
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_torchvision_names_fit_vgg16(tmp_path):
    with torch.device("meta"):
        shapes = timm.create_model("vgg16", features_only=True).state_dict()
    state = {k.replace("_", ".", 1): torch.randn(v.shape).half() for k, v in shapes.items()}
    assert "features.28.weight" in state
    save_file(state | {"classifier.0.bias": torch.zeros(4096)}, tmp_path / "vgg.safetensors")
    encoder = Encoder("vgg16", pretrained_file=str(tmp_path / "vgg.safetensors"))
    for key, value in encoder.body.state_dict().items():
        assert torch.equal(value, state[key.replace("_", ".", 1)].float())


@pytest.mark.skipif("COLORIZER_VGG16" not in os.environ, reason="COLORIZER_VGG16 names no file")
def test_real_vgg16_weights():
    path = os.environ["COLORIZER_VGG16"]
    encoder = Encoder("vgg16", pretrained_file=path).eval()
    file = {k.replace(".", "_", 1): v.float() for k, v in encoders.read_tensors(path).items()}
    assert file.keys() == encoder.body.state_dict().keys()  # all keys used
    with torch.no_grad():
        ours = encoder(lightness())
    for a, b in zip(ours, features_of_three_channels("vgg16", file, lightness()), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_weights_that_do_not_fit_are_named(tmp_path):
    state = timm_state("test_resnet")
    state["conv1.0.weight"] = state["conv1.0.weight"][:1].clone()
    state["layer9.weight"] = state.pop("layer1.0.conv1.weight")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(ColorizerError) as caught:
        create_model(
            "colornet", encoder="test_resnet", pretrained_file=str(tmp_path / "w.safetensors")
        )
    for part in (
        "model.pretrained_file",
        "missing: layer1.0.conv1.weight",
        "unknown: layer9.weight",
        "of another shape: conv1.0.weight",
    ):
        assert part in str(caught.value)


def test_stages_beyond_the_last_stride_may_be_in_the_file(tmp_path):
    save_file(timm_state("test_resnet"), tmp_path / "w.safetensors")
    encoder = Encoder("test_resnet", pretrained_file=str(tmp_path / "w.safetensors"), last_stride=8)
    assert encoder.reductions == [2, 4, 8]
    assert encoder.multiple == 8
    assert not any("layer3" in k for k in encoder.state_dict())


class Malicious:
    def __reduce__(self):
        return (os.system, ("exit 1",))


def test_bad_weight_files_are_refused_and_not_executed(tmp_path, monkeypatch):
    def run(command):
        raise AssertionError("executed")

    (tmp_path / "bad.pth").write_bytes(pickle.dumps({"a": Malicious()}))
    monkeypatch.setattr(os, "system", run)
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    (tmp_path / "weights.txt").write_text("no")
    for name in ("bad.pth", "list.pth", "bad.safetensors", "weights.txt", "absent.pth"):
        with pytest.raises(ColorizerError, match=name):
            Encoder("test_resnet", pretrained_file=str(tmp_path / name))


def test_offline_names_the_settings(monkeypatch, tmp_path):
    monkeypatch.setattr(encoders, "hub_answers", lambda: False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(ColorizerError) as caught:
        create_model("colornet", encoder="test_resnet", pretrained=True)
    assert "model.pretrained_file" in str(caught.value)
    assert "model.pretrained to false" in str(caught.value)
    save_file(timm_state("test_resnet"), tmp_path / "w.safetensors")
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda *_: str(tmp_path / "w.safetensors")
    )
    create_model("colornet", encoder="test_resnet", pretrained=True)


def test_hub_errors_are_one_sentence(monkeypatch):
    create = timm.create_model

    def fail(name, pretrained=False, **options):
        if pretrained:
            raise ConnectionError("the hub\nis down")
        return create(name, **options)

    monkeypatch.setattr(encoders, "hub_answers", lambda: True)
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(ColorizerError, match=r"the hub is down.*model\.pretrained_file"):
        Encoder("test_resnet", pretrained=True)


def test_frozen_encoder_does_not_change():
    model = create_model("colornet", encoder="test_resnet", freeze=True, width=16).train()
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    model(lightness()).square().mean().backward()
    optimizer.step()
    assert all(p.grad is None and not p.requires_grad for p in model.encoder.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.encoder.state_dict().items())
    assert not any(m.training for m in model.encoder.modules())
    assert model.decoder.training
    assert all(p.grad is not None for p in model.decoder.parameters())


def test_thawed_encoder_trains():
    model = create_model("colornet", encoder="test_resnet", width=16).train()
    before = model.encoder.state_dict()["body.conv1.1.running_mean"].clone()
    model(lightness())
    assert not torch.equal(before, model.encoder.state_dict()["body.conv1.1.running_mean"])


@pytest.mark.parametrize(
    ("name", "reductions"),
    [
        ("swin_tiny_patch4_window7_224", [4, 8, 16, 32]),  # gives (N, H, W, C)
        ("test_vit", [16]),
        ("test_convnext", [4, 8, 16, 32]),
        ("test_efficientnet", [2, 4, 8, 16, 32]),
    ],
)
def test_other_families_of_encoders(name, reductions):
    model = create_model("colornet", encoder=name, width=8).eval()
    assert model.encoder.reductions == reductions
    with torch.no_grad():
        assert model(lightness(1, 61, 83)).shape[2:] == (16, 21)
        assert model(lightness(1, 1, 1)).shape[2:] == (1, 1)


def test_encoders_that_do_not_fit_are_answered():
    with pytest.raises(UnknownNameError, match="did you mean resnet18"):
        Encoder("resnet81")
    with pytest.raises(UsageError, match="one fixed input size"):
        Encoder("test_maxvit")
    with pytest.raises(UsageError, match="no stage of stride 8 or less"):
        Encoder("test_vit", last_stride=8)
