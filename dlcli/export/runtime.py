"""Running an exported file: the ONNX path needs numpy and onnxruntime only, never torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dlcli.core.errors import RunError, first_line
from dlcli.core.wording import is_unicode
from dlcli.export.metadata import check_names, decode_metadata, require_inputs
from dlcli.export.model_file import CHECKPOINT, ONNX, PT2, TORCHSCRIPT, check_external_data, is_whole_onnx, kind_of
from dlcli.export.quiet import silenced

__all__ = ["ExportedModel", "kind_of", "open_model"]


class ExportedModel(Protocol):
    """An exported file, opened to be run; it gives the same outputs as its run."""

    metadata: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return output name -> array for a batch of inputs.

        Raises:
            RunError: an input is missing or unknown, or has a shape or type that the model does not take.
        """
        ...


def open_model(path: Path, *, threads: int | None = None) -> ExportedModel:
    """Return the model in an exported file.

    Args:
        path: an ONNX, TorchScript or torch.export file, distinguished by content.
        threads: CPU threads (default: all cores).

    Raises:
        RunError: the file is missing, damaged, not a model, not written by dl, or refers to files outside its folder.
    """
    kind = kind_of(path)
    try:
        if kind == ONNX:
            return OnnxModel(path, threads)
        if kind == TORCHSCRIPT:
            from dlcli.export.torchscript import open_torchscript

            return open_torchscript(path, threads)
        if kind == PT2:
            from dlcli.export.pt2 import open_program

            return open_program(path, threads)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from None
    raise _no_model(path, kind)


def _no_model(path: Path, kind: str | None) -> RunError:
    if kind == CHECKPOINT:
        return RunError(
            f"{path}: a checkpoint, not an exported model", hint="use it inside its run, or export the run first"
        )
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        return RunError(f"{path}: {error.strerror}", hint="`dl export RUN --format onnx` writes a model file")
    if not head:
        return RunError(f"{path}: an empty file", hint="copy or export it again")
    if head.startswith(b"PK"):
        return RunError(f"{path}: a truncated archive, or one without a model", hint="copy or export it again")
    return RunError(f"{path}: not a model file", hint="name a run, a checkpoint in it or a file that `dl export` wrote")


class OnnxModel:
    """An ONNX file in ONNX Runtime on the CPU. See `ExportedModel`."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        if not is_whole_onnx(path):
            raise RunError(f"{path}: a truncated ONNX file", hint="copy or export it again")
        check_external_data(path)
        with silenced():  # it looks for GPUs, and logs to stderr which it does not find
            import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # errors are raised as exceptions; nothing is written to stderr
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            # ONNX Runtime takes no path that is not UTF-8, but it takes the bytes of a file.
            model = str(path) if is_unicode(str(path)) else path.read_bytes()
            # The fallback would retry on the CPU, and print that to stdout.
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # onnxruntime has one class for each of its twelve error codes
            raise RunError(
                f"{path}: ONNX Runtime cannot load it: {first_line(error)}", hint="copy or export it again"
            ) from None
        self._path = path
        self.metadata = decode_metadata(self._session.get_modelmeta().custom_metadata_map, str(path))
        self.inputs = tuple(node.name for node in self._session.get_inputs())
        self.outputs = tuple(node.name for node in self._session.get_outputs())
        check_names(path, self.metadata, self.inputs, self.outputs)

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return output name -> array. See `ExportedModel.run`."""
        require_inputs(self._path, arrays, self.inputs)
        try:
            answers = self._session.run(None, dict(arrays))
        except Exception as error:
            raise RunError(f"{self._path}: does not take these inputs: {first_line(error)}") from None
        return {name: np.asarray(answer) for name, answer in zip(self.outputs, answers, strict=True)}
