"""TorchScript files: traced, stripped of source paths, and run.

torch has deprecated TorchScript in favour of torch.export, but existing C++ and mobile code loads these files.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import ParityError, RunError, first_line
from dlcli.export.metadata import PREFIX, check_metadata, check_size, parse_json, require_inputs
from dlcli.export.plan import Graph

METADATA_NAME = "dlcli.json"


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
    jit.save(traced, buffer, _extra_files={METADATA_NAME: _one_document(metadata)})
    path.write_bytes(_without_sources(buffer))


def _one_document(texts: Mapping[str, str]) -> str:
    members = (f"{json.dumps(key.removeprefix(PREFIX))}:{text}" for key, text in texts.items())
    return "{" + ",".join(members) + "}"


def _without_sources(archive: io.BytesIO) -> bytes:
    """Return the archive without its debug records, which name the source files of the machine that wrote it."""
    kept = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(kept, "w") as target:
        for info in source.infolist():
            if not info.filename.endswith(".debug_pkl"):
                # A new entry, since a copy would keep the original's padding as an extra field.
                target.writestr(zipfile.ZipInfo(info.filename), source.read(info), info.compress_type)
    return kept.getvalue()


class TorchScriptModel:
    """A TorchScript file on the CPU. See `dlcli.export.runtime.ExportedModel`.

    Unlike an ONNX file it is a program, and torch's documentation says to load only trusted ones.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.metadata = _read_metadata(path)
        if threads is not None:
            torch.set_num_threads(threads)
        jit: Any = torch.jit
        try:
            with warnings.catch_warnings(), path.open("rb") as stream:
                warnings.simplefilter("ignore")  # the deprecation, which `dl export` has reported
                self._module: Any = jit.load(io.BytesIO(stream.read()), map_location="cpu")
        except Exception as error:  # C++ errors arrive as the nearest Python class, such as IndexError
            raise RunError(
                f"{path}: torch cannot load it: {first_line(error)}", hint="copy or export it again"
            ) from None
        self._path = path
        self.inputs: tuple[str, ...] = tuple(self.metadata["inputs"])
        self.outputs: tuple[str, ...] = tuple(self.metadata["outputs"])

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return output name -> array. See `ExportedModel.run`."""
        require_inputs(self._path, arrays, self.inputs)
        # Memory-mapped arrays are read-only and are copied, since torch warns about tensors on them.
        tensors = [torch.from_numpy(np.require(arrays[name], requirements=["C", "W"])) for name in self.inputs]
        try:
            with torch.inference_mode():
                answers = self._module(*tensors)
        except RuntimeError as error:
            raise RunError(f"{self._path}: does not take these inputs: {_cause(error)}") from None
        answers = answers if isinstance(answers, tuple) else (answers,)
        if len(answers) != len(self.outputs) or not all(isinstance(answer, torch.Tensor) for answer in answers):
            raise RunError(f"{self._path}: its outputs differ from those named in its metadata")
        return {name: answer.numpy() for name, answer in zip(self.outputs, answers, strict=True)}


def _cause(error: RuntimeError) -> str:
    # TorchScript's message is a traceback, with the cause on the last line.
    return first_line(RuntimeError(str(error).strip().rpartition("\n")[2]))


def _read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata, read from the archive before torch opens the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.partition("/")[2] == f"extra/{METADATA_NAME}":
                    check_size(info.file_size, str(path))
                    text = archive.read(info).decode()
                    return check_metadata(parse_json(text, f"{path}: its metadata"), str(path))
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError) as error:
        raise RunError(f"{path}: damaged: {first_line(error)}", hint="copy or export it again") from None
    raise RunError(
        f"{path}: contains no labels and preprocessing written by dl",
        hint="only files that `dl export` wrote can be run",
    )
