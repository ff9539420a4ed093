"""Restore a task that can evaluate, predict, export and draw from a run or a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli.core.cores import usable_cores
from dlcli.core.description import Description, read_description
from dlcli.core.errors import RunError, UsageError
from dlcli.core.registry import load_object
from dlcli.core.run_dir import FOLDS, RunDir
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.checkpoint import NETWORK, describe_checkpoint, load_answering, read_checkpoint
from dlcli.engine.task import TakesInference, Task
from dlcli.export.model_file import CONFIG_JSON, WEIGHTS_FILE, is_weights_folder
from dlcli.export.weights_folder import read_weights_folder


@contextmanager
def blaming(origin: Path) -> Iterator[None]:
    """Turn a UsageError into a RunError that names the file from which the option was read, since no user typed it.

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
    """Return the request to train with exactly a run's options on `data`; `origin` is the options' file.

    Raises:
        RunError: an option is unknown or out of range, or the task no longer exists.
    """
    with blaming(origin):
        spec = description.spec
        config, train = description.configs(str(origin))
        return TrainRequest(spec, description.dataset, data, description.model, config, train, command, name)


def describe_run(run: RunDir) -> Description:
    """Return the description stored in a run's files.

    Raises:
        RunError: a file of the run is missing or damaged, or the run is the parent of a cross-validation.
    """
    if run.holds_folds:
        hint = f"name one of them, such as {run.path}/{FOLDS}/01; `dl eval` summarises them"
        raise RunError(f"{run.path}: contains the runs of a cross-validation, not one model", hint=hint)
    description = _described(run)
    names = run.info().get("assets")
    if not isinstance(names, list):
        raise RunError(f"{run.info_file}: 'assets' is missing")
    return replace(description, assets=run.assets(names))


def describe_folds(parent: RunDir) -> Description:
    """Return the description shared by the runs of a cross-validation, from the files of their parent.

    Raises:
        RunError: a file is missing or damaged.
    """
    return _described(parent)


def _described(run: RunDir) -> Description:
    """Return the description without its assets."""
    task, model, dataset = (run.entry(name) for name in ("task", "model", "dataset"))
    return Description(task, run.config(), {}, model, dataset, run.name)


def precision_of(run: RunDir) -> str:
    """Return the precision at which a run was trained, "fp32" or "bf16".

    Raises:
        RunError: the run does not state it.
    """
    value = run.entry("precision")
    if value not in ("fp32", "bf16"):
        raise RunError(f"{run.info_file}: 'precision' cannot be {value!r}", hint="fp32 or bf16, as it was trained")
    return value


def threads_of(run: RunDir) -> int | None:
    """Return the number of CPU threads with which a run was started, for equal rounding; None if it is not known.

    At most the cores of this machine, which may be another.
    """
    value = run.info().get("threads")
    return min(value, usable_cores()) if type(value) is int and value >= 1 else None


def load_task(
    run: RunDir, *, data: Path | None = None, inference: Any = None, options: Mapping[str, Any] | None = None
) -> tuple[Task, Description]:
    """Return the run's task with its best weights (the newest if no epoch has finished), and its description.

    Args:
        run: the run.
        data: the prepared data to evaluate on.
        inference: the inference options, an instance of the dataclass that `TaskSpec.inference` refers to.
        options: options of the loop in place of the run's, by name; None for their default.

    Raises:
        RunError: the run is damaged or has no checkpoint.
        DataError: the data does not fit the run.
    """
    checkpoint = run.answering_checkpoint
    described = describe_run(run)
    if options is not None:
        changed = {name: value for name, value in {**described.config, **options}.items() if value is not None}
        described = replace(described, config=changed)
    return _build(described, run.config_file, read_checkpoint(checkpoint), checkpoint, data, inference)


def load_task_from_file(
    path: Path, *, data: Path | Callable[[Description], Path] | None = None, inference: Any = None
) -> tuple[Task, Description]:
    """Return the task and description of a self-contained checkpoint, or of a folder of weights; see `load_task`.

    The data may be chosen by what the file says of itself.

    Raises:
        RunError: it was not written by dl, is damaged, or its weights do not fit its description.
    """
    if is_weights_folder(path):
        description, tensors = read_weights_folder(path)
        # Weights in fp16 become the network's own fp32.
        content = {"part": NETWORK, "model": tensors}
        place = data(description) if callable(data) else data
        return _build(description, path / CONFIG_JSON, content, path / WEIGHTS_FILE, place, inference)
    content = read_checkpoint(path)
    description = read_description(describe_checkpoint(content, path), str(path))
    place = data(description) if callable(data) else data
    return _build(description, path, content, path, place, inference)


def _build(
    description: Description,
    origin: Path,
    content: Mapping[str, Any],
    path: Path,
    data: Path | None,
    inference: Any,
) -> tuple[Task, Description]:
    """Return the task and its description; `origin` is the file with the options, `path` the one with the weights."""
    with blaming(origin):
        config, train = description.configs(str(origin))
        factory = load_object(description.spec.task)
        task: Task = factory.from_assets(config, train, description.assets, data)
    if inference is not None and isinstance(task, TakesInference):  # otherwise only the codec has options
        task.set_inference(inference)
    load_answering(task, content, path)
    task.model.eval()
    return task, description
