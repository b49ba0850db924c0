import math

import pytest
import torch
from torch import nn

from colorizer import create_model
from colorizer.config import OptimizerSettings, ScheduleSettings
from colorizer.errors import UsageError
from colorizer.training.optimizer import batch_factor, create_optimizer, rate
from colorizer.training.precision import resolve_precision


def test_cosine_warms_up_and_ends_at_its_final_share() -> None:
    settings = ScheduleSettings(name="cosine", warmup_steps=100, final=0.02)
    rates = [rate(settings, step, 1001, 100) for step in range(1002)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[100] == pytest.approx(1)
    assert rates[550] == pytest.approx(0.02 + 0.98 * (1 + math.cos(math.pi * 450 / 901)) / 2)
    assert rates[-1] == pytest.approx(0.02)


def test_steps_reduce_the_rate_every_so_many_epochs() -> None:
    settings = ScheduleSettings(name="step", warmup_steps=0, step_epochs=2, gamma=0.1)
    rates = [rate(settings, step, 60, 10) for step in (0, 19, 20, 39, 40)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_milestones_are_steps() -> None:
    settings = ScheduleSettings(name="milestones", warmup_steps=0, milestones=[20, 40], gamma=0.5)
    rates = [rate(settings, step, 60, 10) for step in (0, 19, 20, 39, 40)]
    assert rates == pytest.approx([1, 1, 0.5, 0.5, 0.25])


def test_straight_lines() -> None:
    settings = ScheduleSettings(name="linear", warmup_steps=0, final=0.2)
    assert [rate(settings, step, 100, 10) for step in (0, 50, 100)] == pytest.approx([1, 0.6, 0.2])
    settings = ScheduleSettings(name="constant", warmup_steps=0)
    assert rate(settings, 99, 100, 10) == 1


@pytest.mark.parametrize(("rule", "factor"), [("none", 1), ("sqrt", 2), ("linear", 4)])
def test_the_learning_rate_follows_the_effective_batch(rule: str, factor: float) -> None:
    settings = OptimizerSettings(batch_rule=rule, rule_batch=64)
    assert batch_factor(settings, 256) == factor
    model = create_model("colornet18", head="ab")
    groups = create_optimizer(model, settings, factor=batch_factor(settings, 256)).param_groups
    assert {group["lr"] for group in groups} == {1e-3 * factor}


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimizers_by_name(name: str) -> None:
    model = create_model("colornet18", head="ab")
    optimizer = create_optimizer(model, OptimizerSettings(name=name, weight_decay=0.5))
    assert type(optimizer).__name__.lower() == name
    plain = {id(m.weight) for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
    for group in optimizer.param_groups:
        assert group["lr"] == 1e-3
        assert all(
            (id(p) in plain or p.ndim == 1) == (group["weight_decay"] == 0) for p in group["params"]
        )


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("nadam", {"betas": (0.9, 0.99)}),
        ("rmsprop", {"momentum": 0.9}),
        ("lion", {"betas": (0.9, 0.99)}),
        ("torch.optim.Adamax", {"betas": (0.9, 0.99)}),
    ],
)
def test_any_optimizer_of_torch_or_timm(name: str, about: dict) -> None:
    model = create_model("constantnet", head="ab", width=8)
    optimizer = create_optimizer(model, OptimizerSettings(name=name, options={"foreach": False}))
    assert name.rpartition(".")[2].lower() == type(optimizer).__name__.lower()
    assert {key: optimizer.defaults[key] for key in about} == about
    before = [p.clone() for p in model.parameters()]
    model(torch.rand(1, 1, 16, 16) * 100).square().mean().backward()
    optimizer.step()
    assert all((a != b).any() for a, b in zip(before, model.parameters(), strict=True))


def test_optimizers_that_cannot_be_are_one_sentence() -> None:
    model = create_model("constantnet", head="ab", width=8)
    for name, options, sentence in (
        ("adamx", {}, "unknown optimizer 'adamx'; did you mean 'adam"),
        ("lbfgs", {}, "unknown optimizer 'lbfgs'"),
        ("torch.optim.Nothing", {}, "torch.optim has no Nothing"),
        ("nadam", {"beta": 1}, r"optimizer 'nadam' takes no beta \(it takes params, lr, betas"),
        ("adam", {"eps": -1.0}, "optimizer 'adam': Invalid epsilon"),
    ):
        with pytest.raises(UsageError, match=sentence):
            create_optimizer(model, OptimizerSettings(name=name, options=options))


def test_a_pretrained_encoder_learns_slower_and_a_frozen_one_not_at_all() -> None:
    model = create_model("colornet", encoder="test_resnet", freeze=True)
    model.config["pretrained"] = True
    trained = {
        id(p)
        for g in create_optimizer(model, OptimizerSettings()).param_groups
        for p in g["params"]
    }
    assert trained.isdisjoint(id(p) for p in model.encoder.parameters())
    model.encoder.requires_grad_(True)
    groups = create_optimizer(model, OptimizerSettings(encoder_factor=0.3)).param_groups
    encoder = {id(p) for p in model.encoder.parameters()}
    for group in groups:
        slow = {id(p) in encoder for p in group["params"]}
        assert len(slow) == 1
        assert group["lr"] == pytest.approx(3e-4 if slow.pop() else 1e-3)


@pytest.mark.parametrize(
    ("gpu", "bfloat16", "scalable", "precision"),
    [
        (True, True, True, "bf16-mixed"),
        (True, False, True, "16-mixed"),
        (True, False, False, "32-true"),
        (False, True, True, "bf16-mixed"),
        (False, False, True, "32-true"),
    ],
)
def test_precision_suits_the_hardware(
    gpu: bool, bfloat16: bool, scalable: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: bfloat16)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: bfloat16)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert resolve_precision("auto", "auto", scalable) == precision
    assert resolve_precision("32-true", "gpu") == "32-true"
