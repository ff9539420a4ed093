"""What is wrong with a model file, found before somebody else finds it: for `dl doctor FILE`. Torch-free."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import RunError, first_line
from dlcli.core.findings import FAULT, OK, WARNING, Finding
from dlcli.core.wording import brief, is_unicode
from dlcli.export.looking import (
    FileFacts,
    damaged,
    folder_metadata,
    graphs_of_folder,
    look_into_onnx,
    look_into_torchscript,
    operator_of,
    read_onnx,
)
from dlcli.export.metadata import PREFIX, decode_metadata
from dlcli.export.model_file import ONNX, TORCHSCRIPT, check_external_data, is_graph_folder, kind_of, walk_messages

AGAIN = "copy or export it again"
MAX_NAMED = 5

_ABSOLUTE = re.compile(
    r"(?:^|[\s\"'(=])(/(?:home|Users|root|tmp|work|opt|usr|mnt|data|var)/[^\s\"']+|[A-Z]:\\[^\s\"']+)"
)
_BY_VALUE = ("NonZero", "NonMaxSuppression", "Unique", "Loop", "If", "Scan", "Compress")
"""Operators whose outputs have sizes, or run as often, as the values of their inputs say."""


def examine(path: Path) -> Iterator[Finding]:
    """Yield what is found in a model file, or in a folder of several graphs.

    Raises:
        RunError: it is no model file, or so damaged that nothing can be said of it.
    """
    if is_graph_folder(path):
        files = graphs_of_folder(path)
        yield Finding("folder", OK, f"{len(files)} graphs with the SHA-256 of their export")
        yield _metadata(folder_metadata(path), path, is_part=False)
        for file in files:
            for finding in _examine_file(file, is_part=True):
                yield Finding(f"{file.stem}: {finding.what}", finding.state, finding.found, finding.fix)
        return
    yield from _examine_file(path, is_part=False)


def _examine_file(path: Path, *, is_part: bool) -> Iterator[Finding]:
    kind = kind_of(path)
    if kind == TORCHSCRIPT:
        facts = look_into_torchscript(path)
        yield Finding(
            "file", OK, f"TorchScript, {facts.bytes:,} bytes, {facts.tensors} tensors, whole by its checksums"
        )
        yield _metadata(facts.metadata, path, is_part=is_part)
        yield Finding("program", WARNING, "a TorchScript file is a program: load only files whose maker you trust")
        return
    if kind != ONNX:
        reason = "no such file" if not path.exists() else "neither an ONNX nor a TorchScript file"
        raise RunError(f"{path}: {reason}", hint="`dl export RUN` writes one")
    yield from _examine_onnx(path, is_part=is_part)


def _examine_onnx(path: Path, *, is_part: bool) -> Iterator[Finding]:
    model = read_onnx(path)
    try:
        beside = check_external_data(path)
    except RunError as error:
        yield Finding("weights", FAULT, _own(error, path), error.hint or AGAIN)
        return
    facts = look_into_onnx(path)
    outside = f", with {', '.join(file.name for file in beside)}" if beside else ""
    yield Finding("file", OK, f"ONNX, {facts.bytes:,} bytes{outside}, by {facts.producer or 'an unnamed program'}")
    yield _metadata(facts.metadata, path, is_part=is_part)
    yield _weights(model, path)
    yield _opset(facts)
    yield _shapes(model)
    yield _sizes(facts)
    yield from _values(model)
    yield _paths(model)
    yield _runtime(path)


def _own(error: RunError, path: Path) -> str:
    return error.message.removeprefix(f"{path}: ")


def _metadata(metadata: Mapping[str, Any], path: Path, *, is_part: bool) -> Finding:
    ours = {key: value for key, value in metadata.items() if key.startswith(PREFIX)}
    if not ours:
        found = f"none of dl's: {', '.join(list(metadata)[:MAX_NAMED]) or 'nothing at all'}"
        fix = "whoever runs it must know labels and preprocessing; `dl predict` cannot"
        return Finding("metadata", WARNING, brief(found), fix)
    if is_part:
        return Finding("metadata", OK, "a graph of several; labels and preprocessing are in model.json")
    texts = {key: json.dumps(value) for key, value in ours.items()}
    listed = {f"{PREFIX}{name}": '["x"]' for name in ("inputs", "outputs")}  # those of a folder stand with its graphs
    try:
        decode_metadata({**listed, **texts}, str(path))
    except RunError as error:
        return Finding("metadata", FAULT, _own(error, path), AGAIN)
    named = {name: ours.get(PREFIX + name) for name in ("task", "model", "dataset")}
    return Finding("metadata", OK, brief(", ".join(f"{name} {value}" for name, value in named.items() if value)))


def _weights(model: Any, path: Path) -> Finding:
    """Look for numbers that are none: a network with one answers everything alike."""
    import onnx

    bad, huge, count = [], [], 0
    for message in walk_messages(model):
        if message.DESCRIPTOR.name != "TensorProto":
            continue
        count += 1
        try:
            values = onnx.numpy_helper.to_array(message, base_dir=str(path.parent.resolve()))
        except (ValueError, TypeError, KeyError, OSError, MemoryError) as error:
            return Finding("weights", FAULT, brief(f"{message.name}: {first_line(error)}"), AGAIN)
        if values.dtype.kind != "f" or not values.size:
            continue
        if np.isnan(values).any():
            bad.append(message.name)
        elif np.isinf(values).any():
            huge.append(message.name)
    if bad:
        return Finding("weights", FAULT, f"{len(bad)} of {count} tensors hold NaN: {_some(bad)}", "train it again")
    if huge:
        return Finding("weights", WARNING, f"{len(huge)} of {count} tensors hold infinities: {_some(huge)}")
    return Finding("weights", OK, f"{count:,} tensors, all of them finite")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(brief(name, 60) for name in names[:MAX_NAMED])
    return f"{shown}, ..." if len(names) > MAX_NAMED else shown


def _opset(facts: FileFacts) -> Finding:
    import onnx

    version = facts.opsets.get("", 0)
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        return Finding("opset", WARNING, f"{version}, newer than {newest}, the newest that is known here")
    if 0 < version < 9:
        return Finding("opset", WARNING, f"{version}, of 2018 or earlier: not every program reads it any more")
    others = ", ".join(f"{domain} {number}" for domain, number in facts.opsets.items() if domain)
    return Finding("opset", OK, f"{version}{f'; {others}' if others else ''}")


def _shapes(model: Any) -> Finding:
    from onnx import shape_inference

    twin = type(model)()
    twin.CopyFrom(model)
    for tensor in twin.graph.initializer:
        if tensor.data_location == tensor.EXTERNAL or len(tensor.raw_data) > 2**16:
            tensor.ClearField("raw_data")  # a shape depends on no large tensor
            tensor.ClearField("external_data")
            tensor.data_location = tensor.DEFAULT
    try:
        shape_inference.infer_shapes(twin, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # C++ errors of several kinds
        return Finding("shapes", WARNING, brief(f"cannot be inferred: {_last_line(error)}"))
    return Finding("shapes", OK, "inferred for every operator")


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _sizes(facts: FileFacts) -> Finding:
    fixed = [value.name for value in facts.inputs if value.shape and isinstance(value.shape[0], int)]
    free = {axis for value in facts.inputs for axis in value.shape if isinstance(axis, str)}
    if fixed:
        shapes = {value.name: value.shape for value in facts.inputs}
        found = f"takes {shapes[fixed[0]][0]} at a time: the batch of {_some(fixed)} is fixed"
        return Finding("sizes", WARNING, found, "export it with a free batch axis")
    return Finding("sizes", OK, f"free axes: {', '.join(sorted(free)) or 'none'}")


def _values(model: Any) -> Iterator[Finding]:
    found = sorted({node.op_type for node in _nodes(model) if node.op_type in _BY_VALUE})
    if found:
        yield Finding(
            "dynamic", OK, f"sizes inside depend on values, by {', '.join(found)}: not every program takes that"
        )


def _nodes(model: Any) -> Iterator[Any]:
    return (message for message in walk_messages(model) if message.DESCRIPTOR.name == "NodeProto")


def _paths(model: Any) -> Finding:
    """Look for folders of the machine that wrote the file: they tell strangers of it, and swell the file."""
    texts = (
        text
        for message in walk_messages(model)
        for text in (
            [entry.value for entry in message.metadata_props]
            if "metadata_props" in message.DESCRIPTOR.fields_by_name
            else []
        )
        + ([message.doc_string] if "doc_string" in message.DESCRIPTOR.fields_by_name else [])
    )
    found = [match[1] for match in map(_ABSOLUTE.search, texts) if match is not None]
    if not found:
        return Finding("paths", OK, "no folder of the machine that wrote it")
    return Finding(
        "paths",
        WARNING,
        brief(f"{len(found):,} texts name folders of the machine that wrote it: {found[0]}"),
        "clear `metadata_props` and `doc_string` of its nodes",
    )


def _runtime(path: Path) -> Finding:
    """Load the file, without running it and without changing its graph."""
    from dlcli.export.quiet import silenced

    with silenced():
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = str(path) if is_unicode(str(path)) else path.read_bytes()
    try:
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # one class for each of its error codes
        unknown = _unknown(path)
        found = f"does not know {_some(unknown)}" if unknown else f"cannot load it: {first_line(error)}"
        fix = "register the library that has them" if unknown else AGAIN
        return Finding("ONNX Runtime", FAULT, brief(f"{onnxruntime.__version__} {found}"), fix)
    return Finding("ONNX Runtime", OK, f"{onnxruntime.__version__} loads it")


def _unknown(path: Path) -> list[str]:
    """Return the operators that neither ONNX nor ONNX Runtime defines, nor a function of the file."""
    import onnx

    try:
        model = read_onnx(path)
    except RunError:
        raise damaged(path, "it changed while it was read") from None
    own = {(function.domain, function.name) for function in model.functions}
    return sorted(
        {
            operator_of(node)
            for node in _nodes(model)
            if (node.domain, node.op_type) not in own
            and not node.domain.startswith("com.microsoft")
            and not onnx.defs.has(node.op_type, "" if node.domain == "ai.onnx" else node.domain)
        }
    )
