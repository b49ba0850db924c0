"""The optimizer and the course of its learning rate."""

import math

import torch
from torch import nn

from colorizer.config import OptimizerSettings, ScheduleSettings

__all__ = ["batch_factor", "create_optimizer", "rate"]


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
        fused: update all weights in one operation.
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
    if settings.name == "sgd":
        momentum = settings.momentum
        return torch.optim.SGD(params, momentum=momentum, nesterov=momentum > 0, fused=fused)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.name]
    return kind(params, betas=settings.betas, fused=fused)


def batch_factor(settings: OptimizerSettings, effective_batch: int) -> float:
    """What the learning rate is multiplied by for so many squares per step.

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
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return settings.final + (1 - settings.final) * (1 + math.cos(math.pi * done)) / 2
