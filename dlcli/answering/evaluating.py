"""Evaluating a file, a checkpoint or an export, as `dl eval RUN` evaluates its run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.answering.opening import CHECKPOINT, form_of, open_exported, refuse_whole_images
from dlcli.answering.run_data import data_of_file, run_around
from dlcli.core.description import Description
from dlcli.core.errors import RunError, UsageError
from dlcli.data.codec import LimitsRows

if TYPE_CHECKING:
    from dlcli.engine.runs.evaluation import Measured


def measure_model_file(
    text: str,
    data: str | None,
    split: str,
    *,
    device: str = "auto",
    threads: int | None = None,
    inference: Any = None,
    with_baselines: bool = False,
    few_shot: int | None = None,
) -> Measured:
    """Evaluate a checkpoint or an exported file on a split; nothing is stored.

    Args:
        text: the path of the file, or of a folder of several graphs.
        data: the prepared data; None for that of the run around the file, or of the dataset that the file names.
        split, inference, with_baselines, few_shot: see `measure_run`.
        device, threads: where it computes.

    Raises:
        RunError: the file is missing, damaged, or does not say how its data is read.
        DataError: the data is missing, does not fit the file, or its split is empty.
        UsageError: something is asked of the file that only its run can do.
    """
    path = Path(text)
    more: dict[str, Any] = {"with_baselines": with_baselines}
    if form_of(text) == CHECKPOINT:
        return _measure_checkpoint(path, data, split, device, threads, inference, {**more, "few_shot": few_shot})
    if few_shot is not None:
        raise UsageError("--few-shot: an exported file has no head to look behind", hint="evaluate the run")
    opened = open_exported(path, threads, inference, device=device)
    if opened.description is None:
        raise RunError(
            f"{path}: does not say of which run it is, and so not how its data is read",
            hint="export a run with this version of dl",
        )
    refuse_whole_images(path, opened.description)
    place = data_of_file(path, opened.description, data)
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.runs.file_evaluation import measure_file, task_of_file

    open_device("cpu", threads=threads)
    task = task_of_file(opened.description, path, place, inference)
    measured = measure_file(
        task,
        opened.predictor,
        {"run": str(path), "split": split, "data": str(place)},
        inputs=opened.inputs,
        most_rows=opened.codec.most_rows if isinstance(opened.codec, LimitsRows) else None,
        **more,
    )
    return _with_changes(measured, path, place, split)


def _with_changes(measured: Measured, path: Path, data: Path, split: str) -> Measured:
    """Return the evaluation of a file with a note on how the data of the run around it has changed."""
    from dlcli.engine.runs.changed_data import changes_since_trained

    run = run_around(path)
    notes = changes_since_trained(run, measured.task.card, data, split) if run is not None else []
    return replace(measured, notes=[*notes, *measured.notes])


def _measure_checkpoint(
    path: Path, data: str | None, split: str, device: str, threads: int | None, inference: Any, more: dict[str, Any]
) -> Measured:
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.runs.evaluation import measure_task
    from dlcli.engine.runs.restore import load_task_from_file

    place = open_device(device, threads=threads)
    found: list[Path] = []

    def choose(description: Description) -> Path:
        found.append(data_of_file(path, description, data))
        return found[0]

    task, _ = load_task_from_file(path, data=choose, inference=inference)
    return _with_changes(measure_task(task, str(path), found[0], split, place, **more), path, found[0], split)
