"""The user's TARGET: a task, a dataset, or a folder of prepared data."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import DataError, RunError, UsageError, did_you_mean
from dlcli.core.files import is_folder
from dlcli.core.registry import (
    DATASETS,
    TASKS,
    TaskSpec,
    all_datasets,
    all_tasks,
    find_dataset,
    find_task,
    get_dataset,
    get_task,
    how_to_prepare,
    load_object,
)
from dlcli.core.run_dir import RunDir
from dlcli.core.wording import printable

DATA = Path("data")
"""The folder of prepared datasets, relative to the current folder."""


@dataclass(frozen=True)
class Target:
    """A task, and the name and folder of its data."""

    spec: TaskSpec
    dataset: str
    data: Path


def is_known(word: str) -> bool:
    """Return whether a word is certainly a target; plugins are not searched."""
    return word in TASKS or word in DATASETS or (is_folder(DATA / word) and (DATA / word / "dataset.json").is_file())


def resolve_target(text: str, data: str | None) -> Target:
    """Return the target that a word refers to; `data` is the folder that the user named, if any.

    Raises:
        UsageError: there is no such task or dataset.
        DataError: a prepared folder has a damaged card or a form that no task reads.
    """
    task = TASKS.get(text) or (None if text in DATASETS else find_task(text))  # looking for plugins takes 30 ms
    if task is not None:
        if data is not None:
            return Target(task, _name_of(Path(data)), Path(data))
        return Target(task, task.default_dataset, DATA / task.default_dataset)
    dataset = find_dataset(text)
    if dataset is not None:
        folder = Path(data) if data else DATA / dataset.name
        return Target(_task_of_card(folder) or get_task(dataset.task), dataset.name, folder)
    folder = DATA / text if is_folder(DATA / text) else Path(text)
    if data is not None and not _is_named(Path(data), text, folder):
        raise UsageError(
            f"{text!r} is no task, no dataset and not the folder of --data",
            hint=f"leave out --data, or type `dl train {shlex.quote(data)}`",
        )
    folder = Path(data) if data is not None else folder
    if is_folder(folder):
        return Target(_task_of_folder(folder), _name_of(folder), folder)
    known = [*all_tasks(), *all_datasets()]
    raise UsageError(f"no task, dataset or folder {text!r}", hint=did_you_mean(text, known))


def target_of_run(run: RunDir, data: str | None) -> Target:
    """Return the target of an existing run; `data` is the folder that the user named, if any.

    Raises:
        RunError: the run does not name its task or data, or the task no longer exists.
    """
    try:
        spec = get_task(run.entry("task"))
    except UsageError as error:
        raise RunError(f"{run.info_file}: {error.message}", hint=error.hint) from None
    return Target(spec, run.entry("dataset"), Path(data or run.entry("data")))


def _is_named(data: Path, text: str, folder: Path) -> bool:
    """Return whether a word means the folder of --data: it is that folder, or the name in its card."""
    return is_folder(data) and (folder.resolve() == data.resolve() or text == _name_of(data))


def _name_of(folder: Path) -> str:
    from dlcli.data.card import read_card

    card = read_card(folder)
    return card.name if card is not None else printable(folder.resolve().name)


def _task_of_card(folder: Path) -> TaskSpec | None:
    """Return the task that the data was prepared for, if its form serves several tasks; else None."""
    from dlcli.data.card import read_card

    card = read_card(folder)
    name = card.details.get("task") if card is not None else None
    return find_task(name) if isinstance(name, str) else None


def _task_of_folder(folder: Path) -> TaskSpec:
    """Return the task for a folder: its card's, else that of its contents, its form's default, or the first that fits.

    Raises:
        DataError: the card is damaged, or no task reads its form.
    """
    task = _task_of_card(folder)
    if task is not None:
        return task
    from dlcli.data.card import read_card
    from dlcli.data.forms import form_of

    form, card = form_of(folder), read_card(folder)
    if form is not None and form.task:
        suited = load_object(form.task_of)(folder) if form.task_of and card is None else ""
        return get_task(suited or form.task)
    name = form.name if form is not None else card.form if card is not None else ""
    for spec in all_tasks().values():
        if spec.form == name:
            return spec
    raise DataError(f"{folder}: no task reads the form {name!r}", hint="`dl tasks` lists the tasks and their forms")


def ensure_prepared(target: Target, say: Callable[[str], None]) -> None:
    """Check that the target's data exists, and prepare a dataset that needs no source.

    Raises:
        DataError: it does not exist.
    """
    require_data(target)
    if is_folder(target.data):
        return
    from dlcli.data.importing.preparing import prepare_dataset

    dataset = get_dataset(target.dataset)
    importer = load_object(dataset.importer)(load_object(dataset.options)())
    prepare_dataset(importer, None, target.data, command=f"dl prepare {dataset.name}", force=False, report=say)
    say(f"prepared {target.data}")


def require_data(target: Target) -> None:
    """Check that the target's data exists, or can be prepared without a source. Fast and torch-free.

    Raises:
        DataError: it does not exist.
    """
    dataset = find_dataset(target.dataset)
    is_embedded = dataset is not None and not dataset.needs_source and target.data == DATA / dataset.name
    if is_folder(target.data) or is_embedded:
        return
    raise DataError(
        f"{target.data}: no prepared data there",
        hint=f"run {how_to_prepare(target.dataset, 'DATASET')}, or name a prepared folder with --data",
    )
