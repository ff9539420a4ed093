"""Switching a network, or only its batch norms, between training and evaluation mode, and how fast the norms learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

NORM_MOMENTUM = 0.1
"""torch's own share of the latest batch in the running statistics of a batch norm."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode within the block; restore each module's mode afterwards, even on an error.

    Modules may differ in mode, as when the backbone is frozen, so `model.train(mode)` would not restore them.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, is_training in modes.items():
            module.training = is_training


def freeze_statistics(network: nn.Module) -> None:
    """Let every batch norm use its running statistics in training too; its weights still learn.

    A hook puts the norm into eval mode before each of its forward passes, even after `model.train()`. The hook affects
    neither the class nor `state_dict`, deepcopy, pickle or any export.
    """
    for norm in batch_norms(network):
        if _enter_eval_mode not in norm._forward_pre_hooks.values():
            norm.eval()
            norm.register_forward_pre_hook(_enter_eval_mode)


def quicken_statistics(network: nn.Module) -> None:
    """Let the running statistics of every batch norm follow as fast as torch's own do, where they are slower.

    Networks made for a million images forget the start too slowly for a few hundred: at a momentum of 0.01, as
    torchvision's MobileNetV3 has it, 55 % of a statistic is still its first value after 60 steps, and the network
    answers "background" everywhere in evaluation mode although it has learned in training mode.
    """
    for norm in batch_norms(network):
        if norm.momentum is not None:  # None: the mean of all batches
            norm.momentum = max(norm.momentum, NORM_MOMENTUM)


def batch_norms(network: nn.Module) -> Iterator[nn.modules.batchnorm._BatchNorm]:
    """Yield the network's batch norms."""
    for module in network.modules():
        # SyncBatchNorm is a subclass too; InstanceNorm as torchvision's networks use it has no statistics.
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            yield module


def _enter_eval_mode(module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
    if module.training:  # exporters call eval() first and would trace the write
        module.eval()
