"""What the layers of a network cost and see, as numbers: shared by torch modules and ONNX files. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: dotted, as in `named_modules`.
        kind: name of its class.
        output_shape: of one item, without the batch axis; () if the layer returns no tensor.
        parameters: number of its parameters, except those shared with an earlier layer.
        multiply_adds: per item, in all of its calls; a multiplication and the addition after it count as one.
        bytes_moved: per item, of its inputs and parameters, which it reads, and its output, which it writes (as
            torchstat counts them); 0 for a layer that only looks at its input in another shape. What happens within
            an attention layer is not counted.
        receptive_field: side in input pixels of what one unit of its output sees, also where the image is smaller; None
            if that is always the whole input, or cannot be followed.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int = 0
    bytes_moved: int = 0
    receptive_field: int | None = None


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

    @property
    def bytes_moved(self) -> int:
        """Bytes per item that its layers read and write; additions between layers are not among them."""
        return sum(layer.bytes_moved for layer in self.layers)


@dataclass(frozen=True)
class Reach:
    """Which pixels the units of a map see along one axis: unit i those from `low + i * jump` to `high + i * jump`.

    Source: Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill.
    """

    low: int = 0
    high: int = 0
    jump: int = 1

    def slide(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Reach:
        """Return the reach after a convolution or a pool; `padding` is that before the first unit."""
        low = self.low - padding * self.jump
        return Reach(low, self.high + ((kernel - 1) * dilation - padding) * self.jump, self.jump * stride)


@dataclass(frozen=True)
class Field:
    """The receptive field of the units of a map, along its height and its width."""

    height: Reach = Reach()
    width: Reach = Reach()

    @property
    def side(self) -> int:
        """The longer side in pixels."""
        return max(reach.high - reach.low + 1 for reach in (self.height, self.width))

    def slide(
        self,
        kernel: Sequence[int],
        stride: Sequence[int] = (1, 1),
        padding: Sequence[int] = (0, 0),
        dilation: Sequence[int] = (1, 1),
    ) -> Field:
        """Return the field after a convolution or a pool with these values along height and width."""
        axes = zip((self.height, self.width), kernel, stride, padding, dilation, strict=True)
        height, width = (reach.slide(*values) for reach, *values in axes)
        return Field(height, width)


def join(fields: Iterable[Field | None]) -> Field | None:
    """Return the field of units that see what those of several maps see together; None if one of them is unknown."""
    known: list[Field] = []
    for field in fields:
        if field is None:
            return None
        known.append(field)
    height, width = (_join(reaches) for reaches in ([f.height for f in known], [f.width for f in known]))
    return Field(height, width) if height is not None and width is not None else None


def _join(reaches: Sequence[Reach]) -> Reach | None:
    if len({reach.jump for reach in reaches}) != 1:
        return None
    return Reach(min(reach.low for reach in reaches), max(reach.high for reach in reaches), reaches[0].jump)
