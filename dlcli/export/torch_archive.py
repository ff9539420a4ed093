"""What TorchScript and torch.export files share: metadata in a zip archive, and a module that is called."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcli.core.errors import RunError, first_line
from dlcli.export.metadata import PREFIX, check_metadata, check_size, parse_json, require_inputs

METADATA_NAME = "dlcli.json"

BROKEN = (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError)
"""What reading a damaged archive raises; of an encrypted member, or of an unknown compression, a RuntimeError."""

OPERATORS: Mapping[str, str] = {"dlcli": "dlcli.models.detection.suppression", "torchvision": "torchvision.ops"}
"""Namespace of operators -> the module whose import registers them."""


def one_document(texts: Mapping[str, str]) -> str:
    """Return the metadata as one JSON document, since an archive holds it as one member."""
    members = (f"{json.dumps(key.removeprefix(PREFIX))}:{text}" for key, text in texts.items())
    return "{" + ",".join(members) + "}"


def damaged(path: Path, error: Exception) -> RunError:
    """Return the error that an archive is damaged."""
    return RunError(f"{path}: damaged: {first_line(error)}", hint="copy or export it again")


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata, read from the archive before torch opens the file.

    Raises:
        RunError: the archive is damaged, or `dl export` did not write it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.partition("/")[2] == f"extra/{METADATA_NAME}":
                    check_size(info.file_size, str(path))
                    text = archive.read(info).decode()
                    return check_metadata(parse_json(text, f"{path}: its metadata"), str(path))
    except BROKEN as error:
        raise damaged(path, error) from None
    raise RunError(
        f"{path}: contains no labels and preprocessing written by dl",
        hint="only files that `dl export` wrote can be run",
    )


class ArchiveModel:
    """A loaded module with its metadata. See `dlcli.export.runtime.ExportedModel`.

    Args:
        path: the file, for messages.
        metadata: as `read_metadata` returned it.
        module: takes the inputs positionally and returns a tensor or a tuple of tensors.
    """

    def __init__(self, path: Path, metadata: dict[str, Any], module: Any) -> None:
        self._path = path
        self._module = module
        self.metadata = metadata
        self.inputs: tuple[str, ...] = tuple(metadata["inputs"])
        self.outputs: tuple[str, ...] = tuple(metadata["outputs"])

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return output name -> array. See `ExportedModel.run`."""
        require_inputs(self._path, arrays, self.inputs)
        # Memory-mapped arrays are read-only and are copied, since torch warns about tensors on them.
        tensors = [torch.from_numpy(np.require(arrays[name], requirements=["C", "W"])) for name in self.inputs]
        try:
            with torch.inference_mode():
                answers = self._module(*tensors)
        except (RuntimeError, AssertionError, IndexError, ValueError, TypeError) as error:
            raise RunError(f"{self._path}: does not take these inputs: {_cause(error)}") from None
        answers = tuple(answers) if isinstance(answers, (tuple, list)) else (answers,)
        if len(answers) != len(self.outputs) or not all(isinstance(answer, torch.Tensor) for answer in answers):
            raise RunError(f"{self._path}: its outputs differ from those named in its metadata")
        return {name: answer.numpy() for name, answer in zip(self.outputs, answers, strict=True)}


def _cause(error: Exception) -> str:
    # TorchScript's message is a traceback, with the cause on the last line.
    return first_line(RuntimeError(str(error).strip().rpartition("\n")[2]))
