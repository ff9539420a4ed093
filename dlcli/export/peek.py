"""Which task a model file is of, read from its bytes: free of torch, onnxruntime and numpy, for the help page.

Nothing is checked beyond what the name needs: whoever opens the file refuses what is damaged. Nothing of it is run.
"""

from __future__ import annotations

import json
import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.export.model_file import (
    CHECKPOINT,
    MODEL_JSON,
    ONNX,
    TORCHSCRIPT,
    is_graph_folder,
    kind_of,
    metadata_of_onnx,
)

MAX_BYTES = 64 * 2**20
"""Of the part of a file that is read; a vocabulary of 100,000 words takes 2 MB."""


def task_name_of(path: Path) -> str | None:
    """Return the task of an ONNX or TorchScript file, a folder of several, or a checkpoint; None if it has none."""
    readers = {MODEL_JSON: _of_folder, ONNX: _of_onnx, TORCHSCRIPT: _of_torchscript, CHECKPOINT: _of_checkpoint}
    kind = MODEL_JSON if is_graph_folder(path) else kind_of(path)
    if kind is None:
        return None
    try:
        name = readers[kind](path)
    except (OSError, ValueError, EOFError, NotImplementedError, RecursionError, zipfile.BadZipFile, zlib.error):
        return None
    return name if isinstance(name, str) else None


def _of_folder(path: Path) -> Any:
    with (path / MODEL_JSON).open("rb") as stream:
        document = json.loads(stream.read(MAX_BYTES))
    return document.get("task") if isinstance(document, dict) else None


def _of_onnx(path: Path) -> Any:
    for key, value in metadata_of_onnx(path, MAX_BYTES):
        if key == "dlcli.task":
            return json.loads(value)
    return None


def _of_torchscript(path: Path) -> Any:
    document = json.loads(_member(path, "extra/dlcli.json") or b"null")
    return document.get("task") if isinstance(document, dict) else None


def _of_checkpoint(path: Path) -> Any:
    """Return the task that stands in the description, the JSON text behind that word in the pickle."""
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
    """Return a member of an archive in whose one folder all members lie."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.partition("/")[2] == name and info.file_size <= MAX_BYTES:
                return archive.read(info)
    return None
