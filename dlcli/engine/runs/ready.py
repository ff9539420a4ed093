"""Networks with ready weights, by name, in the place of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlcli.core.description import Description
from dlcli.core.registry import TaskSpec, load_object
from dlcli.engine.task import TakesInference, Task, network_of, notes_of


def load_ready(
    spec: TaskSpec,
    name: str,
    pretrained: str,
    *,
    report: Callable[[str], None],
    data: Path | None = None,
    inference: Any = None,
) -> tuple[Task, Description]:
    """Return the task with a network's ready weights, and the description that a run of it would have.

    Args:
        spec: the task that the network belongs to.
        name: the network's.
        pretrained: "default" for its published weights, or a file.
        report: is called with what was assumed about the weights, a line each.
        data: the prepared data to evaluate on.
        inference: as in `load_task`.

    Raises:
        UsageError: the network has no ready weights.
        RunError: the file of weights is missing, damaged or does not fit.
        DataError: the published weights are not there, or the data does not fit them.
    """
    factory = load_object(spec.task)
    task: Task = factory.from_network(name, {}, pretrained)
    description = Description(spec.name, {"model": name}, task.assets(), name, "", name)
    for note in notes_of(task):
        report(note)
    if data is not None:
        weights = network_of(task).state_dict()
        task = factory.from_assets(*description.configs(name), description.assets, data)
        network_of(task).load_state_dict(weights)
    if inference is not None and isinstance(task, TakesInference):
        task.set_inference(inference)
    task.model.eval()
    return task, description
