"""Opening exported models: one graph in a file, or several in a folder with `model.json`. Torch-free.

The content of a file is not trusted: names may refer to files inside the folder only, and each file must have the
SHA-256 listed with its name, so that the graphs of two exports cannot be mixed up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.description import Description, read_description
from dlcli.core.errors import RunError
from dlcli.core.files import file_sha256
from dlcli.export.metadata import METADATA_SCHEMA, check_folder_metadata, check_size, parse_json
from dlcli.export.model_file import MODEL_JSON, is_graph_folder
from dlcli.export.plan import ONE_GRAPH, ExportPlan
from dlcli.export.runtime import ExportedModel, open_model

_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9]*){1,2}")
_HINT = "copy the whole folder, or write it again with `dl export RUN`"


@dataclass(frozen=True)
class ExportedGraphs:
    """The graphs of one model, each with a `run` method.

    Attributes:
        metadata: task, assets and other values stored with the model.
        graphs: name -> graph; the single graph of a file is called "model".
    """

    metadata: Mapping[str, Any]
    graphs: Mapping[str, ExportedModel]

    def description(self, where: str) -> Description | None:
        """Return the run's description, as in its checkpoints; None for random weights and files of an older dl.

        Raises:
            RunError: it is damaged.
        """
        return read_description(self.metadata, where) if "config" in self.metadata else None


def open_graphs(path: Path, *, threads: int | None = None) -> ExportedGraphs:
    """Return the graphs of an exported file or folder.

    Args:
        path: an ONNX or TorchScript file, or a folder with `model.json`.
        threads: CPU threads of each graph (default: all cores).

    Raises:
        RunError: a file is missing, damaged, not written by dl, or refers to files outside the folder.
    """
    if is_graph_folder(path):
        return _open_folder(path, threads)
    model = open_model(path, threads=threads)
    if "graph" in model.metadata:
        raise RunError(f"{path}: one of several graphs of a model", hint="name the folder that contains it")
    return ExportedGraphs(model.metadata, {ONE_GRAPH: model})


def _open_folder(folder: Path, threads: int | None) -> ExportedGraphs:
    metadata = read_folder_metadata(folder)
    graphs = {}
    for entry in metadata["graphs"]:
        name, file = entry["name"], proven_file(folder, entry)
        if entry.get("data") is not None:
            proven_file(folder, entry["data"])
        model = open_model(file, threads=threads)
        if model.metadata.get("graph") != name:
            raise RunError(f"{file}: is not the graph {name!r} of {folder / MODEL_JSON}", hint=_HINT)
        graphs[name] = model
    return ExportedGraphs(metadata, graphs)


def read_folder_metadata(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's `model.json`.

    Raises:
        RunError: it cannot be read, is damaged, or was written by a newer dl.
    """
    where = str(folder / MODEL_JSON)
    try:
        with (folder / MODEL_JSON).open("rb") as stream:
            check_size(stream.seek(0, 2), where)
            stream.seek(0)
            text = stream.read().decode()
    except OSError as error:
        raise RunError(f"{where}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise RunError(f"{where} is damaged: not UTF-8", hint=_HINT) from None
    metadata = check_folder_metadata(parse_json(text, where), where)
    names = [entry.get("name") if _is_entry(entry) else None for entry in metadata["graphs"]]
    if not names or None in names or len(set(names)) != len(names):
        raise RunError(f"{where} is damaged: its graphs are not a list of named files", hint=_HINT)
    return metadata


def _is_entry(entry: Any) -> bool:
    def is_file(value: Any) -> bool:
        return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("file", "sha256"))

    is_whole = is_file(entry) and isinstance(entry.get("name"), str)
    return is_whole and (entry.get("data") is None or is_file(entry["data"]))


def proven_file(folder: Path, entry: Mapping[str, str]) -> Path:
    """Return the file of an entry of `model.json`.

    Raises:
        RunError: it is outside the folder, missing, or not the exported file.
    """
    path = folder / entry["file"]
    # The name may be inside the folder, but a link to the outside.
    if not _FILE_NAME.fullmatch(entry["file"]) or path.resolve().parent != folder.resolve():
        raise RunError(
            f"{folder / MODEL_JSON}: names a file outside its folder: {entry['file'][:80]!r}",
            hint="do not run these files unless you know who made them",
        )
    try:
        digest = file_sha256(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}", hint=_HINT) from None
    if digest != entry["sha256"]:
        raise RunError(f"{path}: is not the file that was exported (its SHA-256 differs)", hint=_HINT)
    return path


def describe_graphs(plan: ExportPlan, format: str, files: Mapping[str, Path]) -> dict[str, Any]:
    """Return the content of `model.json`.

    Args:
        plan: the graphs and their metadata.
        format: the format of all files.
        files: graph name -> its file, which may have a separate file of weights beside it.

    Raises:
        ValueError: the metadata lacks a required value.
    """
    entries = []
    for graph in plan.graphs:
        file = files[graph.name]
        entry: dict[str, Any] = {"name": graph.name, "file": file.name, "sha256": file_sha256(file)}
        for beside in file.parent.iterdir():
            if beside != file:
                entry["data"] = {"file": beside.name, "sha256": file_sha256(beside)}
        entries.append({**entry, "inputs": list(graph.inputs), "outputs": list(graph.outputs)})
    fixed = {"schema": METADATA_SCHEMA, "format": format, "graphs": entries}
    try:
        return check_folder_metadata({**fixed, **plan.metadata, **fixed}, MODEL_JSON)
    except RunError as error:
        raise ValueError(error.message) from None
