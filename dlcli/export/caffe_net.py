"""The layers of a Caffe network while it is built: names, blobs, and refusals by the module's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from dlcli.core.errors import ExportError

Shape = tuple[int, ...]


@dataclass
class Layer:
    """A layer: its type in Caffe, the blobs that it takes and makes, its settings by message, and its weights."""

    name: str
    type: str
    bottoms: list[str]
    top: str
    settings: dict[str, Any] = field(default_factory=dict)
    blobs: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Blob:
    """A value that a layer makes."""

    name: str
    shape: Shape


class Layers:
    """The layers of a network, in their order.

    Attributes:
        layers: without those of the inputs.
        where: the module that the next layer belongs to.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self._names: set[str] = set()
        self.where = ""

    def name_input(self, name: str, shape: Shape) -> Blob:
        """Return the blob of an input."""
        self._names.add(name)
        return Blob(name, shape)

    def refuse(self, reason: str) -> Any:
        """Raise an error that names the module.

        Raises:
            ExportError: always.
        """
        raise self.refused(reason)

    def refused(self, reason: str) -> ExportError:
        """Return the error for an operator that has no layer, with the name of its module."""
        return ExportError(f"layer {self.where}: {reason}")

    def add(self, type: str, bottoms: Sequence[Blob], shape: Sequence[int], *blobs: Tensor, **settings: Any) -> Blob:
        """Add a layer, named after its module, and return what it makes."""
        plain = name = self.where.replace("/", "_")
        number = 1
        while name in self._names:
            number += 1
            name = f"{plain}.{type.lower()}{number if number > 2 else ''}"
        self._names.add(name)
        weights = [each.detach().float() for each in blobs]
        self.layers.append(Layer(name, type, [each.name for each in bottoms], name, settings, weights))
        return Blob(name, tuple(shape))

    def is_positive(self, blob: Blob) -> bool:
        """Return whether no value of a blob can be negative, by the layer that makes it."""
        made = next((layer for layer in self.layers if layer.top == blob.name), None)
        return made is not None and (made.type == "Sigmoid" or (made.type == "ReLU" and not made.settings))

    def name_outputs(self, blobs: Sequence[Any], outputs: Sequence[str]) -> None:
        """Give the last blobs the names of the outputs.

        Raises:
            ExportError: one of them is no layer's.
        """
        for blob, name in zip(blobs, outputs, strict=True):
            if not isinstance(blob, Blob) or not self.layers:
                self.refuse(f"the output {name} does not depend on the input")
            for layer in self.layers:
                layer.bottoms = [name if each == blob.name else each for each in layer.bottoms]
                if layer.top == blob.name:
                    layer.name = layer.top = name  # OpenCV asks for outputs by the names of their layers


def pair_of(value: Any) -> tuple[int, int]:
    """Return a number for height and one for width."""
    first, *rest = value if isinstance(value, list) else [value]
    return int(first), int(rest[0] if rest else first)


def said(shape: Shape) -> str:
    """Return a shape for a message."""
    return " x ".join(map(str, shape))
