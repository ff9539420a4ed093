"""Records what each layer of a network does while the network runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from dlcli.models.costs import LayerSummary
from dlcli.models.following import FieldFollower


@dataclass
class _Call:
    """A running call of a layer: operations when it began, those of the layers inside it, versions of its inputs."""

    flops: int
    inner_flops: int = 0
    inputs: list[tuple[Tensor, int]] = field(default_factory=list)


class LayerRecorder:
    """Summarises the layers that are called within `recording`, in calling order.

    Attributes:
        layers: name -> summary.

    Args:
        count_flops: returns the operations so far, two for a multiply-add.
        follower: knows the receptive fields of maps; None where there are none.
    """

    def __init__(self, count_flops: Callable[[], int], follower: FieldFollower | None) -> None:
        self.layers: dict[str, LayerSummary] = {}
        self._count_flops = count_flops
        self._follower = follower
        self._calls: list[_Call] = []
        self._counted: set[int] = set()

    @contextmanager
    def recording(self, network: nn.Module) -> Iterator[None]:
        """Within the block, record each call of a layer of the network; then add those that only training calls."""
        handles = []
        for name, module in layer_rows(network):
            leave = functools.partial(self._leave, name)
            handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            handles.append(module.register_forward_hook(leave))
        try:
            yield
            for name, module in layer_rows(network):  # such as a head of auxiliary losses
                if name not in self.layers and (count := self._count_new(module)):
                    self.layers[name] = LayerSummary(name, f"{type(module).__name__} (training)", (), count)
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        del module
        inputs = [(tensor, tensor._version) for tensor in _tensors([args, dict(kwargs)])]
        self._calls.append(_Call(self._count_flops(), inputs=inputs))

    def _leave(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        del args
        call = self._calls.pop()
        flops = self._count_flops() - call.flops
        if self._calls:
            self._calls[-1].inner_flops += flops
        multiply_adds, moved = (flops - call.inner_flops) // 2, _bytes_moved(module, call, output)
        before = self.layers.get(name)
        if before is not None:
            self.layers[name] = dataclasses.replace(
                before,
                multiply_adds=before.multiply_adds + multiply_adds,
                bytes_moved=before.bytes_moved + moved,
            )
            return
        shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
        seen = self._follower.field_of(output) if self._follower is not None and isinstance(output, Tensor) else None
        side = seen.side if seen is not None else None
        self.layers[name] = LayerSummary(
            name, type(module).__name__, shape, self._count_new(module), multiply_adds, moved, side
        )

    def _count_new(self, module: nn.Module) -> int:
        total = 0
        for parameter in module.parameters(recurse=_is_attention(module)):
            if id(parameter) not in self._counted:
                self._counted.add(id(parameter))
                total += parameter.numel()
        return total


def _bytes_moved(module: nn.Module, call: _Call, output: Any) -> int:
    """Return the bytes of inputs, parameters and output; of a layer with layers inside, of its own parameters alone."""
    is_leaf = _is_attention(module) or not any(True for _ in module.children())
    own = sum(map(_bytes, module.parameters(recurse=_is_attention(module))))
    if not is_leaf:
        return own
    outputs = list(_tensors([output]))
    # Flatten, dropout and the like return their input or a view of it; what works in place returns it changed.
    if outputs and all(_is_view(each, call.inputs) for each in outputs):
        return 0
    return own + sum(_bytes(tensor) for tensor, _ in call.inputs) + sum(map(_bytes, outputs))


def _is_view(output: Tensor, inputs: list[tuple[Tensor, int]]) -> bool:
    """Return whether the output is one of the inputs, unchanged since their versions, or a view of it."""
    origins = [_origin(tensor) for tensor, version in inputs if tensor._version == version]
    return any(_origin(output) is origin for origin in origins)


def _origin(tensor: Tensor) -> Tensor:
    """Return the tensor of which another is a view, or itself."""
    return tensor._base if tensor._base is not None else tensor


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def layer_rows(model: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield leaves, and modules with parameters besides their children's (ViT's class token).

    The whole model is descended into even if its class name contains "Attention".
    """
    is_leaf = (name != "" and _is_attention(model)) or not any(True for _ in model.children())
    if is_leaf or any(True for _ in model.parameters(recurse=False)):
        yield name, model
    if not is_leaf:
        for child_name, child in model.named_children():
            yield from layer_rows(child, f"{name}.{child_name}" if name else child_name)


def _is_attention(module: nn.Module) -> bool:
    """Return whether the module may use its children's weights without calling them, as torch's and Swin's do."""
    return "Attention" in type(module).__name__
