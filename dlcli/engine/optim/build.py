"""Optimizers by name, and their parameter groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig, read_optimizer
from dlcli.engine.optim.layers import freeze_layers, layer_rates
from dlcli.engine.optim.muon import Muon, muon_groups
from dlcli.models.fitting import LearnsEarly
from dlcli.models.modes import freeze_statistics


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return the trainable parameters in two groups: matrices and filters decay; norms, biases and scalars do not.

    Source: He et al. 2019, "Bag of tricks", arXiv:1812.01187, section 3.1.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]


def with_ends(groups: Iterable[dict[str, Any]], module: nn.Module) -> list[dict[str, Any]]:
    """Return the non-empty groups, with parameters that are trained only early in the training in separate groups.

    `until` of such a group is the fraction of the training after which it is frozen: its schedule ends there.
    """
    learners = [part for part in module.modules() if isinstance(part, LearnsEarly)]
    ends = {id(parameter): until for part in learners for parameter, until in part.learned_early()}
    split: list[dict[str, Any]] = []
    for group in groups:
        split.append({**group, "params": [p for p in group["params"] if id(p) not in ends]})
        split += [{**group, "params": [p], "until": ends[id(p)]} for p in group["params"] if id(p) in ends]
    return [group for group in split if group["params"]]


def with_rates(groups: Iterable[dict[str, Any]], rates: Mapping[int, float]) -> list[dict[str, Any]]:
    """Return the non-empty groups split by the learning rates of their parameters, the highest first.

    Args:
        groups: groups whose `lr`, 1 if absent, is relative to the rates.
        rates: the learning rate of each parameter by its id.
    """
    split = []
    for group in groups:
        ratio, own = group.get("lr", 1.0), [rates[id(parameter)] for parameter in group["params"]]
        for rate in sorted(set(own), reverse=True):
            members = [p for p, its_rate in zip(group["params"], own, strict=True) if its_rate == rate]
            split.append({**group, "params": members, "lr": ratio * rate})
    return split


def build_optimizer(module: nn.Module, config: TrainConfig) -> Optimizer:
    """Return the configured optimizer for the module's trainable parameters; frozen layers are frozen first.

    Raises:
        UsageError: weight decay is requested and the optimizer does not support it, or the learning rates or
            `--freeze` do not fit the module's layers.
    """
    rates = layer_rates(module, config)
    if config.freeze is not None or isinstance(config.learning_rate, tuple):
        freeze_layers(module, rates)
    if config.freeze_norms:
        freeze_statistics(module)
    name, values = read_optimizer(config.optimizer)
    if name == "muon":
        relative = muon_groups(module, lr=1.0, weight_decay=config.weight_decay)
        return Muon(with_ends(with_rates(relative, rates), module))
    groups = with_ends(with_rates(parameter_groups(module, config.weight_decay), rates), module)
    if name == "sgd":
        return _sgd(groups, values)
    if name == "lazyadam":
        return _lazy_adam(groups, config)
    build = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    # One kernel for all parameters: half the time of a step with a large embedding, and the same result.
    return build(groups, betas=(values["beta1"], values["beta2"]), eps=values["eps"], fused=True)


def _sgd(groups: list[dict[str, Any]], values: Mapping[str, float]) -> Optimizer:
    momentum = values["momentum"]
    # Nesterov's look-ahead is along the momentum: without one there is none.
    return torch.optim.SGD(groups, lr=0.0, momentum=momentum, nesterov=bool(values["nesterov"]) and momentum > 0)


def _lazy_adam(groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    from dlcli.engine.optim.lazy_adam import LazyAdam

    if config.weight_decay:
        raise UsageError(
            f"--optimizer lazyadam has no weight decay, and --weight-decay is {config.weight_decay:g}",
            hint="use --weight-decay 0: rows that are not in a batch must not change",
        )
    if config.l1:
        raise UsageError("--optimizer lazyadam has no L1 penalty", hint="it would move every row; use another one")
    for group in groups:
        del group["weight_decay"]
    return LazyAdam(groups, lr=0.0)


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters that the optimizer steps now; a group past its `until` needs no gradients."""
    groups = [group for group in optimizer.param_groups if "until" not in group or group["lr"]]
    return [parameter for group in groups for parameter in group["params"]]
