"""`dl rerun RUN`: train a run again, and with --check compare the two."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, dataclass
from typing import Any

from dlcli.answering.run_data import data_of_run
from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.config import option
from dlcli.core.errors import ParityError
from dlcli.core.run_dir import resolve_run

MOST_SHOWN = 8
"""Differences to print; after the first one, everything tends to differ."""


@dataclass(frozen=True)
class RerunOptions:
    """Options of `dl rerun`."""

    check: bool = option(False, "compare every epoch's metrics and the final weights; exit 6 if they differ")
    data: str | None = option(None, "prepared data (default: the run's)", metavar="DIR")
    name: str | None = option(None, "name of the new run (default: DATASET-MODEL-N)", metavar="NAME")


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    return make_command(
        "rerun",
        "Train a run again with its options, seed and data, and print the path of the new run.",
        _rerun,
        arguments=[Argument("run", "a path, a name under runs/, `latest`, a dataset, task or model")],
        configs=[RerunOptions],
        epilog="On a GPU, only runs trained with --deterministic can be reproduced.",
    )


def _rerun(values: Values) -> None:
    console = values.console()
    options = values.resolve(RerunOptions)
    run = resolve_run(values.arguments["run"])
    data = data_of_run(run.info(), options.data)

    from dlcli.engine.runs.rerun import check_comparable, compare_runs, rerun_request, surroundings_changed
    from dlcli.engine.runs.training import start_training

    request = rerun_request(run, data, shlex.join(["dl", *sys.argv[1:]]), options.name)
    if options.check:
        check_comparable(run, request)
    changed = surroundings_changed(run, request)
    for line in changed:
        console.warn(line)
    again = start_training(request, console)
    if console.is_mute:  # one of several processes: the first compares
        return
    again.update_info(rerun_of=run.name)
    comparison = compare_runs(run, again) if options.check else None
    if console.is_json:
        found = {"comparison": asdict(comparison), "is_same": not comparison.differences} if comparison else {}
        console.answer_json("rerun", {"run": str(again.path), "of": str(run.path), "changed": changed, **found})
    else:
        console.answer(str(again.path))
    if comparison is None:
        return
    if comparison.differences:
        for line in comparison.differences[:MOST_SHOWN]:
            console.say(f"  {line}")
        first, count = comparison.differences[0], len(comparison.differences)
        raise ParityError(
            f"{again.path} differs from {run.path} in {count} place{'' if count == 1 else 's'}",
            details=[f"first: {first}"],
            hint=_hint(changed, is_deterministic=request.train.deterministic),
        )
    epochs = f"{comparison.epochs} epoch{'' if comparison.epochs == 1 else 's'}"
    console.say(f"the same as {run.path}: {epochs}, weights sha256 {comparison.weights_sha256[:12]}")


def _hint(changed: list[str], *, is_deterministic: bool) -> str:
    if changed:
        return f"the environment has changed: {changed[0]}"
    return "please report it" if is_deterministic else "train both with --deterministic"
