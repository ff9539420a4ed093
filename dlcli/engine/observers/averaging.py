"""`--ema`: an exponential moving average of the weights, which is what is validated and what `best.pt` holds.

The averaging is torch's own (`torch.optim.swa_utils`): after the first step the average is the weights; after each
later one it is `decay * average + (1 - decay) * weights`. Buffers, such as batch normalisation's running statistics,
are averaged with the weights that they belong to. Of a model of which only a part answers, that part is averaged: a
critic has to know what it is trained against.

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
    """Return a copy of the model that follows it as a moving average, None where there is no decay."""
    if decay is None:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


@contextmanager
def averaged_weights(model: nn.Module, averaged: AveragedModel | None) -> Iterator[None]:
    """Let the model have the averaged weights within the block, and exactly its own again after it.

    Values change places, not modules: whatever else holds a part of the model, a compiled form of it among them, sees
    the same.
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
    """Moves the average after each step. It stands before the observers that may stop the training."""

    def on_step_end(self, state: TrainState) -> None:
        """Take in the weights of the step."""
        if state.averaged is not None:
            state.averaged.update_parameters(network_of(state.task))
