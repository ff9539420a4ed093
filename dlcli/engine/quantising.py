"""What quantisation needs of a task: real inputs to learn ranges from, and a figure of what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import join_outputs
from dlcli.data.images.operations.colour import FILL
from dlcli.engine.compute.device import to_numpy
from dlcli.engine.file_answers import file_answers
from dlcli.engine.runs.file_evaluation import MeasuresFiles
from dlcli.engine.task import Loader, Metric, Task
from dlcli.export.plan import Arrays, ExportPlan, Graph

NUM_ITEMS = 128
"""Training items from which the ranges of activations are learned; a hundred are the least that is advised."""

NUM_PLACES = 16
"""Places of the training part from which they are taken, as it may be sorted by class."""


def calibration_of(task: Task, plan: ExportPlan) -> Callable[[], Iterator[Arrays]] | None:
    """Return what yields real inputs of a plan's only graph: the plan's own, else training items as in evaluation.

    None if the plan has several graphs, the task no data, or its batches other inputs than the graph.
    """
    if plan.calibration is not None:
        return plan.calibration
    if task.card is None or len(plan.graphs) > 1 or not set(plan.graphs[0].inputs) <= {*task.inputs}:
        return None
    [graph] = plan.graphs
    return lambda: _training_inputs(task, graph)


def _training_inputs(task: Task, graph: Graph) -> Iterator[Arrays]:
    """Yield up to `NUM_ITEMS` items from places that are spread over the training part."""
    loader = task.loader("train")
    num_places = min(NUM_PLACES, len(loader))
    for place in range(num_places):
        batch = next(iter(loader.batches(0, start=place * len(loader) // num_places)), None)
        if batch is None:
            return
        inputs = {name: batch[name] for name in graph.inputs}
        count = len(next(iter(inputs.values())))
        rows = np.linspace(0, count - 1, min(count, -(-NUM_ITEMS // num_places))).round().astype(int)
        chosen = {name: [values[row] for row in rows.tolist()] for name, values in inputs.items()}
        for arrays in _dense(to_numpy(chosen)):
            yield from (row for row, _ in graph_inputs(graph, arrays))


def _dense(lists: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
    """Yield items, lists of arrays by name, as one batch, or one by one where their shapes differ."""
    if all(len({np.shape(each) for each in values}) == 1 for values in lists.values()):
        yield {name: np.stack([np.asarray(each) for each in values]) for name, values in lists.items()}
        return
    for row in range(len(next(iter(lists.values())))):
        yield {name: np.asarray(values[row])[np.newaxis] for name, values in lists.items()}


def graph_inputs(graph: Graph, arrays: Arrays) -> Iterator[tuple[Arrays, int]]:
    """Yield a batch as a graph takes it, each part with its number of items.

    A graph of fixed size takes one item a call, and an image in the top left corner of its canvas.
    """
    count = len(next(iter(arrays.values())))
    if graph.dynamic:
        yield {name: np.ascontiguousarray(values) for name, values in arrays.items()}, count
        return
    for row in range(count):
        part = {}
        for name, values in arrays.items():
            item, shape = values[row : row + 1], tuple(graph.example[name].shape)
            gaps = [(0, max(0, wanted - given)) for wanted, given in zip(shape, item.shape, strict=True)]
            part[name] = np.pad(item, gaps, constant_values=FILL) if item.shape != shape else item
        yield part, 1


def measured_split(task: Task) -> tuple[str, Loader]:
    """Return the test split, else the validation part, and its loader.

    Raises:
        DataError: there is neither.
    """
    for split in ("test", "valid"):
        try:
            loader = task.loader(split)
        except DataError:
            continue
        if len(loader):
            return split, loader
    raise DataError("nothing to measure: the data has neither a test split nor a validation part")


@dataclass(frozen=True)
class Figure:
    """A metric of files: the task's goal, or the first one where that needs more of the network than its answers."""

    metric: str
    value: float
    larger_is_better: bool


def measure_files(task: Task, loader: Loader, graph: Graph | None, run: Callable[[Arrays], Arrays]) -> Figure:
    """Return a figure of exported files over a loader.

    Args:
        task: it has a goal.
        loader: of a split, unshuffled.
        graph: the only graph; None if `run` combines several.
        run: inputs by name -> outputs by name.

    Raises:
        UsageError: nothing can be measured from the answers of files alone.
        DataError: no item could be read.
    """
    assert task.goal is not None
    metric: Metric | None = None

    def answer(arrays: Arrays) -> Arrays:
        return join_outputs([run(part) for part, _ in _parts(graph, arrays)])

    for batch, outputs in file_answers(task, loader, answer):
        if metric is None:
            metric = task.metric_of_file(outputs)[0] if isinstance(task, MeasuresFiles) else task.metric()
        metric.update(to_numpy(batch), outputs)
    if metric is None:
        raise DataError("nothing to measure: no item of the data can be read")
    report = metric.report()
    name = task.goal.metric if task.goal.metric in report["metrics"] else next(iter(report["metrics"]))
    return Figure(name, float(report["metrics"][name]), name not in report["lower_is_better"])


def _parts(graph: Graph | None, arrays: Arrays) -> Iterator[tuple[Arrays, int]]:
    if graph is None:
        yield arrays, len(next(iter(arrays.values())))
    else:
        yield from graph_inputs(graph, arrays)
