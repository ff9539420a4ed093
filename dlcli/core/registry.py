"""The registry of forms, tasks and datasets by name, without importing any of their code.

Third parties register theirs through the entry-point groups `dlcli.forms`, `dlcli.tasks` and `dlcli.datasets`; an entry
point loads a `FormSpec`, `TaskSpec` or `DatasetSpec`. One that fails to load, or is written for another version of the
contracts, is reported by `broken_plugins` and affects nothing else.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dlcli.core.builtin import DATASETS, TASKS
from dlcli.core.builtin_forms import FORMS
from dlcli.core.errors import RunError, UsageError, did_you_mean
from dlcli.core.specs import DatasetSpec, FormSpec, Network, Size, TaskSpec, Zoo

__all__ = [
    "API",
    "DATASETS",
    "FORMS",
    "TASKS",
    "BrokenPlugin",
    "DatasetSpec",
    "FormSpec",
    "Network",
    "Size",
    "TaskSpec",
    "Zoo",
    "all_datasets",
    "all_forms",
    "all_tasks",
    "broken_plugins",
    "find_dataset",
    "find_form",
    "find_task",
    "get_dataset",
    "get_task",
    "how_to_prepare",
    "load_object",
]


SpecT = TypeVar("SpecT", TaskSpec, DatasetSpec, FormSpec)

API = 1
"""The version of the contracts of a task; raised by every change that breaks existing tasks."""


@dataclass(frozen=True)
class BrokenPlugin:
    """An entry point that could not be loaded."""

    group: str
    name: str
    reason: str


@dataclass(frozen=True)
class _Plugins(Generic[SpecT]):
    specs: Mapping[str, SpecT]
    broken: tuple[BrokenPlugin, ...]


def _load_plugins(group: str, spec_class: type[SpecT], builtin: Mapping[str, SpecT]) -> _Plugins[SpecT]:
    from importlib.metadata import entry_points

    specs: dict[str, SpecT] = {}
    broken: list[BrokenPlugin] = []
    for entry in entry_points(group=group):
        try:
            spec = entry.load()
        except Exception as error:  # a plugin may raise anything, and must not break the rest
            broken.append(BrokenPlugin(group, entry.name, f"{type(error).__name__}: {error}"))
            continue
        if not isinstance(spec, spec_class):
            broken.append(
                BrokenPlugin(group, entry.name, f"loads a {type(spec).__name__}, not a {spec_class.__name__}")
            )
        elif isinstance(spec, TaskSpec) and spec.api != API:
            behind = "dl" if spec.api > API else "the plugin"
            reason = f"written for api {spec.api!r}, this dl has {API}: upgrade {behind}"
            broken.append(BrokenPlugin(group, entry.name, reason))
        elif spec.name in builtin or spec.name in specs:
            broken.append(BrokenPlugin(group, entry.name, f"the name {spec.name!r} is taken"))
        else:
            specs[spec.name] = spec
    return _Plugins(specs, tuple(broken))


@functools.cache
def _task_plugins() -> _Plugins[TaskSpec]:
    return _load_plugins("dlcli.tasks", TaskSpec, TASKS)


@functools.cache
def _dataset_plugins() -> _Plugins[DatasetSpec]:
    return _load_plugins("dlcli.datasets", DatasetSpec, DATASETS)


@functools.cache
def _form_plugins() -> _Plugins[FormSpec]:
    return _load_plugins("dlcli.forms", FormSpec, FORMS)


def all_forms() -> dict[str, FormSpec]:
    """Return every prepared form by name, plugins last."""
    return {**FORMS, **_form_plugins().specs}


def all_tasks() -> dict[str, TaskSpec]:
    """Return every task by name, plugins last."""
    return {**TASKS, **_task_plugins().specs}


def all_datasets() -> dict[str, DatasetSpec]:
    """Return every dataset by name, plugins last."""
    return {**DATASETS, **_dataset_plugins().specs}


def broken_plugins() -> tuple[BrokenPlugin, ...]:
    """Return the entry points that could not be loaded."""
    return _task_plugins().broken + _dataset_plugins().broken + _form_plugins().broken


def find_form(name: str) -> FormSpec | None:
    """Return the form with this name, or None. Plugins are loaded only if no built-in form has it."""
    return FORMS.get(name) or _form_plugins().specs.get(name)


def find_task(name: str) -> TaskSpec | None:
    """Return the task with this name, or None. Plugins are loaded only if no built-in task has it."""
    return TASKS.get(name) or _task_plugins().specs.get(name)


def find_dataset(name: str) -> DatasetSpec | None:
    """Return the dataset with this name, or None. Plugins are loaded only if no built-in dataset has it."""
    return DATASETS.get(name) or _dataset_plugins().specs.get(name)


def get_task(name: str) -> TaskSpec:
    """Return the task with this name.

    Raises:
        UsageError: there is no such task.
    """
    spec = find_task(name)
    if spec is None:
        raise UsageError(f"no task {name!r}", hint=did_you_mean(name, all_tasks()))
    return spec


def get_dataset(name: str) -> DatasetSpec:
    """Return the dataset with this name.

    Raises:
        UsageError: there is no such dataset.
    """
    spec = find_dataset(name)
    if spec is None:
        raise UsageError(f"no dataset {name!r}", hint=did_you_mean(name, all_datasets()))
    return spec


def network_advice(name: str, known: Iterable[str]) -> str:
    """Return the advice for a network that a task does not have: the task that has it, else the most similar name.

    Args:
        name: what the user typed.
        known: the task's own networks.
    """
    for spec in all_tasks().values():
        names = load_object(spec.networks)
        if name in names or (spec.zoo and name in load_object(load_object(spec.zoo).names)()):
            return f"`dl train {spec.name} --model {name}` trains it"
    return did_you_mean(name, known)


def how_to_prepare(name: str, otherwise: str) -> str:
    """Return the command that prepares a dataset; `otherwise` is the dataset to name if there is none of that name."""
    spec = find_dataset(name)
    needs_source = spec is None or spec.needs_source
    return f"`dl prepare {spec.name if spec is not None else otherwise}{' SOURCE' if needs_source else ''}`"


def load_object(reference: str) -> Any:
    """Import and return the object that a spec's "module:Object" refers to.

    Raises:
        RunError: the module or the object does not exist (a plugin is incomplete).
    """
    module_name, _, attribute = reference.partition(":")
    try:
        return vars(importlib.import_module(module_name))[attribute]
    except (ModuleNotFoundError, KeyError) as error:
        if isinstance(error, ModuleNotFoundError) and not module_name.startswith(str(error.name)):
            raise
        raise RunError(f"{reference!r} does not exist", hint="reinstall the package that names it") from None
