"""Arguments by name: the fields of the dataclasses of options, checked as those of the command line are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcli.core.config import Layer, fields_of, resolve
from dlcli.core.console import Console
from dlcli.core.errors import UsageError, did_you_mean
from dlcli.core.registry import TaskSpec, load_object

Named = str | os.PathLike[str]
"""A word of the command line, or the path of something: of a run, of a file, of prepared data."""


def console_of(verbose: bool) -> Console:
    """Return where a call writes: warnings alone, or every line if verbose; nothing in all but the first process."""
    is_mute = "WORLD_SIZE" in os.environ and os.environ.get("RANK", "0") != "0"  # torchrun sets them
    return Console(is_quiet=not verbose or is_mute, is_mute=is_mute)


def word_of(value: Named) -> str:
    """Return a word or a path as the command line has it.

    Raises:
        UsageError: it is neither, or it is empty, which as a path would mean the current folder.
    """
    word = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(word, str):
        raise UsageError(f"{type(value).__name__} is no name and no path", hint="pass a text or a Path")
    if not word.strip():
        raise UsageError("the name is empty")
    return word


def optional_word(value: Named | None) -> str | None:
    """Return a word or a path as the command line has it; None for None."""
    return None if value is None else word_of(value)


def given_options(where: str, options: Mapping[str, Any]) -> Layer:
    """Return the arguments that are not None as options; paths as text, and numbers of numpy as Python's."""
    return Layer(where, {name: _plain(value) for name, value in options.items() if value is not None})


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def resolve_inference(where: str, spec: TaskSpec | None, given: Mapping[str, Any]) -> Any:
    """Return the inference options of a task in its dataclass; None if it has none, or if the task is unknown.

    Args:
        where: the call, for messages: `load()`.
        spec: the task.
        given: the arguments, by field name.

    Raises:
        UsageError: an argument is no option of the task, or its value is wrong.
    """
    if spec is None:
        return None
    own = load_object(spec.inference) if spec.inference else None
    known = [info.name for info in fields_of(own)] if own is not None else []
    for name in given:
        if name not in known:
            raise UsageError(f"{where}: the task {spec.name} has no option {name!r}", hint=did_you_mean(name, known))
    return resolve(own, [given_options(where, given)]) if own is not None else None


def call_text(function: str, *positional: object, **named: object) -> str:
    """Return a call as text, for the run that it makes: `dlcli.train('digits', epochs=3)`."""
    parts = [repr(os.fspath(each) if isinstance(each, os.PathLike) else each) for each in positional]
    parts += [
        f"{name}={os.fspath(value) if isinstance(value, os.PathLike) else value!r}"
        for name, value in named.items()
        if value is not None
    ]
    return f"dlcli.{function}({', '.join(parts)})"
