"""From a run or a checkpoint back to a task that can evaluate, predict, export and draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli.core.description import Description, read_description
from dlcli.core.errors import RunError, UsageError
from dlcli.core.registry import load_object
from dlcli.core.run_dir import FOLDS, RunDir
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.checkpoint import describe_checkpoint, load_answering, read_checkpoint
from dlcli.engine.task import TakesInference, Task


@contextmanager
def blaming(origin: Path) -> Iterator[None]:
    """Turn a wrong option into a fault of the file that it was read from: nobody has typed it.

    Raises:
        RunError: in place of a UsageError.
    """
    try:
        yield
    except UsageError as error:
        where = "" if error.message.startswith(str(origin)) else f"{origin}: "
        raise RunError(f"{where}{error.message}", hint=error.hint) from None


def request_of(
    description: Description, origin: Path, data: Path, command: str, name: str | None = None
) -> TrainRequest:
    """Return the request to train with the very options of a run, on `data`; `origin` is the file they are in.

    Raises:
        RunError: an option is unknown or out of range, or the task is not there any more.
    """
    with blaming(origin):
        spec = description.spec
        config, train = description.configs(str(origin))
        return TrainRequest(spec, description.dataset, data, description.model, config, train, command, name)


def describe_run(run: RunDir) -> Description:
    """Return the description that stands in a run's files.

    Raises:
        RunError: a file of the run is missing or damaged, or it is the parent of several.
    """
    if run.holds_folds:
        hint = f"name one of them, as {run.path}/{FOLDS}/01; `dl eval` sums them up"
        raise RunError(f"{run.path}: holds the runs of a cross-validation, not one model", hint=hint)
    description = _described(run)
    names = run.info().get("assets")
    if not isinstance(names, list):
        raise RunError(f"{run.info_file}: 'assets' is missing")
    return replace(description, assets=run.assets(names))


def describe_folds(parent: RunDir) -> Description:
    """Return what the runs of a cross-validation have in common, as it stands in their parent's files.

    Raises:
        RunError: a file is missing or damaged.
    """
    return _described(parent)


def _described(run: RunDir) -> Description:
    """Return the description without its assets."""
    task, model, dataset = (run.entry(name) for name in ("task", "model", "dataset"))
    return Description(task, run.config(), {}, model, dataset, run.name)


def precision_of(run: RunDir) -> str:
    """Return the number format that a run was trained in.

    Raises:
        RunError: the run does not say it.
    """
    value = run.entry("precision")
    if value not in ("fp32", "bf16"):
        raise RunError(f"{run.info_file}: 'precision' cannot be {value!r}", hint="fp32 or bf16, as it was trained")
    return value


def load_task(run: RunDir, *, data: Path | None = None, inference: Any = None) -> tuple[Task, Description]:
    """Return the run's task with its best weights (the newest where no epoch has finished).

    Args:
        run: the run.
        data: the prepared data to measure on.
        inference: the inference options, in the dataclass that the task's spec names.

    Raises:
        RunError: the run is damaged or has no checkpoint.
        DataError: the data does not fit the run.
    """
    checkpoint = run.best_checkpoint if run.best_checkpoint.exists() else run.last_checkpoint
    return _build(describe_run(run), run.config_file, read_checkpoint(checkpoint), checkpoint, data, inference)


def load_task_from_file(path: Path, *, data: Path | None = None, inference: Any = None) -> tuple[Task, Description]:
    """Return the task that a checkpoint file describes by itself, with its weights; arguments as of `load_task`.

    Raises:
        RunError: the file is no checkpoint of dl, or is damaged.
    """
    content = read_checkpoint(path)
    description = read_description(describe_checkpoint(content, path), str(path))
    return _build(description, path, content, path, data, inference)


def _build(
    description: Description,
    origin: Path,
    content: Mapping[str, Any],
    path: Path,
    data: Path | None,
    inference: Any,
) -> tuple[Task, Description]:
    """Return the task; `origin` is the file that holds the options, `path` the one with the weights."""
    with blaming(origin):
        config, train = description.configs(str(origin))
        factory = load_object(description.spec.task)
        task: Task = factory.from_assets(config, train, description.assets, data)
    if inference is not None and isinstance(task, TakesInference):  # else the options are the codec's alone
        task.set_inference(inference)
    load_answering(task, content, path)
    task.model.eval()
    return task, description
