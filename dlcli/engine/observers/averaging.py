"""`--ema` and `--average-epochs`: averages of the weights, which are validated and saved in `best.pt`.

The averaging is torch's (`torch.optim.swa_utils`): after the first step the average equals the weights; after step
n + 1 it is `d * average + (1 - d) * weights`, where d is the decay, but at most (1 + n) / (10 + n): the average of a
short training would otherwise consist of the random weights that it started from. Buffers, such as the running
statistics of batch normalisation, are averaged with the weights. If inference uses only a part of the model, only that
part is averaged: a critic must be trained against the current weights.

The other average is the plain mean of the weights at the end of each of the last N epochs, as the transformer's paper
averages its last checkpoints (arXiv:1706.03762, section 6.1); before them it is the weights of the newest epoch.

Source of the first: Polyak & Juditsky 1992; Tarvainen & Valpola 2017, arXiv:1703.01780; the rise of TensorFlow's
`ExponentialMovingAverage(num_updates=...)`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.task import network_of

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


Tensors = tuple[Tensor, ...] | list[Tensor]


def averaged_copy(model: nn.Module, config: TrainConfig) -> AveragedModel | None:
    """Return a copy of the model for the average of its weights; None if they are not averaged."""
    if config.average_epochs is not None:
        return AveragedModel(model, multi_avg_fn=_update, use_buffers=True)
    if config.ema is not None:
        return AveragedModel(model, multi_avg_fn=functools.partial(_update, decay=config.ema), use_buffers=True)
    return None


@torch.no_grad()
def _update(averages: Tensors, weights: Tensors, count: Any, *, decay: float | None = None) -> None:
    """Move averages towards the current weights, in place; `count` is that of the updates before, on their device."""
    if not averages[0].is_floating_point():  # a count of batches
        torch._foreach_copy_(averages, weights)
        return
    # A tensor: reading it would wait for the device.
    share = 1 / (1 + count) if decay is None else 1 - torch.clamp((1 + count) / (10 + count), max=decay)
    steps = torch._foreach_sub(weights, averages)
    torch._foreach_mul_(steps, share)
    torch._foreach_add_(averages, steps)


@contextmanager
def averaged_weights(model: nn.Module, averaged: AveragedModel | None) -> Iterator[None]:
    """Give the model the averaged weights inside the block, and restore its own exactly afterwards.

    Values are swapped, not modules, so that everything that refers to a part of the model, including its compiled form,
    sees the swap.
    """
    if averaged is None:
        yield
        return
    _exchange(model, averaged.module)
    try:
        yield
    finally:
        _exchange(model, averaged.module)


@torch.no_grad()
def _exchange(first: nn.Module, second: nn.Module) -> None:
    pairs = zip(chain(first.parameters(), first.buffers()), chain(second.parameters(), second.buffers()), strict=True)
    for one, other in pairs:
        held = one.clone()
        one.copy_(other)
        other.copy_(held)


class Averaging(Callback):
    """Updates the average. It must precede the callbacks that may stop the training.

    Args:
        last_epochs: the number of epochs whose weights are averaged; None to move the average after each step.
    """

    def __init__(self, last_epochs: int | None = None) -> None:
        self.last_epochs = last_epochs

    def on_step_end(self, state: TrainState) -> None:
        """Move an average over steps towards the current weights."""
        if state.averaged is not None and self.last_epochs is None:
            state.averaged.update_parameters(network_of(state.task))

    def on_steps_end(self, state: TrainState) -> None:
        """Take the epoch's weights into an average over epochs; before the last ones, they replace what it was."""
        if state.averaged is None or self.last_epochs is None:
            return
        if state.epoch <= state.num_epochs - self.last_epochs:
            state.averaged.n_averaged.zero_()
        state.averaged.update_parameters(network_of(state.task))
