"""`--ema`: an exponential moving average of the weights, which is validated and saved in `best.pt`.

The averaging is torch's (`torch.optim.swa_utils`): after the first step the average equals the weights; after each
later step it is `decay * average + (1 - decay) * weights`. Buffers, such as the running statistics of batch
normalisation, are averaged with the weights. If inference uses only a part of the model, only that part is averaged: a
critic must be trained against the current weights.

Source: Polyak & Juditsky 1992; Tarvainen & Valpola 2017, arXiv:1703.01780.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dlcli.engine.callbacks import Callback
from dlcli.engine.task import network_of

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


def averaged_copy(model: nn.Module, decay: float | None) -> AveragedModel | None:
    """Return a copy of the model for its moving average; None without a decay."""
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


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
    """Updates the average after each step. It must precede the callbacks that may stop the training."""

    def on_step_end(self, state: TrainState) -> None:
        """Update the average with the current weights."""
        if state.averaged is not None:
            state.averaged.update_parameters(network_of(state.task))
