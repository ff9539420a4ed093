"""CPU time of whole commands that compute nothing, and of `dl predict model.onnx`.

    python benchmarks/startup.py [--rounds N]

User plus system time of the child processes, commands interleaved; bare Python is the lower bound.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import subprocess
import sys
from importlib.metadata import version

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import typer": [sys.executable, "-c", "import typer"],
    "dl -h": [sys.executable, "-m", "dlcli", "-h"],
    "dl --version": [sys.executable, "-m", "dlcli", "--version"],
    "dl train -h": [sys.executable, "-m", "dlcli", "train", "-h"],
    "dl train cifar10 -h": [sys.executable, "-m", "dlcli", "train", "cifar10", "-h"],
    "dl prepare cifar10 -h": [sys.executable, "-m", "dlcli", "prepare", "cifar10", "-h"],
    "dl visualize features -h": [sys.executable, "-m", "dlcli", "visualize", "features", "-h"],
    "dl datasets": [sys.executable, "-m", "dlcli", "datasets"],
    "import torch": [sys.executable, "-c", "import torch"],
}


def cpu_seconds(command: list[str]) -> float:
    """Return the user plus system time of one run in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Time the interleaved commands and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for name, command in COMMANDS.items():
        cpu_seconds(command)  # the first run writes the bytecode
        del name
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            times[name].append(cpu_seconds(command))
    print(
        f"# {platform.processor() or platform.machine()}, Python {platform.python_version()}, typer {version('typer')}"
    )
    print(f"# CPU milliseconds of a whole process, median of {rounds} (min-max), interleaved")
    for name, values in times.items():
        print(f"{name:26} {statistics.median(values) * 1e3:7.0f} ({min(values) * 1e3:.0f}-{max(values) * 1e3:.0f})")


if __name__ == "__main__":
    main()
