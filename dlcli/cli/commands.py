"""The names of all commands, and how one is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COMMANDS = {
    # name: (summary, "module:function" that takes the rest of the line and returns the command)
    "prepare": ("convert an original dataset to a form for training", "dlcli.cli.prepare:build"),
    "train": ("train a network on prepared data", "dlcli.cli.train:build"),
    "tune": ("find options that suit the data, by many trainings", "dlcli.cli.tune:build"),
    "rerun": ("train a run again, and check that the result is the same", "dlcli.cli.rerun:build"),
    "eval": ("evaluate a run or an exported file on its test data", "dlcli.cli.evaluate:build"),
    "predict": ("predict for new inputs, with a run or an exported file", "dlcli.cli.predict:build"),
    "export": ("export a run to ONNX or another format, and verify the file", "dlcli.cli.export:build"),
    "benchmark": ("measure how fast runs and exported files answer", "dlcli.cli.benchmark:build"),
    "serve": ("answer HTTP requests with runs or exported files", "dlcli.cli.serve:build"),
    "visualize": ("draw a run or a dataset, as PNG files", "dlcli.cli.visualize:build"),
    "report": ("write one HTML page about a run", "dlcli.cli.report:build"),
    "compare": ("compare evaluated runs, with a paired test of their figures", "dlcli.cli.compare:build"),
    "runs": ("list the runs", "dlcli.cli.run_list:build"),
    "models": ("list the networks, or show one", "dlcli.cli.models:build"),
    "datasets": ("list the datasets", "dlcli.cli.inspect:build_datasets"),
    "tasks": ("list the tasks", "dlcli.cli.inspect:build_tasks"),
    "doctor": ("check the machine, a dataset or a run", "dlcli.cli.doctor:build"),
    "completion": ("print a script with which a shell completes words", "dlcli.cli.completion:build"),
}


def load_command(name: str, rest: Sequence[str]) -> Any:
    """Return a command with the options of the line that follows its name; it must be one of `COMMANDS`."""
    from importlib import import_module

    module, _, function = COMMANDS[name][1].partition(":")
    return vars(import_module(module))[function](list(rest))
