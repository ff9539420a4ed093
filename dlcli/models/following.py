"""Follows the receptive fields of maps through a network while it runs, by the geometry of each operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from dlcli.models.costs import Field, join

aten = torch.ops.aten


class FieldFollower(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within its block, notes the receptive field of every map that is computed from an image.

    Convolutions and pools widen a field, what keeps the size of its maps passes it on, and several inputs join theirs.
    After anything else (a mean over the map, a linear layer, a layer whose channels stand last) it is unknown.

    Args:
        image: (N, C, H, W).
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._fields: MutableMapping[Tensor, Field | None] = WeakTensorKeyDictionary()
        self._fields[image] = Field()

    def field_of(self, output: Tensor) -> Field | None:
        """Return the field of a map's units; None if it is unknown, or of anything else."""
        return self._fields.get(output)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        answer = func(*args, **(kwargs or {}))
        inputs = [tensor for tensor in _tensors(args) if tensor in self._fields]
        for output in _tensors([answer]) if inputs else ():
            self._fields[output] = self._field_after(func.overloadpacket, args, inputs, output)
        return answer

    def _field_after(
        self, operation: Any, args: Sequence[Any], inputs: Sequence[Tensor], output: Tensor
    ) -> Field | None:
        """Return the field of an operation's output; `inputs` are those of its arguments that see the image."""
        fields = [self.field_of(tensor) for tensor in inputs]
        if operation in _MOVES:
            return _MOVES[operation](args, fields[0]) if fields[0] is not None else None
        # Maps may have five axes while their channels are shuffled.
        if any(min(each.ndim, output.ndim) < 3 or each.shape[-2:] != output.shape[-2:] for each in inputs):
            return None
        return join(fields)


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _convolve(args: Sequence[Any], field: Field) -> Field | None:
    _, weight, _, stride, padding, dilation, is_transposed = args[:7]
    if is_transposed or weight.ndim != 4:
        return None
    return field.slide(weight.shape[2:], _pair(stride), _pair(padding), _pair(dilation))


def _pool(args: Sequence[Any], field: Field) -> Field:
    """Return the field after a pool: (input, kernel, stride, padding, ...); without a stride it is the kernel's."""
    kernel = _pair(args[1])
    stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
    return field.slide(kernel, stride, _pair(args[3]) if len(args) > 3 else (0, 0))


def _max_pool(args: Sequence[Any], field: Field) -> Field:
    kernel = _pair(args[1])
    dilation = _pair(args[4]) if len(args) > 4 else (1, 1)
    wide = [1 + (size - 1) * step for size, step in zip(kernel, dilation, strict=True)]
    stride = args[2] if len(args) > 2 and args[2] else kernel
    return _pool([args[0], wide, stride, *args[3:4]], field)


def _pad(args: Sequence[Any], field: Field) -> Field | None:
    """Return the field after padding: (input, [left, right, top, bottom], ...)."""
    sides = [*map(int, args[1]), 0, 0]
    return field.slide((1, 1), padding=(sides[2], sides[0])) if len(args[1]) <= 4 else None


def _pair(value: Any) -> tuple[int, int]:
    numbers = [value] if isinstance(value, int) else list(value)
    return (int(numbers[0]), int(numbers[-1]))


_MOVES: Mapping[Any, Callable[[Sequence[Any], Field], Field | None]] = {
    aten.convolution: _convolve,
    aten.max_pool2d_with_indices: _max_pool,
    aten.avg_pool2d: _pool,
    aten.constant_pad_nd: _pad,
    aten.reflection_pad2d: _pad,
    aten.replication_pad2d: _pad,
}
