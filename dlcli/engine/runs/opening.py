"""Opening the data of a training: what `dl train` needs before its first step, and what `dl doctor` examines."""

from __future__ import annotations

import shlex

from dlcli.core.errors import DataError
from dlcli.core.registry import load_object
from dlcli.data.order import WHOLE, Shard
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.judging import refuse_unjudged
from dlcli.engine.task import Batch, Loader, Task


def open_task(request: TrainRequest, shard: Shard = WHOLE) -> tuple[Task, Loader, Loader | None]:
    """Return the task with a new network, and the loaders of its training and validation parts, the latter or None.

    Raises:
        DataError: the data is missing, invalid, or too small.
        UsageError: an option does not fit the data.
    """
    factory = load_object(request.spec.task)
    task: Task = factory.from_data(request.config, request.train, request.data)
    loader = task.loader("train", training=True, shard=shard)
    if len(loader) == 0:
        raise DataError(f"{request.data}: the training split is empty", hint="lower --val-fraction or add data")
    valid: Loader | None = task.loader("valid", shard=shard)
    if valid is not None and len(valid) == 0:
        valid = None
    refuse_unjudged(task.goal, request.train, request.auto, is_validated=valid is not None)
    return task, loader, valid


def first_batch(request: TrainRequest, loader: Loader) -> Batch:
    """Return the first batch of an epoch.

    Raises:
        DataError: nothing can be read.
    """
    batch = next(iter(loader.batches()), None)
    if batch is None:
        raise DataError(
            f"{request.data}: nothing in the training split can be read",
            hint=f"`dl doctor {shlex.quote(str(request.data))}` shows why",
        )
    return batch
