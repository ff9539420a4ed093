"""Evaluate a task on a split, and run its model on single inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from dlcli.engine.compute.device import Device, to_numpy
from dlcli.engine.compute.distributed import LONE, World
from dlcli.engine.task import Batch, Loader, Measures, Metric, Outputs, Samples, Task, Validates
from dlcli.models.places import device_of


def evaluate(task: Task, loader: Loader, device: Device, world: World = LONE) -> Metric:
    """Return the task's metric over a whole split, merged over all processes; leaves the model in evaluation mode.

    Batches and outputs are converted to numpy here, so that a metric does not depend on what computed them.
    """
    answers = (task.infer, task.measure) if isinstance(task, Measures) else (task.infer,)
    return _measure(task, answers, loader, device, world)


def validate(task: Task, loader: Loader, device: Device, world: World = LONE) -> Metric:
    """Return the task's metric over the validation split, like `evaluate`, from `Validates.validate` if it has one."""
    return _measure(task, (task.validate if isinstance(task, Validates) else task.infer,), loader, device, world)


def draw_samples(task: Task, device: Device) -> Samples | None:
    """Return the task's samples, computed in evaluation mode; the random generators are restored."""
    task.model.eval()
    with torch.inference_mode(), device.keeping_random(), device.computing():
        return task.samples()


def _measure(
    task: Task, answers: Sequence[Callable[[Batch], Outputs]], loader: Loader, device: Device, world: World
) -> Metric:
    metric = task.metric()
    task.model.eval()
    with torch.inference_mode(), device.computing():
        for batch in loader.batches():
            arrays, moved = to_numpy(batch), device.move(batch)
            for answer in answers:
                outputs = to_numpy(answer(moved))
                if outputs:
                    metric.update(arrays, outputs)
    first, *others = world.gather(metric)
    for other in others:
        first.merge(other)
    return first


def infer_arrays(task: Task, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the outputs by name for the inputs by name, all batch first, computed where the task's model is.

    Mode, gradients and precision are the caller's.
    """
    device = device_of(task.model)
    batch = {name: torch.from_numpy(np.ascontiguousarray(value)).to(device) for name, value in arrays.items()}
    outputs: dict[str, np.ndarray] = to_numpy(task.infer(batch))
    return outputs


class RunPredictor:
    """A task's model as a function from arrays to arrays, with the interface of an exported file."""

    def __init__(self, task: Task, device: Device) -> None:
        self._task = task
        self._device = device
        task.model.eval()

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name for the inputs by name, all batch first."""
        with torch.inference_mode(), self._device.computing():
            return infer_arrays(self._task, arrays)
