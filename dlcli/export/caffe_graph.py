"""A network as layers of Caffe: what torch.export says of one image of a fixed size, operator by operator.

Operators of constants alone, such as those that prepare a normalisation, are computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcli.export import caffe_layers as layers
from dlcli.export import caffe_pools as pools
from dlcli.export.caffe_net import Blob, Layers

HANDLERS: Mapping[str, Callable[..., Blob]] = {
    **dict.fromkeys(("to", "_to", "contiguous", "clone", "alias", "dropout", "feature_dropout", "detach"), layers.same),
    **{kind: layers.arithmetic(kind) for kind in ("add", "sub", "mul", "div", "maximum")},
    "conv2d": layers.convolution,
    "batch_norm": layers.batch_norm,
    "relu": layers.activation("ReLU"),
    "leaky_relu": layers.leaky,
    "sigmoid": layers.activation("Sigmoid"),
    "tanh": layers.activation("TanH"),
    "max_pool2d": pools.max_pool,
    "avg_pool2d": pools.mean_pool,
    "adaptive_avg_pool2d": pools.adaptive,
    "mean": pools.reduction("AVE"),
    "amax": pools.reduction("MAX"),
    "flatten": layers.flatten,
    "view": layers.view,
    "reshape": layers.view,
    "squeeze": layers.squeeze,
    "linear": layers.linear,
    "cat": layers.concat,
    "softmax": layers.softmax,
}
"""Operator of torch, without its namespace -> a function (network, values...) that adds its layers."""


def translate(program: Any, outputs: Sequence[str]) -> Layers:
    """Return the layers of an exported program, whose last blobs get the names of the outputs.

    Raises:
        ExportError: an operator has no layer in Caffe.
    """
    net = Layers()
    values: dict[str, Any] = {**_constants(program)}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name not in values:
                values[node.name] = net.name_input(node.name, tuple(node.meta["val"].shape))
        elif node.op == "output":
            net.name_outputs([values[each.name] for each in node.args[0]], outputs)
        else:
            _translate_node(node, values, net)
    return net


def _translate_node(node: Any, values: dict[str, Any], net: Layers) -> None:
    def valued(argument: Any) -> Any:
        if isinstance(argument, torch.fx.Node):
            return values[argument.name]
        if isinstance(argument, (list, tuple)):
            return [valued(each) for each in argument]
        return argument

    args, more = [valued(each) for each in node.args], {key: valued(each) for key, each in node.kwargs.items()}
    kind = str(node.target).removeprefix("aten.").partition(".")[0]
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    net.where = (str(stack[-1][0]) if stack else "") or "network"
    if kind == "_assert_tensor_metadata":
        return
    if not any(isinstance(each, Blob) for each in _flat([*args, *more.values()])):
        values[node.name] = node.target(*args, **more)
        return
    handler = HANDLERS.get(kind.rstrip("_"))
    if handler is None:
        raise net.refused(f"{kind} has no layer in Caffe")
    try:
        values[node.name] = handler(net, *args, **more)
    except TypeError:  # arguments that no handler takes
        raise net.refused(f"{kind} with these arguments has no layer in Caffe") from None
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
