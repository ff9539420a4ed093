"""Summary of a network: layers, parameters, multiply-adds, memory read and written, receptive fields."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dlcli.models.costs import Summary
from dlcli.models.following import FieldFollower
from dlcli.models.modes import evaluating
from dlcli.models.receptive_field import measure_receptive_field
from dlcli.models.recording import LayerRecorder


def summarise(model: nn.Module, *inputs: Tensor) -> Summary:
    """Return the summary of a network; mode, weights, gradients and random generator are left unchanged.

    Args:
        model: takes the inputs in this order.
        inputs: (N, ...) each; only the first item is used. The receptive field is measured for a single (N, C, H, W)
            input only.
    """
    return summarise_calls(model, [(model, inputs)])


def summarise_calls(network: nn.Module, calls: Sequence[tuple[nn.Module, Sequence[Tensor]]]) -> Summary:
    """Return the summary of a network whose parts are called one by one, as the graphs of an export are.

    Args:
        network: holds the layers; those that several calls use are listed and counted once.
        calls: modules with their inputs, see `summarise`; multiply-adds are those of one call each.
    """
    items = [(module, [tensor[:1] for tensor in inputs]) for module, inputs in calls]
    takes_one_image = len(items) == 1 and [tensor.ndim for tensor in items[0][1]] == [4]
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mkldnn_rnn_layer: _recurrent_flops})
    # The counter does not know the fused attention kernels; the plain ones consist of products that it counts.
    with (
        evaluating(network),
        torch.random.fork_rng(devices=[]),
        _without_fast_attention(),
        torch.no_grad(),
        counter,
        ExitStack() as following,
    ):
        follower = following.enter_context(FieldFollower(items[0][1][0])) if takes_one_image else None
        recorder = LayerRecorder(counter.get_total_flops, follower)
        with recorder.recording(network):
            for module, inputs in items:
                module(*inputs)
    parameters = list(network.parameters())
    return Summary(
        layers=tuple(recorder.layers.values()),
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        multiply_adds=counter.get_total_flops() // 2,
        parameter_bytes=sum(parameter.numel() * parameter.element_size() for parameter in parameters),
        receptive_field=measure_receptive_field(network, *items[0][1]) if takes_one_image else None,
    )


def common_prefix(names: Sequence[str]) -> str:
    """Return the dotted prefix, with its final dot, that all layer names share (a wrapper's name for its network)."""
    prefix = ""
    while True:
        heads = {name[len(prefix) :].partition(".")[0] for name in names if len(name) > len(prefix)}
        if len(heads) != 1 or not any(name.startswith(f"{prefix}{next(iter(heads))}.") for name in names):
            return prefix
        prefix += f"{heads.pop()}."


def _recurrent_flops(
    input_shape: Sequence[int], input_weights: Sequence[int], hidden_weights: Sequence[int], *_: Any, **__: Any
) -> int:
    """Return the operations of one direction of an LSTM layer, whose fused kernel the counter does not know.

    Args:
        input_shape: (..., features), the shape of the sequence; every position is multiplied by all weights.
        input_weights, hidden_weights: shapes of the matrices.
    """
    return 2 * math.prod(input_shape[:-1]) * (math.prod(input_weights) + math.prod(hidden_weights))


@contextmanager
def _without_fast_attention() -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
