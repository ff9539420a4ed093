"""Optimizers by name, and their parameter groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.optim.muon import Muon, muon_groups
from dlcli.models.fitting import LearnsEarly

MOMENTUM = 0.9
"""For SGD, with Nesterov momentum: what every reference recipe in this field uses."""


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


def build_optimizer(module: nn.Module, config: TrainConfig) -> Optimizer:
    """Return the configured optimizer for the module's trainable parameters.

    Raises:
        UsageError: weight decay is requested and the optimizer does not support it.
    """
    if config.optimizer == "muon":
        return Muon(with_ends(muon_groups(module, lr=config.learning_rate, weight_decay=config.weight_decay), module))
    groups = with_ends(parameter_groups(module, config.weight_decay), module)
    rate = config.learning_rate
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM, nesterov=True)
    if config.optimizer == "lazyadam":
        if config.weight_decay:
            raise UsageError(
                f"--optimizer lazyadam has no weight decay, and --weight-decay is {config.weight_decay:g}",
                hint="use --weight-decay 0: rows that are not in a batch must not change",
            )
        from dlcli.engine.optim.lazy_adam import LazyAdam

        for group in groups:
            del group["weight_decay"]
        return LazyAdam(groups, lr=rate)
    # One kernel for all parameters: half the time of a step with a large embedding, and the same result.
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate, fused=True)
    return torch.optim.AdamW(groups, lr=rate, fused=True)


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters that the optimizer steps now; a group past its `until` needs no gradients."""
    groups = [group for group in optimizer.param_groups if "until" not in group or group["lr"]]
    return [parameter for group in groups for parameter in group["params"]]
