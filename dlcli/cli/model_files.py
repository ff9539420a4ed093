"""What `dl models FILE` says of a file beside its layers: types, operators, metadata, weights in other files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.console import Console, shorten
from dlcli.export.metadata import PREFIX

if TYPE_CHECKING:
    from dlcli.export.looking import FileFacts, Value

MAX_SHOWN = 100
"""Characters of a value of the metadata on its line; `--json` has it in full."""


def show_torchscript(path: Path, console: Console) -> None:
    """Print what can be said of a TorchScript file without running it.

    Raises:
        RunError: it is damaged.
    """
    from dlcli.export.looking import look_into_torchscript

    facts = look_into_torchscript(path)
    if console.is_json:
        console.answer_json("model", {"name": path.name, "source": "TorchScript", **of_file(facts)})
        return
    for name in ("inputs", "outputs"):
        names = facts.metadata.get(f"{PREFIX}{name}")
        if isinstance(names, list):
            console.answer(f"{name}: {', '.join(map(str, names))}")
    _answer_lines(facts, console)


def show_folder(path: Path, console: Console) -> None:
    """Print the graphs of a folder that `dl export` wrote.

    Raises:
        RunError: one of them is damaged, missing or another file than was exported.
    """
    from dlcli.export.looking import folder_metadata, graphs_of_folder, look_into_onnx, look_into_torchscript
    from dlcli.export.model_file import ONNX, kind_of

    files = graphs_of_folder(path)
    found = [look_into_onnx(file) if kind_of(file) == ONNX else look_into_torchscript(file) for file in files]
    metadata = folder_metadata(path)
    if console.is_json:
        graphs = [{"name": facts.file, **of_file(facts)} for facts in found]
        console.answer_json("model", {"name": path.name, "source": "graphs", "graphs": graphs, "metadata": metadata})
        return
    rows = [
        [
            *(facts.file, listed(facts.inputs), listed(facts.outputs), sum(facts.operators.values())),
            *(facts.parameters, facts.bytes),
        ]
        for facts in found
    ]
    console.table(["graph", "inputs", "outputs", "nodes", "parameters", "bytes"], rows)
    console.answer("")
    for line in metadata_lines(metadata):
        console.answer(line)


def of_file(facts: FileFacts) -> dict[str, Any]:
    """Return the entries of a JSON document that a file has beside its layers."""
    shapes = {
        "inputs": {value.name: value.shape for value in facts.inputs},
        "outputs": {value.name: value.shape for value in facts.outputs},
        "types": {value.name: value.type for value in (*facts.inputs, *facts.outputs)},
    }
    values = {key: value for key, value in asdict(facts).items() if key not in ("file", "inputs", "outputs")}
    return {**shapes, **values, "initialisers": facts.tensors}


def listed(values: Any) -> str:
    """Return inputs or outputs on one line: name, shape and type."""
    return ", ".join(_described(value) for value in values)


def _described(value: Value) -> str:
    return " ".join(filter(None, [value.name, " x ".join(map(str, value.shape)), value.type]))


def answer_facts(facts: FileFacts, console: Console) -> None:
    """Print what an ONNX file says besides its layers."""
    console.answer(f"\ninputs: {listed(facts.inputs)}\noutputs: {listed(facts.outputs)}")
    _answer_lines(facts, console)


def _answer_lines(facts: FileFacts, console: Console) -> None:
    console.answer(f"operators: {', '.join(f'{name} {count}' for name, count in facts.operators.items())}")
    for name, size in facts.external.items():
        console.answer(f"weights in {name}: {size:,} bytes")
    for line in metadata_lines(facts.metadata):
        console.answer(line)
    if facts.kind != "onnx":
        counted = f"{facts.parameters:,} parameters" if facts.parameters is not None else "parameters of several types"
        console.answer(f"{counted} in {facts.tensors} tensors; {facts.bytes:,} bytes, {facts.producer}")


def metadata_lines(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each entry of the metadata; entries of an entry of ours have lines of their own."""
    if not metadata:
        yield "metadata: none"
    for key, value in metadata.items():
        if key == f"{PREFIX}assets" and isinstance(value, Mapping):
            for name, asset in value.items():
                count = f" ({len(asset):,})" if isinstance(asset, (list, Mapping)) else ""
                yield f"{key}.{name}{count}: {_shown(asset)}"
        else:
            yield f"{key}: {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return shorten(", ".join(value), MAX_SHOWN)
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), MAX_SHOWN)
