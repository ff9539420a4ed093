"""The plan that a task returns for an export, and the result of an export. Torch-free; the plan only holds tensors."""

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

Bounds = Mapping[str, float]
"""Output -> the largest allowed difference."""

TOLERANCE = 5e-4
"""Exporters reorder sums: differences of 3e-8 (LSTM) to 4e-5 (GoogLeNet, BatchNorm over 8 images) were measured; those
of a wrong graph start at 4e-3 (a resize without antialias)."""

PARITY_BATCHES = (1, 3, 7)
"""Batch sizes at which an exported graph is compared with its module."""

ONE_GRAPH = "model"
"""The name of the graph of a plan with only one."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Graph:
    """A module to be exported as one file, with everything needed to write and verify the file.

    Attributes:
        name: letters, digits and `_`; in a folder of several graphs, the stem of the file's name.
        module: takes the inputs positionally in the order of `inputs` and returns a tensor, or a tuple in the order of
            `outputs`. It is copied, never changed.
        inputs: the names of the inputs.
        outputs: the names of the outputs.
        example: input name -> tensor on which the exporters run the module; every dynamic axis has at least size 2,
            because torch.export treats sizes 0 and 1 as constants.
        dynamic: input name -> axis -> the axis' symbol ("batch", "time", "height"). Equal symbols mean equal sizes.
        samples: real inputs by name, with at least one size that differs from the example's on each dynamic axis.
        exporters: the order in which a format's exporters are tried; names of other formats are ignored.
        tolerance: output name -> the largest allowed difference (`verify.compare`): for floats absolute and relative,
            by default `TOLERANCE`; for integers and booleans the fraction of unequal values, by default 0. A single
            number applies to all float outputs.
        absolute: names of float outputs whose difference is absolute alone, such as boxes in pixels: half a pixel is
            as much at the right edge of an image as at its left.
        largest_step: output name -> for integers that were rounded, the largest difference that rounding explains; a
            larger one fails whatever its share. Without a name any difference counts alike.
        align: a function (reference, answer, bounds) -> answer with its detections in the reference's order, for
            outputs whose order (of nearly equal scores) may differ between two programs without counting as a
            difference; the bounds are the tolerances of all outputs.
        translations: name of a torch operator of our own ("namespace::name") -> "module:function" that returns its
            ONNX nodes; for the dynamo exporter.
        multiples: symbol -> what its sizes are multiples of, such as a network's stride; for the dynamo exporter, which
            cannot prove of maps of any size that they are equally large.
        prepare: changes a copy of the module before it is written, and returns it; the file is compared with the module
            as it was.

    Raises:
        ValueError: the attributes contradict each other.
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
    align: Callable[[Arrays, Arrays, Bounds], Arrays] | None = None
    translations: Mapping[str, str] = field(default_factory=dict)
    multiples: Mapping[str, int] = field(default_factory=dict)
    largest_step: Mapping[str, int] = field(default_factory=dict)
    absolute: frozenset[str] = frozenset()
    prepare: Callable[[nn.Module, Graph], nn.Module] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a graph cannot be named {self.name!r}")
        if len({*self.inputs, *self.outputs}) != len(self.inputs) + len(self.outputs):
            raise ValueError(f"names of inputs and outputs repeat: {self.inputs}, {self.outputs}")
        if set(self.example) != set(self.inputs) or not set(self.dynamic) <= set(self.inputs):
            raise ValueError(f"the example has {sorted(self.example)}, the inputs are {sorted(self.inputs)}")
        if isinstance(self.tolerance, Mapping) and not set(self.tolerance) <= set(self.outputs):
            raise ValueError(f"a tolerance for {sorted(self.tolerance)}, the outputs are {sorted(self.outputs)}")
        if not set(self.largest_step) <= set(self.outputs):
            raise ValueError(f"a largest step for {sorted(self.largest_step)}, the outputs are {sorted(self.outputs)}")
        if not self.samples:
            raise ValueError("no samples to prove the export with")
        for sample in self.samples:
            self._check_sample(sample)
        for name, axes in self.dynamic.items():
            for axis, symbol in axes.items():
                size = self.example[name].shape[axis]
                least = 2 * self.multiples.get(symbol, 1)
                if size < least:
                    raise ValueError(f"the example's {name} has {size} along {symbol}; it needs at least {least}")
                self._check_multiple(name, axis, symbol)
                if all(sample[name].shape[axis] == size for sample in self.samples):
                    raise ValueError(f"no sample tries another {symbol} of {name} than the example's {size}")

    def _check_multiple(self, name: str, axis: int, symbol: str) -> None:
        multiple = self.multiples.get(symbol, 1)
        for size in (self.example[name].shape[axis], *(sample[name].shape[axis] for sample in self.samples)):
            if size % multiple:
                raise ValueError(f"{symbol} of {name} is {size}, not a multiple of {multiple}")

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
        """Return the sizes of a sample's dynamic axes by symbol."""
        return {
            symbol: sample[name].shape[axis] for name, axes in self.dynamic.items() for axis, symbol in axes.items()
        }

    def aligned(self, reference: Arrays, answer: Arrays) -> Arrays:
        """Return an answer as it is to be compared with a reference."""
        if self.align is None:
            return answer
        bounds = {name: self.tolerance_of(name, values.dtype) for name, values in reference.items()}
        return self.align(reference, answer, bounds)

    def tolerance_of(self, output: str, dtype: np.dtype[Any]) -> float:
        """Return the largest allowed difference of an output with this dtype."""
        default = TOLERANCE if np.issubdtype(dtype, np.floating) else 0.0
        if isinstance(self.tolerance, Mapping):
            return self.tolerance.get(output, default)
        return self.tolerance if np.issubdtype(dtype, np.floating) else 0.0


@dataclass(frozen=True)
class ExportPlan:
    """The one or more graphs of a model, and the metadata stored with them.

    Attributes:
        graphs: in order of use. A single graph is called "model"; `TaskSpec.search` combines several.
        metadata: JSON values stored in the file: "task", "assets", and if available "run", "versions", "metrics" and
            the rest of a `Description`. Schema, inputs and outputs are added.
        calibration: a function that yields batches of real inputs of the whole model, from which quantisation learns
            value ranges; None without data.
        foreign: keys of other programs and their texts, for ONNX files of one graph (`ecosystem.yolo_keys`).

    Raises:
        ValueError: there is no graph, a name repeats, or the only graph is not called "model".
    """

    graphs: tuple[Graph, ...]
    metadata: Mapping[str, Any]
    calibration: Callable[[], Iterator[Arrays]] | None = None
    foreign: Mapping[str, str] = field(default_factory=dict)

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
    foreign: Mapping[str, str] | None = None,
    **more: Any,
) -> ExportPlan:
    """Return the plan of a network that is a single graph.

    Args:
        module, inputs, outputs, samples: see `Graph`.
        dynamic: see `Graph`; by default the first axis of every input is the batch.
        example: see `Graph`; by default the first two items of the samples, which then differ in batch size only.
        metadata, calibration, foreign: see `ExportPlan`.
        more: exporters, tolerance, align, translations, multiples, largest_step, absolute: see `Graph`.

    Raises:
        ValueError: the arguments contradict each other.
    """
    if example is None:
        import torch

        items = {name: np.concatenate([sample[name] for sample in samples]) for name in inputs}
        example = {name: torch.from_numpy(array[:2].copy()) for name, array in items.items()}
    if dynamic is None:
        dynamic = {name: {0: "batch"} for name in inputs}
    graph = Graph(ONE_GRAPH, module, inputs, outputs, example, dynamic, tuple(samples), **more)
    return ExportPlan((graph,), metadata, calibration, foreign or {})


def cut_samples(arrays: Arrays, batches: Sequence[int] = PARITY_BATCHES) -> tuple[dict[str, np.ndarray], ...]:
    """Return the items split into consecutive samples of these batch sizes, starting over when the items run out.

    Args:
        arrays: input name -> (N, ...) with N at least 1, ideally `sum(batches)`.
        batches: the batch size of each sample.
    """
    count = len(next(iter(arrays.values())))
    ends = np.cumsum(batches)
    rows = [np.arange(end - size, end) % count for size, end in zip(batches, ends, strict=True)]
    return tuple({name: np.ascontiguousarray(array[part]) for name, array in arrays.items()} for part in rows)


@dataclass(frozen=True)
class Check:
    """The comparison of file and module on one sample, within the tolerance.

    Attributes:
        sizes: the sizes of the sample's dynamic axes by symbol.
        difference: the largest difference over all outputs, see `verify.compare`.
        graph: the name of the graph.
    """

    sizes: Mapping[str, int]
    difference: float
    graph: str = ONE_GRAPH


@dataclass(frozen=True)
class ExportResult:
    """A verified file, or a folder of several graphs.

    Attributes:
        path: the file or the folder.
        data_path: the file of weights beside it, if they are too large for one file; else None.
        format: "onnx" or "torchscript".
        bytes: the total size of all files.
        sha256: the SHA-256 of `path`, or of the folder's `model.json`, which lists those of the graphs.
        exporters: graph name -> the exporter that wrote it.
        checks: one for each sample of each graph.
        is_telling: False if a module gives nearly equal outputs for all samples, so that its checks prove little.
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
        """The exporter that wrote the graphs, or all of them if they differ."""
        return ", ".join(dict.fromkeys(self.exporters.values()))

    @property
    def max_difference(self) -> float:
        """The largest difference over all checks."""
        return max(check.difference for check in self.checks)
