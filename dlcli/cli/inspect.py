"""`dl runs`, `dl datasets` and `dl tasks`: lists of what there is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.console import Console
from dlcli.core.registry import all_datasets, all_tasks, broken_plugins
from dlcli.core.run_dir import list_runs, resolve_run


def build_runs(rest: list[str]) -> Any:
    """Return `dl runs`."""
    del rest
    arguments = [Argument("run", "show all entries of this run", is_required=False)]
    return make_command("runs", "List the runs, oldest first.", _runs, arguments=arguments)


def build_datasets(rest: list[str]) -> Any:
    """Return `dl datasets`."""
    del rest
    return make_command("datasets", "List the datasets that `dl prepare` knows.", _datasets)


def build_tasks(rest: list[str]) -> Any:
    """Return `dl tasks`."""
    del rest
    return make_command("tasks", "List the tasks that `dl train` knows.", _tasks)


def _runs(values: Values) -> None:
    console = values.console()
    if values.arguments["run"] is not None:
        run = resolve_run(values.arguments["run"])
        info = run.info()
        if console.is_json:
            console.answer_json("run", {"path": str(run.path), "run": info})
        else:
            console.table(["entry", "value"], [[name, _shown(value)] for name, value in info.items()])
        return
    runs = [(run, info) for run, info in list_runs()]
    if console.is_json:
        console.answer_json("runs", {"runs": [{"path": str(run.path), **info} for run, info in runs]})
        return
    if not runs:
        console.say("no runs in ./runs yet: `dl train digits` creates one")
        return
    console.table(
        ["run", "task", "model", "status", "epochs", "metric", "value", "seconds", "started"],
        [[run.name, *_run_row(info)] for run, info in runs],
    )


def _run_row(info: dict[str, Any]) -> list[object]:
    goal, best = info.get("goal") or "", info.get("best") or {}
    names = ("task", "model", "status", "epochs")
    return [*(info.get(name) for name in names), goal, best.get(goal), info.get("seconds"), info.get("started", "")]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    return "-" if value is None else str(value)


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
