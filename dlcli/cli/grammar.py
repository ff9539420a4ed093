"""The whole command line as one JSON document (`dl --help-json`), for programs that write command lines. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlcli.cli.commands import COMMANDS, load_command
from dlcli.cli.options import Described, options_of
from dlcli.core.config import FieldInfo
from dlcli.core.errors import ExitCode
from dlcli.core.registry import TaskSpec, all_datasets, all_tasks, load_object

SCHEMA = "dl.grammar/1"


def grammar() -> dict[str, Any]:
    """Return every command with its arguments and options, and the options that depend on a target.

    `commands[].options` are those of every line of a command. Beside them stand, by name: `tasks`, the options of the
    task that the target or the run belongs to; `datasets`, a dataset's options of `dl prepare`, and for `dl train` its
    task and the defaults of its recipe; `pictures`, the options of a picture of `dl visualize`.
    """
    from dlcli.core.version import __version__

    return {
        "schema": SCHEMA,
        "version": __version__,
        "usage": "dl COMMAND [ARGUMENT...] [OPTION...]",
        "exit_codes": {str(int(code)): code.name.lower() for code in ExitCode},
        "commands": [
            _command(name, summary, load_command(name, []).described) for name, (summary, _) in COMMANDS.items()
        ],
    }


def _command(name: str, summary: str, described: Described) -> dict[str, Any]:
    arguments = [
        {"name": each.name, "help": each.help, "required": each.is_required, "many": each.many}
        for each in described.arguments
    ]
    options = [option_of(info) for info in described.fields]
    return {
        "name": name,
        "summary": summary,
        "arguments": arguments,
        "options": options,
        **_by_target(name, described),
    }


def _by_target(name: str, described: Described) -> dict[str, Any]:
    """Return the options of a command that depend on the target that a line names."""
    from dlcli.cli.inference import INFERENCE_HELP

    if name == "train":
        return {
            "tasks": {spec.name: {"options": _options(name, [spec.config])} for spec in all_tasks().values()},
            "datasets": dict(_recipes()),
        }
    if name == "prepare":
        datasets = all_datasets().values()
        return {
            "datasets": {
                spec.name: {"needs_source": spec.needs_source, "options": _options(name, [spec.options])}
                for spec in datasets
            }
        }
    found: dict[str, Any] = {}
    if name == "visualize":
        found["pictures"] = dict(_pictures())
    if name == "visualize" or described.epilog == INFERENCE_HELP:
        found["tasks"] = {
            spec.name: {"options": _options(name, [spec.inference] if spec.inference else [])}
            for spec in all_tasks().values()
        }
    return found


def _options(command: str, references: Sequence[str]) -> list[dict[str, Any]]:
    return [option_of(info) for info in options_of(command, [load_object(name) for name in references])]


def _recipes() -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield each dataset's task, and the defaults that its recipe has in place of the options' own."""
    tasks: Mapping[str, TaskSpec] = all_tasks()
    for spec in all_datasets().values():
        task = tasks.get(spec.task)
        if task is not None:
            defaults = load_object(task.recipe)(spec.name, {}, None)
            yield spec.name, {"task": task.name, "defaults": {key: _plain(value) for key, value in defaults.items()}}


def _pictures() -> Iterable[tuple[str, dict[str, Any]]]:
    from dlcli.cli.pictures import all_pictures
    from dlcli.cli.visualize import DrawOptions

    for name, found in all_pictures(all_tasks().values()).items():
        options = [option_of(info) for info in options_of("visualize", [found.picture.options, DrawOptions])]
        picture = found.picture
        yield name, {"summary": picture.summary, "subject": picture.subject, "task": found.owner, "options": options}


def option_of(info: FieldInfo) -> dict[str, Any]:
    """Return what a program has to know of an option; what does not apply is left out.

    `several` means values with commas between them, `repeatable` the flag given again, `bare` the value of a flag that
    is given without one.
    """
    option = info.option
    facts: dict[str, Any] = {
        "name": info.name,
        "flag": f"--{info.flag}",
        "short": f"-{option.short}" if option.short else None,
        "off": f"--no-{info.flag}" if info.has_off else None,
        "type": info.kind.__name__,
        "default": _plain(info.default),
        "choices": list(option.choices) or None,
        "minimum": option.minimum,
        "maximum": option.maximum,
        "auto": True if option.may_be_auto else None,
        "several": True if info.may_be_list else None,
        "repeatable": True if info.is_list else None,
        "bare": option.bare,
        "metavar": option.metavar,
        "section": option.section,
        "advanced": option.is_advanced,
        "help": option.help,
    }
    always = ("name", "flag", "type", "default", "advanced", "help")
    return {name: value for name, value in facts.items() if value is not None or name in always}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
