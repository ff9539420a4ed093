"""torch.export files (.pt2): a graph of operators with its weights, loaded without the Python code of the network.

`torch.export.load` is not safe by itself: it unpickles some members of the archive, evaluates the expressions of sizes,
looks up operators by name in all of torch, and loads compiled libraries. So only what `pt2_document` has examined is
handed to it, in an archive that is written anew: a graph of operators and weights as plain bytes, and nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli.core.errors import RunError, first_line
from dlcli.export.plan import Graph
from dlcli.export.pt2_document import UnsafeError, check_graph, check_weights
from dlcli.export.torch_archive import (
    BROKEN,
    METADATA_NAME,
    OPERATORS,
    ArchiveModel,
    damaged,
    one_document,
    read_metadata,
)

ROOT = "archive"
GRAPH = "models/model.json"
WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
SAMPLES = "data/sample_inputs/model.pt"
METADATA = f"extra/{METADATA_NAME}"
CONFIGS = (f"{WEIGHTS}model_weights_config.json", f"{CONSTANTS}model_constants_config.json")
PLAIN = ("archive_format", "archive_version", "byteorder", ".data/version", "version", ".format_version")
"""Members that hold a word or a number."""

IGNORED = (".data/serialization_id",)

MAX_JSON_BYTES = 256 * 2**20
"""Limit on a document of the archive; the graph of a detector with 300 layers takes 2 MB."""


def write_program(module: nn.Module, graph: Graph, metadata: Mapping[str, str], path: Path) -> None:
    """Write the module as a torch.export file, which fails if the graph depends on values.

    The real samples with which the module is traced, source paths and guards are left out of the file.
    """
    dims = {
        symbol: graph.multiples[symbol] * torch.export.Dim(symbol) if symbol in graph.multiples else _any_size()
        for axes in graph.dynamic.values()
        for symbol in axes.values()
    }
    shapes: tuple[Any, ...] = tuple(
        {axis: dims[symbol] for axis, symbol in graph.dynamic.get(name, {}).items()} for name in graph.inputs
    )
    if takes_any_number(module):
        shapes = (shapes,)
    example = tuple(graph.example[name].cpu() for name in graph.inputs)
    with torch.no_grad(), _loops_of_any_length():
        program = torch.export.export(module, example, dynamic_shapes=shapes, strict=False)
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA_NAME: one_document(metadata)})
    members = _members(buffer)
    members[GRAPH], members[SAMPLES] = _without_origins(members[GRAPH]), _no_samples()
    path.write_bytes(_packed(members))


def takes_any_number(module: nn.Module) -> bool:
    """Return whether a module takes its inputs as `*inputs`, which torch.export sees as one tuple."""
    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    return kinds[:1] == [inspect.Parameter.VAR_POSITIONAL]


@contextlib.contextmanager
def _loops_of_any_length() -> Iterator[None]:
    """Keep an LSTM or GRU of any length, as `torch.onnx.export` does; else the length of the example becomes fixed."""
    try:
        from torch.export._patches import (
            register_gru_while_loop_decomposition,
            register_lstm_while_loop_decomposition,
        )
    except ImportError:  # a torch without them: the parity gate, or torch itself, refuses a length that is fixed
        yield
        return
    with register_lstm_while_loop_decomposition(), register_gru_while_loop_decomposition():
        yield


def _any_size() -> Any:
    dim: Any = torch.export.Dim
    return dim.DYNAMIC


def _members(archive: Path | io.BytesIO) -> dict[str, bytes]:
    """Return the members of an archive by name, without the folder in which all of them are.

    Raises:
        UnsafeError: a document is too large, or a member compressed, which could fill the memory.
    """
    found = {}
    with zipfile.ZipFile(archive) as source:
        for info in source.infolist():
            if info.filename.endswith(".json") and info.file_size > MAX_JSON_BYTES:
                raise UnsafeError(f"a document of {info.file_size >> 20} MiB")
            if info.compress_type != zipfile.ZIP_STORED:
                raise UnsafeError(f"the compressed member {info.filename[:80]!r}")
            found[info.filename.partition("/")[2]] = source.read(info)
    return found


def _packed(members: Mapping[str, bytes]) -> bytes:
    """Return a new archive; weights are not compressed, as in torch's own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in members.items():
            target.writestr(zipfile.ZipInfo(f"{ROOT}/{name}"), content)
    return buffer.getvalue()


def _without_origins(text: bytes) -> bytes:
    """Return the document of a graph without what its nodes say of the code that they come from, and without guards."""
    document = json.loads(text)
    for node in document["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}
    document["guards_code"] = []
    return json.dumps(document, ensure_ascii=False).encode()


def open_program(path: Path, threads: int | None = None) -> ArchiveModel:
    """Return the model in a torch.export file, on the CPU.

    Nothing in it is unpickled, evaluated or looked up by name but operators on tensors; see `pt2_document`.

    Raises:
        RunError: the file is damaged, `dl export` did not write it, it holds what could run code, or this torch cannot
            load it.
    """
    metadata = read_metadata(path)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        archive = _examined(path)
    except UnsafeError as error:
        raise RunError(
            f"{path}: holds {error}, which is not loaded", hint="do not run this file unless you know who made it"
        ) from None
    except (*BROKEN, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, error) from None
    try:
        program = torch.export.load(io.BytesIO(archive))
        module = program.module(check_guards=False)
    except Exception as error:  # torch raises errors of any class, also for a schema that it does not know
        raise RunError(
            f"{path}: torch {torch.__version__} cannot load it: {first_line(error)}",
            hint="export it again with the torch that is installed here",
        ) from None
    return ArchiveModel(path, metadata, module)


def _examined(path: Path) -> bytes:
    """Return an archive of the file's graph and weights alone, all of them examined.

    Raises:
        UnsafeError: a member is unknown, or holds what could run code.
    """
    members = {name: content for name, content in _members(path).items() if name not in IGNORED}
    for name in members:
        is_known = name in (GRAPH, SAMPLES, METADATA, *CONFIGS, *PLAIN)
        if not is_known and not name.startswith((WEIGHTS, CONSTANTS)):
            raise UnsafeError(f"the member {name[:80]!r}")
    graph = json.loads(members[GRAPH])
    for namespace in check_graph(graph, OPERATORS):
        importlib.import_module(OPERATORS[namespace])
    kept = {name: members[name] for name in PLAIN if name in members}
    # What is loaded is what was examined: the documents are written anew, and of the others those that they name.
    kept[GRAPH] = json.dumps(graph).encode()
    for folder, config_name in zip((WEIGHTS, CONSTANTS), CONFIGS, strict=True):
        config = json.loads(members[config_name])
        kept |= {folder + name: members[folder + name] for name in check_weights(config)}
        kept[config_name] = json.dumps(config).encode()
    kept[SAMPLES] = _no_samples()
    return _packed(kept)


def _no_samples() -> bytes:
    buffer = io.BytesIO()
    torch.save((), buffer)
    return buffer.getvalue()
