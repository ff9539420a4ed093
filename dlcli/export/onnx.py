"""ONNX files from torch's two exporters: the newer on torch.export ("dynamo"), the older on traces ("legacy")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from dlcli.core.errors import ExportError
from dlcli.core.registry import load_object
from dlcli.core.version import __version__
from dlcli.core.wording import is_unicode
from dlcli.export.model_file import check_external_data, walk_messages
from dlcli.export.plan import Graph

OPSET = 20
"""The newest that both exporters of torch 2.11 to 2.15 write; ONNX Runtime reads it since 1.17."""

OPSETS: Mapping[str, range] = {"dynamo": range(18, 24), "legacy": range(9, 21)}
"""What each exporter writes."""

MAX_BYTES_IN_ONE_FILE = 1_900_000_000
"""Limit on parameters and buffers. Protobuf's is 2 GiB; beyond it, torch writes a file of 7 KB without an error."""


def write_dynamo(
    module: nn.Module, graph: Graph, metadata: Mapping[str, str], path: Path, *, opset: int = OPSET
) -> None:
    """Write the module as an ONNX file through torch.export, which fails if the graph depends on values."""
    _check_opset("dynamo", opset)
    symbols = {symbol for axes in graph.dynamic.values() for symbol in axes.values()}
    # A name is an axis of any size; sizes that must divide evenly are products of a dimension.
    dims = {symbol: graph.multiples[symbol] * torch.export.Dim(symbol) for symbol in symbols & set(graph.multiples)}
    shapes = tuple(
        {axis: dims.get(symbol, symbol) for axis, symbol in graph.dynamic.get(name, {}).items()}
        for name in graph.inputs
    )
    _export(module, graph, path, {"dynamic_shapes": shapes, "custom_translation_table": _translations(graph)}, opset)
    _finish(path, metadata, opset, is_large=_is_large(module))


def write_legacy(
    module: nn.Module, graph: Graph, metadata: Mapping[str, str], path: Path, *, opset: int = OPSET
) -> None:
    """Write the module as an ONNX file through a trace."""
    _check_opset("legacy", opset)
    axes = {name: dict(axes) for name, axes in graph.dynamic.items()}
    _export(module, graph, path, {"dynamic_axes": axes}, opset)
    _finish(path, metadata, opset, is_large=_is_large(module))


def _check_opset(exporter: str, opset: int) -> None:
    if opset not in OPSETS[exporter]:
        first, last = OPSETS[exporter][0], OPSETS[exporter][-1]
        raise ExportError(f"it writes the opsets {first} to {last}, not {opset}")


def _is_large(module: nn.Module) -> bool:
    tensors = (*module.parameters(), *module.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) > MAX_BYTES_IN_ONE_FILE


def _translations(graph: Graph) -> dict[Any, Callable[..., Any]]:
    """Return the overload of each of the graph's own operators with the function that translates it."""
    found = {}
    for operator, function in graph.translations.items():
        namespace, name = operator.split("::")
        found[getattr(getattr(torch.ops, namespace), name).default] = load_object(function)
    return found


def _export(module: nn.Module, graph: Graph, path: Path, axes: dict[str, Any], opset: int) -> None:
    export: Any = torch.onnx.export
    with torch.no_grad():
        export(
            module,
            tuple(graph.example[name].cpu() for name in graph.inputs),
            str(path),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=opset,
            dynamo="dynamic_shapes" in axes,
            external_data=_is_large(module),
            **axes,
        )


def _finish(path: Path, metadata: Mapping[str, str], opset: int, *, is_large: bool) -> None:
    """Replace this machine's information in the file with our metadata, and check the file.

    Raises:
        ExportError: it has another opset than the one asked for, which torch mentions in a log alone.
    """
    model = onnx.load(str(path), load_external_data=False)
    written = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if written != opset:
        raise ExportError(f"the file has opset {written}, and cannot be converted to {opset}")
    for message in walk_messages(model):
        # The newer exporter writes stack traces with absolute paths into every node.
        for name in ("metadata_props", "doc_string"):
            if name in message.DESCRIPTOR.fields_by_name:
                message.ClearField(name)
    model.producer_name, model.producer_version = "dlcli", __version__
    onnx.helper.set_model_props(model, dict(metadata))
    if is_large:
        _gather_weights(model, path)
    path.write_bytes(model.SerializeToString())
    # Of the two, only the check of a file reads weights beside it, and it takes no path that is not UTF-8.
    onnx.checker.check_model(str(path) if is_large or is_unicode(str(path)) else model)
    check_external_data(path)


def _gather_weights(model: onnx.ModelProto, path: Path) -> None:
    """Move all weights into one file beside `path`; the older exporter writes one file per weight."""
    scattered = check_external_data(path)
    data_file = path.with_name(path.name + ".data")
    if scattered in ((), (data_file.resolve(),)):
        return
    onnx.load_external_data_for_model(model, str(path.parent))
    for file in scattered:
        file.unlink()
    onnx.save_model(model, str(path), save_as_external_data=True, all_tensors_to_one_file=True, location=data_file.name)
