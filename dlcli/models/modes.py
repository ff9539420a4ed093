"""Switching a network, or only its batch norms, between training and evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


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


def batch_norms(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the network's batch norms."""
    for module in network.modules():
        # SyncBatchNorm is a subclass too; InstanceNorm as torchvision's networks use it has no statistics.
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            yield module


def _enter_eval_mode(module: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
    if module.training:  # exporters call eval() first and would trace the write
        module.eval()
