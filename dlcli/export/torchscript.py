"""TorchScript files: traced, stripped of source paths, and run.

torch has deprecated TorchScript in favour of torch.export, but existing C++ and mobile code loads these files.
"""

from __future__ import annotations

import importlib
import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli.core.errors import ParityError, RunError, first_line
from dlcli.export.plan import Graph
from dlcli.export.torch_archive import METADATA_NAME, OPERATORS, ArchiveModel, one_document, read_metadata


def write_traced(module: nn.Module, graph: Graph, metadata: Mapping[str, str], path: Path) -> None:
    """Write the module as a TorchScript file with `torch.jit.trace`.

    Raises:
        ParityError: two calls of the module give different outputs.
    """
    example = tuple(graph.example[name].cpu() for name in graph.inputs)
    jit: Any = torch.jit
    try:
        with torch.no_grad():
            traced = jit.trace(module, example)
    except jit.TracingCheckError:
        raise ParityError("two calls of the module give different outputs") from None
    buffer = io.BytesIO()
    jit.save(traced, buffer, _extra_files={METADATA_NAME: one_document(metadata)})
    path.write_bytes(_without_sources(buffer))


def _without_sources(archive: io.BytesIO) -> bytes:
    """Return the archive without its debug records, which name the source files of the machine that wrote it."""
    kept = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(kept, "w") as target:
        for info in source.infolist():
            if not info.filename.endswith(".debug_pkl"):
                # A new entry, since a copy would keep the original's padding as an extra field.
                target.writestr(zipfile.ZipInfo(info.filename), source.read(info), info.compress_type)
    return kept.getvalue()


def open_torchscript(path: Path, threads: int | None = None) -> ArchiveModel:
    """Return the model in a TorchScript file, on the CPU.

    Unlike an ONNX file it is a program, and torch's documentation says to load only trusted ones.

    Raises:
        RunError: the file is damaged, or `dl export` did not write it.
    """
    metadata = read_metadata(path)
    if threads is not None:
        torch.set_num_threads(threads)
    known = list(OPERATORS)
    while True:
        try:
            module = _loaded(path)
        except Exception as error:  # C++ errors arrive as the nearest Python class, such as IndexError
            missing = next((name for name in known if f"builtin op: {name}::" in str(error)), None)
            if missing is None:
                message = f"{path}: torch cannot load it: {first_line(error)}"
                raise RunError(message, hint="copy or export it again") from None
            known.remove(missing)
            importlib.import_module(OPERATORS[missing])
        else:
            return ArchiveModel(path, metadata, module)


def _loaded(path: Path) -> Any:
    jit: Any = torch.jit
    with warnings.catch_warnings(), path.open("rb") as stream:
        warnings.simplefilter("ignore")  # the deprecation, which `dl export` has reported
        return jit.load(io.BytesIO(stream.read()), map_location="cpu")
