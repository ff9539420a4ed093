"""A network as layers of Caffe: what torch.export says of one image of a fixed size, operator by operator.

Operators of constants alone, such as those that prepare a normalisation, are computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dlcli.export.caffe_layers import HANDLERS, Blob, Layers


def translate(program: Any, outputs: Sequence[str]) -> Layers:
    """Return the layers of an exported program, whose last blobs get the names of the outputs.

    Raises:
        ExportError: an operator has no layer in Caffe.
    """
    layers = Layers()
    values: dict[str, Any] = {**_constants(program)}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name not in values:
                values[node.name] = layers.name_input(node.name, tuple(node.meta["val"].shape))
        elif node.op == "output":
            layers.name_outputs([values[each.name] for each in node.args[0]], outputs)
        else:
            _translate_node(node, values, layers)
    return layers


def _translate_node(node: Any, values: dict[str, Any], layers: Layers) -> None:
    def valued(argument: Any) -> Any:
        if isinstance(argument, torch.fx.Node):
            return values[argument.name]
        if isinstance(argument, (list, tuple)):
            return [valued(each) for each in argument]
        return argument

    args, more = [valued(each) for each in node.args], {key: valued(each) for key, each in node.kwargs.items()}
    kind = str(node.target).removeprefix("aten.").partition(".")[0]
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    layers.where = (str(stack[-1][0]) if stack else "") or "network"
    if kind == "_assert_tensor_metadata":
        return
    if not any(isinstance(each, Blob) for each in _flat([*args, *more.values()])):
        values[node.name] = node.target(*args, **more)
        return
    handler = HANDLERS.get(kind.rstrip("_"))
    if handler is None:
        raise layers.refused(f"{kind} has no layer in Caffe")
    values[node.name] = handler(layers, *args, **more)
    if kind.endswith("_"):  # whoever reads the changed tensor later sees the change
        values[node.args[0].name] = values[node.name]


def _constants(program: Any) -> dict[str, Tensor]:
    tensors = {**program.state_dict, **program.constants}
    return {
        spec.arg.name: tensors[spec.target]
        for spec in program.graph_signature.input_specs
        if spec.target is not None and spec.target in tensors
    }


def _flat(values: Sequence[Any]) -> list[Any]:
    return [each for value in values for each in (_flat(value) if isinstance(value, list) else [value])]
