"""The target of `dl train` and `dl tune`: found in a line before its options are known, and checked with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.cli.options import Argument, Common
from dlcli.cli.words import pick_target
from dlcli.core.errors import UsageError
from dlcli.core.registry import DATASETS, TASKS, TaskSpec, all_datasets, all_tasks, load_object
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.targets import Target, is_known, resolve_target, target_of_run

TARGET = Argument("target", "a task, a dataset or a prepared folder", is_required=False)


def target_word(rest: Sequence[str], own: type) -> str | None:
    """Return the word of a line that names the target; None without one.

    Args:
        rest: the words after the command.
        own: the dataclass of the command's own options.
    """
    configs = [own, TrainConfig, Common, *(load_object(spec.config) for spec in TASKS.values())]
    return pick_target(rest, is_known, configs)


def recipe_of(target: Target | None) -> Mapping[str, Any]:
    """Return the defaults of a target that its help page shows; none without a target."""
    if target is None:
        return {}
    # Only the card is read for a help page: images would need numpy.
    data = target.data if (target.data / "dataset.json").is_file() else None
    recipe: Mapping[str, Any] = load_object(target.spec.recipe)(target.dataset, {}, data)
    return recipe


def epilog_of(target: Target | None, more: str) -> str:
    """Return the last lines of the help page: whose defaults it shows, or else the targets and `more`."""
    if target is not None:
        return f"Defaults in brackets are for {target.dataset}."
    # Looking for plugins takes 30 ms, so the help page omits them; the lists show them.
    return f"Targets: {', '.join([*TASKS, *DATASETS])}, or a prepared folder{more}"


def target_of_options(
    command: str, spec: TaskSpec | None, text: str | None, data: str | None, origin: RunDir | None
) -> Target:
    """Return the target of a line whose options are known.

    Args:
        command: the command, for messages.
        spec: the task whose options the line was read with.
        text: the word that names the target; None for that of `origin`.
        data: the folder that the user named, if any.
        origin: the run whose options are started from, if any.

    Raises:
        UsageError: there is no target, or the line was read with the options of another task.
        RunError: the run does not name its task.
        DataError: a prepared folder cannot be read.
    """
    if text is not None:
        target = resolve_target(text, data)
    elif origin is not None:
        target = target_of_run(origin, data)
    else:
        names = ", ".join([*all_tasks(), *all_datasets()])
        raise UsageError("which target?", hint=f"`dl {command} TARGET`, TARGET one of {names}, or a folder")
    if spec is None or spec.name != target.spec.name:
        raise UsageError(f"dl {command} {target.spec.name}: name the target before its options")
    return target
