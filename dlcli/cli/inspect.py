"""`dl datasets` and `dl tasks`: lists of what there is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dlcli.cli.options import Values, make_command
from dlcli.core.console import Console
from dlcli.core.registry import all_datasets, all_tasks, broken_plugins


def build_datasets(rest: list[str]) -> Any:
    """Return `dl datasets`."""
    del rest
    return make_command("datasets", "List the datasets that `dl prepare` knows.", _datasets)


def build_tasks(rest: list[str]) -> Any:
    """Return `dl tasks`."""
    del rest
    return make_command("tasks", "List the tasks that `dl train` knows.", _tasks)


def _datasets(values: Values) -> None:
    console = values.console()
    specs = all_datasets()
    if console.is_json:
        console.answer_json("datasets", {"datasets": [asdict(spec) for spec in specs.values()], **_broken()})
        return
    rows = [[spec.name, spec.form, spec.task, spec.summary] for spec in specs.values()]
    console.table(["dataset", "form", "task", "what it is"], rows)
    _warn_broken(console)


def _tasks(values: Values) -> None:
    console = values.console()
    specs = all_tasks()
    if console.is_json:
        console.answer_json("tasks", {"tasks": [asdict(spec) for spec in specs.values()], **_broken()})
        return
    rows = [[spec.name, spec.form, spec.default_dataset, spec.summary] for spec in specs.values()]
    console.table(["task", "form", "default dataset", "what it does"], rows)
    _warn_broken(console)


def _broken() -> dict[str, Any]:
    return {"broken_plugins": [asdict(plugin) for plugin in broken_plugins()]}


def _warn_broken(console: Console) -> None:
    for plugin in broken_plugins():
        console.warn(f"plugin {plugin.name!r} ({plugin.group}) is skipped: {plugin.reason}")
