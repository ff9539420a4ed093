"""An ONNX file in OpenVINO, for `dl benchmark`; the package is used where it is installed and never needed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import RunError, first_line
from dlcli.export.model_file import check_external_data, is_whole_onnx
from dlcli.export.quiet import silenced


def is_installed() -> bool:
    """Return whether the package is there, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def import_silently() -> Any:
    """Return the package `openvino`, imported so that it reports nothing to its makers.

    Its import alone sends an event to Google Analytics and writes an identity into the user's home, by the package
    `openvino_telemetry`. Where that is missing it takes a stub of its own, so it is made to be missing in this process.
    """
    with silenced():
        if "openvino_telemetry" not in sys.modules:
            sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # import raises ImportError
        import openvino
    return openvino


class OpenVinoModel:
    """An ONNX file in OpenVINO on the CPU, as a function from arrays to arrays.

    Args:
        path: the file.
        threads: CPU threads.

    Raises:
        RunError: OpenVINO cannot compile it.
    """

    def __init__(self, path: Path, threads: int) -> None:
        if not is_whole_onnx(path):
            raise RunError(f"{path}: a truncated ONNX file", hint="copy or export it again")
        check_external_data(path)
        openvino = import_silently()
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        try:
            core: Any = openvino.Core()
            # bfloat16 where the processor has it would not be the same computation.
            self._model: Any = core.compile_model(str(path), "CPU", {**settings, "INFERENCE_PRECISION_HINT": "f32"})
        except Exception as error:  # whatever its C++ raises
            raise RunError(f"{path}: OpenVINO cannot compile it: {first_line(error)}") from None
        self._path = path

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return output name -> array, under each name where OpenVINO has several for a tensor.

        See `dlcli.export.runtime.ExportedModel.run`.
        """
        try:
            answers = self._model(dict(arrays))
        except Exception as error:
            raise RunError(f"{self._path}: OpenVINO does not take these inputs: {first_line(error)}") from None
        return {name: np.array(value) for port, value in answers.items() for name in port.get_names()}
