"""Reading the task of a model file from its bytes, without torch, onnxruntime or numpy, for fast help pages.

Only what the task's name requires is checked; a damaged file is rejected when it is opened. Nothing in it is run.
"""

from __future__ import annotations

import json
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcli.export.model_file import (
    CHECKPOINT,
    CONFIG_JSON,
    MODEL_JSON,
    ONNX,
    PT2,
    TORCHSCRIPT,
    is_graph_folder,
    is_weights_folder,
    kind_of,
    metadata_of_onnx,
)

MAX_BYTES = 64 * 2**20
"""Limit on the part of a file that is read; a vocabulary of 100,000 words takes 2 MB."""


def task_name_of(path: Path) -> str | None:
    """Return the task of an exported file or folder, or of a checkpoint; None if it names none."""
    readers: Mapping[str, Callable[[Path], Any]] = {
        MODEL_JSON: lambda folder: _of_folder(folder / MODEL_JSON),
        CONFIG_JSON: lambda folder: _of_folder(folder / CONFIG_JSON),
        ONNX: _of_onnx,
        TORCHSCRIPT: _of_archive,
        PT2: _of_archive,
        CHECKPOINT: _of_checkpoint,
    }
    kind = document_of(path) if path.is_dir() else kind_of(path)
    if kind is None:
        return None
    try:
        name = readers[kind](path)
    # RuntimeError: an encrypted member, a method of compression that is not known, JSON that is nested too deeply.
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None
    return name if isinstance(name, str) else None


def document_of(folder: Path) -> str | None:
    """Return the name of the document in a folder of graphs or of weights; None for any other folder."""
    if is_graph_folder(folder):
        return MODEL_JSON
    return CONFIG_JSON if is_weights_folder(folder) else None


def _of_folder(path: Path) -> Any:
    with path.open("rb") as stream:
        document = json.loads(stream.read(MAX_BYTES))
    return document.get("task") if isinstance(document, dict) else None


def _of_onnx(path: Path) -> Any:
    for key, value in metadata_of_onnx(path, MAX_BYTES):
        if key == "dlcli.task":
            return json.loads(value)
    return None


def _of_archive(path: Path) -> Any:
    document = json.loads(_member(path, "extra/dlcli.json") or b"null")
    return document.get("task") if isinstance(document, dict) else None


def _of_checkpoint(path: Path) -> Any:
    """Return the task in the description, the JSON text after that word in the pickle."""
    strings = _strings(_member(path, "data.pkl") or b"")
    for text in strings:
        if text == "description":
            document = json.loads(next(strings, "null"))
            return document.get("task") if isinstance(document, dict) else None
    return None


def _strings(pickled: bytes) -> Iterator[str]:
    for opcode, argument, _ in pickletools.genops(pickled):
        if isinstance(argument, str) and "UNICODE" in opcode.name:
            yield argument


def _member(path: Path, name: str) -> bytes | None:
    """Return a member of an archive whose members are all in one folder; None if it is missing or too large."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.partition("/")[2] == name and info.file_size <= MAX_BYTES:
                return archive.read(info)
    return None
