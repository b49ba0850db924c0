"""The optimizer and the course of its learning rate."""

import inspect
import math
from typing import Any

import timm.optim
import torch
from torch import nn

from colorizer.config import OptimizerSettings, ScheduleSettings
from colorizer.errors import UnknownNameError, UsageError
from colorizer.support.nearest import did_you_mean
from colorizer.support.plugins import named

__all__ = ["batch_factor", "create_optimizer", "optimizer_class", "rate"]


def create_optimizer(
    network: nn.Module, settings: OptimizerSettings, *, factor: float = 1.0, fused: bool = False
) -> torch.optim.Optimizer:
    """The optimizer that the settings name, over the parameters that are to be trained.

    Biases and normalization are not decayed; the encoder of a model that started pretrained learns
    at `encoder_factor` of the rate.

    Args:
        network: its parameters.
        settings: the algorithm.
        factor: on the learning rate.
        fused: update all weights in one operation, where the algorithm can.

    Raises: UnknownNameError for its name; UsageError for an option that it does not take.
    """
    options = getattr(network, "config", {})
    gentle = bool(options.get("pretrained") or options.get("pretrained_file"))
    thaws = 0 < options.get("freeze", 0) < 1  # what is frozen now will learn
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad or thaws:
            key = (gentle and name.startswith("encoder."), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    params = [
        {
            "params": members,
            "lr": factor * settings.learning_rate * (settings.encoder_factor if slow else 1),
            "weight_decay": settings.weight_decay if decayed else 0.0,
        }
        for (slow, decayed), members in groups.items()
    ]
    kind = optimizer_class(settings.name)
    accepted = inspect.signature(kind).parameters
    options: dict[str, Any] = {"fused": fused, "momentum": settings.momentum}
    if kind is torch.optim.SGD:
        options["nesterov"] = settings.momentum > 0
    if "betas" in accepted and len(accepted["betas"].default) == 2:
        options["betas"] = settings.betas
    options = {key: value for key, value in options.items() if key in accepted} | settings.options
    if unknown := options.keys() - accepted.keys():
        takes = ", ".join(accepted)
        raise UsageError(
            f"optimizer {settings.name!r} takes no {', '.join(sorted(unknown))} (it takes {takes})"
        )
    try:
        return kind(params, **options)
    except (TypeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"optimizer {settings.name!r}: {reason}") from error


def optimizer_class(name: str) -> Any:
    """An optimizer of torch's, of timm's, or `module.Class`, by name.

    Raises: UnknownNameError for a name.
    """
    if "." in name:
        return named(name, "optimizer")
    torchs = {k.lower(): v for k, v in vars(torch.optim).items() if isinstance(v, type)}
    for other in ("optimizer", "lbfgs", "sparseadam"):  # these ask for another kind of step
        torchs.pop(other, None)
    if name in torchs:
        return torchs[name]
    timms = [str(each) for each in timm.optim.list_optimizers()]
    if name in timms:
        return timm.optim.get_optimizer_class(name, bind_defaults=False)
    hint = did_you_mean(name, [*torchs, *timms]) or ";"
    known = ", ".join(sorted(torchs))
    raise UnknownNameError(f"unknown optimizer {name!r}{hint} torch's are {known}; and timm's")


def batch_factor(settings: OptimizerSettings, effective_batch: int) -> float:
    """What the learning rate is multiplied by for so many crops per step.

    Source: linear, Goyal et al., "Accurate, Large Minibatch SGD" (2017); sqrt, for adam, Malladi et
        al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms" (2022).
    """
    ratio = effective_batch / settings.rule_batch
    return {"none": 1.0, "sqrt": math.sqrt(ratio), "linear": ratio}[settings.batch_rule]


def rate(settings: ScheduleSettings, step: int, steps: int, epoch_steps: int) -> float:
    """The learning rate at a step, as a share of its peak.

    Args:
        settings: the curve.
        step: steps taken so far.
        steps: of the whole training.
        epoch_steps: of one epoch.
    """
    warmup = min(settings.warmup_steps, steps // 10)
    if step < warmup:
        return (step + 1) / warmup
    if settings.name == "step":
        return settings.gamma ** (step // (epoch_steps * settings.step_epochs))
    if settings.name == "milestones":
        return settings.gamma ** sum(step >= milestone for milestone in settings.milestones)
    if settings.name == "constant":
        return 1.0
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    left = 1 - done if settings.name == "linear" else (1 + math.cos(math.pi * done)) / 2
    return settings.final + (1 - settings.final) * left
