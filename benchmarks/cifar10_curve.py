"""Accuracy on CIFAR-10 after 2, 5, 10 and 20 minutes of `dl train cifar10 --budget ...`, without and with --tta.

    python benchmarks/cifar10_curve.py --data data/cifar10 [--minutes 2 5 10 20] [--seeds 0 1 2]

Needs an idle machine and the prepared data. The time is that of the whole `dl train`: start-up, the timing that chooses
width and epochs, training, validation, checkpoints. The test split is not used before the end. Runs are left in ./runs,
one per row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dlcli.core.config import read_toml

DL = [sys.executable, "-m", "dlcli"]


def dl(*words: str) -> str:
    """Return what a command prints on stdout; progress stays on the terminal."""
    return subprocess.run([*DL, *words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def measure(data: str, minutes: float, seed: int) -> dict[str, Any]:
    """Train within the budget and return the run, its size, the seconds and the accuracies in per cent."""
    started = time.perf_counter()
    run = dl("train", "cifar10", "--data", data, "--budget", f"{round(minutes * 60)}s", "--seed", str(seed))
    seconds = time.perf_counter() - started
    metrics = json.loads(dl("eval", run, "--data", data, "--tta", "--no-plots", "--json"))["metrics"]
    config = read_toml(Path(run) / "config.toml")
    return {
        "run": run,
        "width": config["width"],
        "epochs": config["epochs"],
        "seconds": seconds,
        "plain": 100 * metrics["accuracy"],
        "tta": 100 * metrics["accuracy_tta"],
    }


def hardware() -> str:
    """Return the processor's name and the number of threads available to this process."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {count} threads"


def main() -> None:
    """Run every budget with every seed and print each row as soon as it is ready."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/cifar10")
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 5, 10, 20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    from importlib.metadata import version

    print(f"# {hardware()}; Python {platform.python_version()}, torch {version('torch')}, dlcli {version('dlcli')}")
    print(f"# load before the start: {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "# load unknown")
    print("budget_min  seed  width  epochs  seconds  accuracy  with_tta  run", flush=True)
    for minutes in arguments.minutes:
        rows = []
        for seed in arguments.seeds:
            row = measure(arguments.data, minutes, seed)
            rows.append(row)
            print(
                f"{minutes:10g}  {seed:4}  {row['width']:5}  {row['epochs']:6}  {row['seconds']:7.1f}  "
                f"{row['plain']:8.2f}  {row['tta']:8.2f}  {row['run']}",
                flush=True,
            )
        if len(rows) > 1:
            for name in ("plain", "tta"):
                values = [row[name] for row in rows]
                mean, std = statistics.mean(values), statistics.stdev(values)
                print(f"# {name}: mean {mean:.2f}, std {std:.2f}, n {len(rows)}")


if __name__ == "__main__":
    main()
