"""Summary of a network: layers, parameters, multiply-adds, receptive field."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dlcli.models.modes import evaluating
from dlcli.models.receptive_field import measure_receptive_field


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: dotted, as in `named_modules`.
        kind: name of its class.
        output_shape: of one item, without the batch axis; () if the layer returns no tensor.
        parameters: number of its parameters, except those shared with an earlier layer.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Summary:
    """A network.

    Attributes:
        layers: in calling order; a layer that is called twice is listed at its first call.
        parameters, trainable: number of all parameters, and of those that get gradients.
        multiply_adds: per item; a multiplication and the addition after it count as one.
        parameter_bytes: memory of the parameters.
        receptive_field: side in input pixels of what one unit of the last map sees; None if that is the whole input,
            or if the network attends to all of it.
    """

    layers: tuple[LayerSummary, ...]
    parameters: int
    trainable: int
    multiply_adds: int
    parameter_bytes: int
    receptive_field: int | None


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
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mkldnn_rnn_layer: _recurrent_flops})
    layers: dict[str, LayerSummary] = {}
    # The counter does not know the fused attention kernels; the plain ones consist of products that it counts.
    with (
        evaluating(network),
        torch.random.fork_rng(devices=[]),
        _recording(network, layers),
        _without_fast_attention(),
        torch.no_grad(),
        counter,
    ):
        for module, inputs in items:
            module(*inputs)
    parameters = list(network.parameters())
    takes_one_image = len(items) == 1 and [tensor.ndim for tensor in items[0][1]] == [4]
    return Summary(
        layers=tuple(layers.values()),
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


@contextmanager
def _recording(model: nn.Module, layers: dict[str, LayerSummary]) -> Iterator[None]:
    """Within the block, record each layer that is called in `layers`, by name."""
    counted: set[int] = set()

    def record(name: str, module: nn.Module, output: Any) -> None:
        if name not in layers:
            shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
            layers[name] = LayerSummary(name, type(module).__name__, shape, _count_new(module, counted))

    handles = [
        module.register_forward_hook(lambda module, _inputs, output, name=name: record(name, module, output))
        for name, module in _rows(model)
    ]
    try:
        yield
        for name, module in _rows(model):  # what only training calls, such as a head of auxiliary losses
            if name not in layers and (count := _count_new(module, counted)):
                layers[name] = LayerSummary(name, f"{type(module).__name__} (training)", (), count)
    finally:
        for handle in handles:
            handle.remove()


def _rows(model: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield leaves, and modules with parameters besides their children's (ViT's class token).

    The whole model is descended into even if its class name contains "Attention".
    """
    is_leaf = (name != "" and _is_attention(model)) or not any(True for _ in model.children())
    if is_leaf or any(True for _ in model.parameters(recurse=False)):
        yield name, model
    if not is_leaf:
        for child_name, child in model.named_children():
            yield from _rows(child, f"{name}.{child_name}" if name else child_name)


def _is_attention(module: nn.Module) -> bool:
    """Return whether the module may use its children's weights without calling them, as torch's and Swin's do."""
    return "Attention" in type(module).__name__


def _count_new(module: nn.Module, counted: set[int]) -> int:
    total = 0
    for parameter in module.parameters(recurse=_is_attention(module)):
        if id(parameter) not in counted:
            counted.add(id(parameter))
            total += parameter.numel()
    return total
