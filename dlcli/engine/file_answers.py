"""What an exported file answers to the batches of a task's loader; items of unequal shapes go shape by shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dlcli.data.codec import Encoded, Source, by_shape, join_outputs
from dlcli.engine.compute.device import to_numpy
from dlcli.engine.task import Batch, Loader, Task

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], Arrays]
"""A file as a function: inputs by name, (N, ...), to outputs by name, (N, ...)."""


def file_answers(task: Task, loader: Loader, run: Run) -> Iterator[tuple[Batch, dict[str, np.ndarray]]]:
    """Yield each batch of a loader, as the loader gives it, with the file's outputs for the task's inputs."""
    for batch in loader.batches():
        yield batch, answers_of(run, to_numpy({name: batch[name] for name in task.inputs}))


def answers_of(run: Run, batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the outputs for a batch, in its order.

    Args:
        run: the file.
        batch: inputs by name, each an array (N, ...), or a list of N arrays if their shapes differ.
    """
    if not any(isinstance(values, list) for values in batch.values()):
        return dict(run(batch))
    rows = zip(*batch.values(), strict=True)
    items = [Encoded(Source("", None), dict(zip(batch, row, strict=True))) for row in rows]
    parts, order = [], list[int]()
    for indices, alike in by_shape(items):
        parts.append(run(alike))
        order += indices
    return {name: array[np.argsort(order)] for name, array in join_outputs(parts).items()}
