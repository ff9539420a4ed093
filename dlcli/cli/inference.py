"""The inference options of a line: those of the task of the run or file that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dlcli.answering.opening import task_of
from dlcli.cli.options import Common, Compute, Values
from dlcli.cli.ready import Ready, pretrained_of_line
from dlcli.cli.words import pick_target
from dlcli.core.config import fields_of
from dlcli.core.errors import UsageError
from dlcli.core.registry import TASKS, TaskSpec, load_object

INFERENCE_HELP = "Put a RUN before -h to see the options of its task too."

FEW_WORDS = 16
"""Words of a line among which a run is searched: no line has more words of options before it."""


def inference_of_line(rest: Sequence[str], *configs: type) -> tuple[type, ...]:
    """Return the inference options of the run or file that a line names, as dataclasses of options.

    If it cannot be found, return those of all built-in tasks, so that the error reports the missing run and not an
    unknown option; for a line without a name, return ().

    Args:
        rest: the words after the command, or after the picture.
        configs: the command's own options.
    """
    pretrained = pretrained_of_line(rest)
    word = run_of_line(rest, lambda word: task_of(word, pretrained) is not None, *configs)
    if word is None:
        return ()
    spec = task_of(word, pretrained)
    return _inference_classes(TASKS.values() if spec is None else [spec])


def run_of_line(rest: Sequence[str], known: Callable[[str], bool], *configs: type) -> str | None:
    """Return the word of a line that names the run or file; see `pick_target`."""
    if rest and not rest[0].startswith("-"):
        return rest[0]  # as `pick_target` would, which needs to know the options of every task
    options = [*configs, Common, Compute, Ready, *_inference_classes(TASKS.values())]
    # The run comes before the inputs, of which there may be thousands.
    return pick_target(rest[:FEW_WORDS], known, options)


def _inference_classes(specs: Iterable[TaskSpec]) -> tuple[type, ...]:
    return tuple(load_object(name) for name in dict.fromkeys(spec.inference for spec in specs) if name)


def resolve_inference(values: Values, classes: Sequence[type], spec: TaskSpec | None) -> Any:
    """Return the typed options as the task's dataclass of inference options; None if it has none.

    Args:
        values: what was typed.
        classes: the dataclasses whose options the line may have.
        spec: the task; None if it is unknown.

    Raises:
        UsageError: an option of another task was typed.
    """
    own = load_object(spec.inference) if spec is not None and spec.inference else None
    if spec is None:
        return None
    known = {info.name for options in (Compute, *([own] if own is not None else [])) for info in fields_of(options)}
    for info in (info for options_class in classes for info in fields_of(options_class)):
        if info.name in values.given and info.name not in known:
            raise UsageError(
                f"--{info.flag}: not an option of the task {spec.name}", hint="name the run or file before its options"
            )
    return values.resolve(own) if own is not None else None
