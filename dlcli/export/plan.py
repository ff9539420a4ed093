"""What a task hands over to be exported, and what an export hands back. Torch-free; the plan only carries tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

Arrays = Mapping[str, np.ndarray]

TOLERANCE = 5e-4
"""Exporters reorder sums: 3e-8 (LSTM) to 4e-5 (GoogLeNet, BatchNorm over 8 images) was seen; errors that a wrong graph
makes start at 4e-3 (a resize without antialias)."""

PARITY_BATCHES = (1, 3, 7)
"""Batch sizes at which an exported graph is compared with its module."""

ONE_GRAPH = "model"
"""The name of the graph of a plan that has one."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Graph:
    """A module that becomes one file, with all that is needed to write it and to prove the file right.

    Attributes:
        name: letters, digits and `_`; in a folder of several graphs the file's name without its end.
        module: takes the inputs positionally in the order of `inputs`, returns one tensor, or a tuple in the order of
            `outputs`. It is copied, never changed.
        inputs: the names of the inputs.
        outputs: the names of the outputs.
        example: input name -> tensor that the exporters run; every dynamic axis is at least 2 long, because
            torch.export takes sizes 0 and 1 as constants.
        dynamic: input name -> axis -> the axis' symbol ("batch", "time", "height"). Equal symbols are equal sizes.
        samples: real inputs (without the example's sizes alone: each dynamic axis has a sample of another size).
        exporters: the order in which a format's exporters are tried; those of other formats are passed over.
        tolerance: output name -> the largest allowed difference (`verify.compare`): of floats absolute and relative,
            by default `TOLERANCE`; of integers and booleans the share of values that may be unequal, by default 0.
            One number is that of all float outputs.
        align: a function (reference, answer) -> answer with its detections in the order of the reference's, where an
            order that two programs need not share (of equal scores) must not count as a difference.

    Raises:
        ValueError: the parts contradict each other.
    """

    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    example: Mapping[str, Tensor]
    dynamic: Mapping[str, Mapping[int, str]]
    samples: tuple[Arrays, ...]
    exporters: tuple[str, ...] = ("dynamo", "legacy")
    tolerance: float | Mapping[str, float] = field(default_factory=dict)
    align: Callable[[Arrays, Arrays], Arrays] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a graph cannot be named {self.name!r}")
        if len({*self.inputs, *self.outputs}) != len(self.inputs) + len(self.outputs):
            raise ValueError(f"names of inputs and outputs repeat: {self.inputs}, {self.outputs}")
        if set(self.example) != set(self.inputs) or not set(self.dynamic) <= set(self.inputs):
            raise ValueError(f"the example has {sorted(self.example)}, the inputs are {sorted(self.inputs)}")
        if isinstance(self.tolerance, Mapping) and not set(self.tolerance) <= set(self.outputs):
            raise ValueError(f"a tolerance for {sorted(self.tolerance)}, the outputs are {sorted(self.outputs)}")
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

    def _check_sample(self, sample: Arrays) -> None:
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

    def sizes(self, sample: Arrays) -> dict[str, int]:
        """Return symbol -> size of a sample's dynamic axes."""
        return {
            symbol: sample[name].shape[axis] for name, axes in self.dynamic.items() for axis, symbol in axes.items()
        }

    def tolerance_of(self, output: str, dtype: np.dtype[Any]) -> float:
        """Return the largest allowed difference of an output with values of that type."""
        default = TOLERANCE if np.issubdtype(dtype, np.floating) else 0.0
        if isinstance(self.tolerance, Mapping):
            return self.tolerance.get(output, default)
        return self.tolerance if np.issubdtype(dtype, np.floating) else 0.0


@dataclass(frozen=True)
class ExportPlan:
    """The graphs that answer together, one or several, and what travels with them.

    Attributes:
        graphs: by order of use. The only one is called "model"; how several answer together says `TaskSpec.search`.
        metadata: JSON values that travel in the file: "task", "assets", and as they exist "run", "versions",
            "metrics" and the rest of a `Description`. Schema, inputs and outputs are added.
        calibration: a function that yields batches of real inputs, as the whole model takes them, from which a
            quantisation learns the ranges of values; None where no data is at hand.

    Raises:
        ValueError: there is no graph, a name repeats, or the only graph is not called "model".
    """

    graphs: tuple[Graph, ...]
    metadata: Mapping[str, Any]
    calibration: Callable[[], Iterator[Arrays]] | None = None

    def __post_init__(self) -> None:
        names = [graph.name for graph in self.graphs]
        if len(set(names)) != len(names):
            raise ValueError(f"names of graphs repeat: {names}")
        if not names or (len(names) == 1 and names != [ONE_GRAPH]):
            raise ValueError(f"the graphs are {names}: one graph is called {ONE_GRAPH!r}")


def single_graph(
    module: nn.Module,
    *,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    samples: Sequence[Arrays],
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    example: Mapping[str, Tensor] | None = None,
    metadata: Mapping[str, Any],
    calibration: Callable[[], Iterator[Arrays]] | None = None,
    **more: Any,
) -> ExportPlan:
    """Return the plan of a network that is one graph.

    Args:
        module, inputs, outputs, samples: see `Graph`.
        dynamic: see `Graph`; by default the first axis of every input is the batch.
        example: see `Graph`; by default the first two items of the samples, which then differ in batch size alone.
        metadata, calibration: see `ExportPlan`.
        more: exporters, tolerance, align: see `Graph`.

    Raises:
        ValueError: the parts contradict each other.
    """
    if example is None:
        import torch

        items = {name: np.concatenate([sample[name] for sample in samples]) for name in inputs}
        example = {name: torch.from_numpy(array[:2].copy()) for name, array in items.items()}
    if dynamic is None:
        dynamic = {name: {0: "batch"} for name in inputs}
    graph = Graph(ONE_GRAPH, module, inputs, outputs, example, dynamic, tuple(samples), **more)
    return ExportPlan((graph,), metadata, calibration)


def cut_samples(arrays: Arrays, batches: Sequence[int] = PARITY_BATCHES) -> tuple[dict[str, np.ndarray], ...]:
    """Return the items as samples of these batch sizes, one after the other; where items run out, from the first on.

    Args:
        arrays: input name -> (N, ...) with N at least 1, best `sum(batches)`.
        batches: how many items each sample holds.
    """
    count = len(next(iter(arrays.values())))
    ends = np.cumsum(batches)
    rows = [np.arange(end - size, end) % count for size, end in zip(batches, ends, strict=True)]
    return tuple({name: np.ascontiguousarray(array[part]) for name, array in arrays.items()} for part in rows)


@dataclass(frozen=True)
class Check:
    """One sample that the file and the module answered alike.

    Attributes:
        sizes: symbol -> size of the sample's dynamic axes.
        difference: the largest one over all outputs, see `verify.compare`.
        graph: the graph's name.
    """

    sizes: Mapping[str, int]
    difference: float
    graph: str = ONE_GRAPH


@dataclass(frozen=True)
class ExportResult:
    """A proven file, or a folder of several graphs.

    Attributes:
        path: the file or the folder.
        data_path: the file beside it that holds the weights, where they are too large for one file.
        format: "onnx" or "torchscript".
        bytes: the size of all files.
        sha256: of `path`, or of the folder's `model.json`, in which those of the graphs stand.
        exporters: graph name -> which exporter wrote it.
        checks: one for each sample of each graph.
        is_telling: False where a module answers all samples nearly alike, so that its checks prove little.
    """

    path: Path
    data_path: Path | None
    format: str
    bytes: int
    sha256: str
    exporters: Mapping[str, str]
    checks: tuple[Check, ...]
    is_telling: bool

    @property
    def exporter(self) -> str:
        """The exporter that wrote the graphs; where they differ, all of them."""
        return ", ".join(dict.fromkeys(self.exporters.values()))

    @property
    def max_difference(self) -> float:
        """The largest difference of all checks."""
        return max(check.difference for check in self.checks)
