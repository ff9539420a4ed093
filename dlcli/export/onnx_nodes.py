"""Building a piece of an ONNX graph, and joining it to a graph. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Nodes:
    """A list of nodes that grows; every value has a name with the prefix.

    Args:
        prefix: no name of the graph that the nodes join may start with it.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix
        self._known: dict[tuple[Any, ...], str] = {}

    def name(self, stem: str) -> str:
        """Return the name of a value that is asked for from outside."""
        return f"{self._prefix}{stem}"

    def constant(self, value: Any, dtype: Any) -> str:
        """Return the name of a constant; equal ones are stored once."""
        array = np.asarray(value, dtype)
        key = (array.tobytes(), array.shape, array.dtype.str)
        if key not in self._known:
            self._known[key] = self.name(f"constant_{len(self.constants)}")
            self.constants.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def ints(self, *values: int) -> str:
        """Return the name of an int64 vector."""
        return self.constant(values, np.int64)

    def doubles(self, *values: float) -> str:
        """Return the name of a float64 vector."""
        return self.constant(values, np.float64)

    def add(self, operator: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Append a node and return the name of its output, by default a new one."""
        output = to or self.name(f"{operator.lower()}_{len(self.nodes)}")
        node = helper.make_node(operator, inputs, [output], name=self.name(f"node_{len(self.nodes)}"), **attributes)
        self.nodes.append(node)
        return output

    def cast(self, value: str, kind: int, *, to: str | None = None) -> str:
        """Append a cast to one of `onnx.TensorProto`'s types, and return the name of its output."""
        name = to or self.name(f"cast_{len(self.nodes)}")
        self.nodes.append(helper.make_node("Cast", [value], [name], name=self.name(f"node_{len(self.nodes)}"), to=kind))
        return name


def rename_values(nodes: Iterable[onnx.NodeProto], names: Mapping[str, str]) -> None:
    """Rename values wherever these nodes, or graphs inside them, read or make them."""
    for node in nodes:
        for values in (node.input, node.output):
            for index, name in enumerate(values):
                values[index] = names.get(name, name)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                rename_values(graph.node, names)
                for output in graph.output:
                    output.name = names.get(output.name, output.name)
