"""A network's name in the place of a run, with its published weights or those of a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.errors import RunError, UsageError
from dlcli.core.networks import get_owner, has_weights
from dlcli.core.registry import DATASETS, TASKS
from dlcli.core.run_dir import RunDir, resolve_run

if TYPE_CHECKING:
    from dlcli.core.description import Description
    from dlcli.engine.task import Task

_NAME = re.compile(r"[\w-]+")


def open_ready(
    name: str, pretrained: str, *, report: Callable[[str], None], data: Path | None = None, inference: Any = None
) -> tuple[Task, Description]:
    """Return the task with a network's ready weights, and its description; see `load_ready`.

    Raises:
        UsageError: there is no such network, or it has no ready weights.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--pretrained: {name!r} is not the name of a network",
            hint="`dl models` lists them; a run or an exported file needs no --pretrained",
        )
    spec = get_owner(name)
    from dlcli.engine.runs.ready import load_ready

    return load_ready(spec, name, pretrained, report=report, data=data, inference=inference)


def find_run(text: str) -> RunDir:
    """Return the run that an argument refers to; see `resolve_run`.

    Raises:
        RunError: there is no such run. If it is the name of a network with published weights, the hint says so.
    """
    try:
        return resolve_run(text)
    except RunError as error:
        raise with_hint(text, error) from None


def with_hint(text: str, error: RunError) -> RunError:
    """Return the error that there is no such run, with the advice to use a network's published weights if it has any.

    A library is imported only for a word that is nothing else.
    """
    is_known = text in TASKS or text in DATASETS or text == "latest"
    if is_known or not has_weights(text):
        return error
    hint = f"add `--pretrained default` for the published weights of the network {text}, or train it"
    return RunError(error.message, details=error.details, hint=hint)
