"""What `--ensemble N` costs and brings, beside N trainings of one network.

    python benchmarks/ensemble.py TASK DATA [--members 4] [--epochs 3] [--rounds 3] [--option NAME=VALUE ...]

Each training is that of `dl train` from its first step to its last file, on one thread; the single ones have seeds of
their own. The CPU time of an ensemble is compared with N times the mean of the single ones, which read, augment and
validate N times; the metric is that of the task, on the test part, of each single network and of the ensemble.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
import statistics
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import torch

from dlcli.core.config import Layer
from dlcli.core.console import Console
from dlcli.core.registry import TASKS
from dlcli.core.run_dir import RunDir
from dlcli.engine.compute.device import Device
from dlcli.engine.request import resolve_request
from dlcli.engine.runs.evaluation import measure_run
from dlcli.engine.runs.training import start_training


def trained(task: str, data: Path, folder: Path, options: dict[str, Any]) -> tuple[float, float, str]:
    """Return the CPU seconds of a training, and the test value of the task's goal with its name."""
    request = resolve_request(TASKS[task], data.name, data, [Layer("benchmark", {"threads": 1, **options})])
    name = str(len(list(folder.iterdir())) + 1)
    started = time.process_time()
    start_training(dataclasses.replace(request, folder=folder, name=name), Console(is_quiet=True))
    seconds = time.process_time() - started
    measured = measure_run(RunDir(folder / name), data, "test", Device(torch.device("cpu")))
    goal = measured.task.goal
    assert goal is not None, f"{task} has no goal"
    return seconds, float(measured.report["metrics"][goal.metric]), goal.metric


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("data", type=Path)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE as in a TOML file")
    args = parser.parse_args()
    options = {"epochs": args.epochs, "precision": "fp32", **tomllib.loads("\n".join(args.option))}
    alone: list[float] = []
    together: list[float] = []
    single: list[float] = []
    joint: list[float] = []
    metric = ""
    with tempfile.TemporaryDirectory() as folder:
        trained(args.task, args.data, Path(folder), {**options, "epochs": 1})  # reads files, builds kernels
        for number in range(args.rounds):
            for member in range(args.members):
                seed = 1 + number * args.members + member
                seconds, value, metric = trained(args.task, args.data, Path(folder), {**options, "seed": seed})
                alone.append(seconds)
                single.append(value)
            more = {"ensemble": args.members, "seed": 1 + number * args.members}
            seconds, value, _ = trained(args.task, args.data, Path(folder), {**options, **more})
            together.append(seconds)
            joint.append(value)
    times = args.members * statistics.mean(alone)
    print(f"{platform.machine()}, torch {torch.__version__}, {args.epochs} epochs, means of {args.rounds} rounds")
    print(f"{args.members} trainings  {times:7.2f} s of CPU  {metric} {statistics.mean(single):.4f}")
    share = statistics.mean(together) / times
    print(
        f"--ensemble {args.members}  {share * times:7.2f} s of CPU  {metric} {statistics.mean(joint):.4f}  {share:.2f}x"
    )


if __name__ == "__main__":
    main()
