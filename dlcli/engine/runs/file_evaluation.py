"""Evaluate an exported file with the data, the metric and the tables of its task."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from dlcli.core.description import Description
from dlcli.core.errors import UsageError
from dlcli.core.registry import load_object
from dlcli.data.codec import join_outputs
from dlcli.engine.compute.device import to_numpy
from dlcli.engine.file_answers import file_answers
from dlcli.engine.runs.evaluation import Measured, open_split, summarise_metric
from dlcli.engine.runs.restore import blaming
from dlcli.engine.task import Loader, Measures, Metric, TakesInference, Task

Arrays = Mapping[str, np.ndarray]

ANSWERS_ALONE = "an exported file gives answers alone: `dl eval RUN` has the figures that need more of the network"


class Graph(Protocol):
    """A model as a function from arrays to arrays; `inputs` are their names, None if a search picks them."""

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Return the outputs by name for inputs by name, all with the batch as first axis."""
        ...


@runtime_checkable
class MeasuresFiles(Protocol):
    """A task whose metric reads more of the network than its answers, such as the thresholds of classes."""

    def metric_of_file(self, outputs: Arrays) -> tuple[Metric, bool]:
        """Return a new metric for the outputs of an exported file, and whether it has all figures of a run.

        The task's own network has random weights then.

        Args:
            outputs: of the file for the first batch, by name.

        Raises:
            UsageError: nothing can be measured from answers alone.
        """
        ...


def task_of_file(description: Description, origin: Path, data: Path, inference: Any = None) -> Task:
    """Return the task of an exported file with its data, and with a network that nobody asks.

    Raises:
        RunError: the file's options or assets are damaged.
        DataError: the data cannot be read, or does not fit the file.
    """
    with blaming(origin):
        config, train = description.configs(str(origin))
        task: Task = load_object(description.spec.task).from_assets(config, train, description.assets, data)
    if inference is not None and isinstance(task, TakesInference):
        task.set_inference(inference)
    task.model.eval()
    return task


def measure_file(
    task: Task,
    graph: Graph,
    where: Mapping[str, Any],
    *,
    inputs: Sequence[str] | None = None,
    most_rows: int | None = None,
    with_baselines: bool = False,
) -> Measured:
    """Evaluate an exported file on a split, by the loader, the metric and the tables of its run.

    Args:
        task: as `task_of_file` returns it.
        graph: the opened file.
        where: the file's name as `run`, the `split`, and the `data`.
        inputs: the names of the graph's inputs; None for those of the task.
        most_rows: items that the graph takes in one call; None for any number.
        with_baselines: also evaluate the task's baselines.

    Raises:
        UsageError: the file takes other inputs than its task's batches have, or nothing can be measured from its
            answers; baselines are requested and the task has none.
        DataError: there is no such split, or it is empty.
        RunError: the file does not take a batch.
    """
    if inputs is not None and set(inputs) != set(task.inputs):
        raise UsageError(
            f"{where['run']}: takes {', '.join(inputs)}, and the prepared data gives {', '.join(task.inputs)}",
            hint="evaluate the run, or a file that takes the same",
        )
    loader = open_split(task, Path(where["data"]), where["split"])
    metric, is_complete = _measure(task, graph, loader, most_rows)
    found = {**where, "items": loader.num_items}
    measured = summarise_metric(task, metric, found, with_baselines=with_baselines)
    return measured if is_complete else replace(measured, notes=[*measured.notes, ANSWERS_ALONE])


def _measure(task: Task, graph: Graph, loader: Loader, most_rows: int | None) -> tuple[Metric, bool]:
    """Return the metric of all batches, and whether it has all figures of a run."""
    answered = file_answers(task, loader, lambda arrays: _run(graph, arrays, most_rows))
    first = next(answered, None)
    if first is None:  # no item could be read
        return task.metric(), True
    batch, outputs = first
    metric, is_complete = task.metric_of_file(outputs) if isinstance(task, MeasuresFiles) else (task.metric(), True)
    if isinstance(task, Measures):
        with torch.inference_mode():
            is_complete = is_complete and not task.measure(batch)
    for each, own in itertools.chain([first], answered):
        metric.update(to_numpy(each), own)
    return metric, is_complete


def _run(graph: Graph, arrays: Arrays, most_rows: int | None) -> dict[str, np.ndarray]:
    count = max(len(array) for array in arrays.values())
    if most_rows is None or count <= most_rows:
        return graph.run(arrays)
    starts = range(0, count, most_rows)
    return join_outputs(
        [graph.run({name: array[start : start + most_rows] for name, array in arrays.items()}) for start in starts]
    )
