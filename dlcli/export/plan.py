"""What a task hands over to be exported, and what an export hands back. Torch-free; the plan only carries tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 5e-4
"""Exporters reorder sums: 3e-8 (LSTM) to 4e-5 (GoogLeNet, BatchNorm over 8 images) was seen; errors that a wrong graph
makes start at 4e-3 (a resize without antialias)."""


@dataclass(frozen=True)
class ExportPlan:
    """A network with all that is needed to write it as a file and to prove the file right.

    Attributes:
        module: takes the inputs positionally in the order of `inputs`, returns one tensor, or a tuple in the order of
            `outputs`. It is copied, never changed.
        inputs: the names of the inputs.
        outputs: the names of the outputs.
        example: input name -> tensor that the exporters run; every dynamic axis is at least 2 long, because
            torch.export takes sizes 0 and 1 as constants.
        dynamic: input name -> axis -> the axis' symbol ("batch", "time", "height"). Equal symbols are equal sizes.
        metadata: JSON values that travel in the file: "task", "assets", and as they exist "run", "versions",
            "metrics". Schema, inputs and outputs are added.
        samples: real inputs (without the example's sizes alone: each dynamic axis has a sample of another size).
        exporters: the order in which a format's exporters are tried; those of other formats are passed over.
        tolerance: the largest allowed difference of a float output, absolute and relative (`verify.compare`); integers
            must be equal.

    Raises:
        ValueError: the parts contradict each other.
    """

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    example: Mapping[str, Tensor]
    dynamic: Mapping[str, Mapping[int, str]]
    metadata: Mapping[str, Any]
    samples: tuple[Mapping[str, np.ndarray], ...]
    exporters: tuple[str, ...] = ("dynamo", "legacy")
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        if len({*self.inputs, *self.outputs}) != len(self.inputs) + len(self.outputs):
            raise ValueError(f"names of inputs and outputs repeat: {self.inputs}, {self.outputs}")
        if set(self.example) != set(self.inputs) or not set(self.dynamic) <= set(self.inputs):
            raise ValueError(f"the example has {sorted(self.example)}, the inputs are {sorted(self.inputs)}")
        if not self.samples:
            raise ValueError("no samples to prove the export with")
        for sample in self.samples:
            self._check_sample(sample)
        for name, axes in self.dynamic.items():
            for axis, symbol in axes.items():
                size = self.example[name].shape[axis]
                if size < 2:
                    raise ValueError(f"the example's {name} has {size} along {symbol}; it needs at least 2")
                if all(sample[name].shape[axis] == size for sample in self.samples):
                    raise ValueError(f"no sample tries another {symbol} of {name} than the example's {size}")

    def _check_sample(self, sample: Mapping[str, np.ndarray]) -> None:
        if set(sample) != set(self.inputs):
            raise ValueError(f"a sample has {sorted(sample)}, the inputs are {sorted(self.inputs)}")
        for name in self.inputs:
            expected, given = tuple(self.example[name].shape), sample[name].shape
            fixed = [axis for axis in range(len(expected)) if axis not in self.dynamic.get(name, {})]
            if len(given) != len(expected) or any(given[axis] != expected[axis] for axis in fixed):
                raise ValueError(f"a sample's {name} has the shape {given}, the example's {expected}")
            dtype = str(self.example[name].dtype).removeprefix("torch.")
            if str(sample[name].dtype) != dtype:
                raise ValueError(f"a sample's {name} is {sample[name].dtype}, the example's {dtype}")

    def sizes(self, sample: Mapping[str, np.ndarray]) -> dict[str, int]:
        """Return symbol -> size of a sample's dynamic axes."""
        return {
            symbol: sample[name].shape[axis] for name, axes in self.dynamic.items() for axis, symbol in axes.items()
        }


@dataclass(frozen=True)
class Check:
    """One sample that the file and the module answered alike.

    Attributes:
        sizes: symbol -> size of the sample's dynamic axes.
        difference: the largest one over all outputs, see `verify.compare`.
    """

    sizes: Mapping[str, int]
    difference: float


@dataclass(frozen=True)
class ExportResult:
    """A proven file.

    Attributes:
        path: the file.
        data_path: the file beside it that holds the weights, where they are too large for one file.
        format: "onnx" or "torchscript".
        bytes: the size of all files.
        sha256: of `path`.
        exporter: which exporter wrote it.
        max_difference: the largest difference of all checks.
        checks: one for each sample.
        is_telling: False where the module answers all samples nearly alike, so that the checks prove little.
    """

    path: Path
    data_path: Path | None
    format: str
    bytes: int
    sha256: str
    exporter: str
    max_difference: float
    checks: tuple[Check, ...]
    is_telling: bool
