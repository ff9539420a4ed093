"""`dlcli.train`: train a network as `dl train` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcli.api.options import Named, call_text, console_of, given_options, optional_word, word_of
from dlcli.api.running import Run
from dlcli.core.config import Layer
from dlcli.core.console import Console
from dlcli.core.errors import UsageError
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.engine.request import choice_line, machine_options, request_for
from dlcli.engine.targets import Target, require_data, resolve_target, target_of_run

WHERE = "train()"


def train(
    target: Named | None = None,
    *,
    data: Named | None = None,
    config: Named | None = None,
    origin: Named | None = None,
    resume: Named | None = None,
    name: str | None = None,
    verbose: bool = False,
    **options: Any,
) -> Run:
    """Train a network and return the finished run; options are resolved as on the command line.

    In the main thread, Ctrl-C and SIGTERM end the training after its step with a `StoppedError`, and the run can be
    resumed; the program's own handlers are back when the call returns. Elsewhere no signal is touched.

    Args:
        target: a task, a dataset or a folder of prepared data, such as the value of `prepare`; None with `origin`,
            for that run's, or with `resume`.
        data: the prepared data; None for `data/DATASET`.
        config: a TOML file of options.
        origin: a run with whose options a new one starts (`dl train --from`).
        resume: a run that was interrupted, to be finished; only `device`, `threads` and `workers` may be given beside.
        name: the run's name; None for the next free number.
        verbose: print the lines of the epochs on stderr, and not only warnings.
        options: the options of the task and of the loop, by field name or flag: `epochs=3`, `lr=1e-3`, `folds="5"`.

    Raises:
        UsageError: an option is unknown, has the wrong type or is out of range; there is no such target.
        DataError: the data is missing, invalid or too small.
        RunError: the run to start from or to resume is missing or damaged.
        DeviceError: the device is missing or out of memory.
        DivergedError: a loss or gradient became non-finite.
        StoppedError: a signal stopped the training, or the disk is full.
    """
    console = console_of(verbose)
    given = given_options(WHERE, options)
    if resume is not None:
        for key, value in {"target": target, "origin": origin, "config": config, "name": name}.items():
            if value is not None:
                raise UsageError(f"{WHERE}: {key} cannot be combined with resume", hint="leave it out")
        return Run(_resume(resolve_run(word_of(resume)), optional_word(data), given, console).path)
    start = resolve_run(word_of(origin)) if origin is not None else None
    found = _target(target, optional_word(data), start)
    positional = [target] if target is not None else []
    request = request_for(
        found,
        given,
        origin=start,
        config=optional_word(config),
        command=call_text("train", *positional, data=data, config=config, origin=origin, name=name, **options),
        name=name,
    )
    console.say(choice_line(request))
    require_data(found)
    from dlcli.engine.runs.beginning import begin_training

    return Run(begin_training(request, found, console).path)


def _target(target: Named | None, data: str | None, start: RunDir | None) -> Target:
    if target is not None:
        return resolve_target(word_of(target), data)
    if start is not None:
        return target_of_run(start, data)
    raise UsageError(f"{WHERE}: which target?", hint="name a task, a dataset or a folder: train('digits')")


def _resume(run: RunDir, data: str | None, given: Layer, console: Console) -> RunDir:
    machine = machine_options(run, given)
    from dlcli.engine.runs.beginning import go_on_training

    return go_on_training(run, Path(data) if data is not None else None, console, machine)
