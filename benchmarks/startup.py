"""CPU time of whole commands that compute nothing, and of `dl predict model.onnx`.

    python benchmarks/startup.py [--rounds N] [--predict]

User plus system time of the child processes, commands interleaved; bare Python is the lower bound. With --predict,
small models of images, texts (words between spaces, and Chinese, whose dictionary takes its time) and tables are
trained and exported first, which takes about a minute.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

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


TEXTS = {"words": ("so dull a film", "how fine a film"), "chinese": ("电影太无聊了", "今天的电影真好看")}


def dl(folder: Path, *words: str) -> list[str]:
    """Run a command line in a folder, and return it."""
    command = [sys.executable, "-m", "dlcli", *words]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return command


def predicting(folder: Path) -> dict[str, list[str]]:
    """Return commands that predict one input, for models that are trained and exported into a folder."""
    import cv2
    import numpy as np

    quick = ("--epochs", "1", "--threads", "1", "--precision", "fp32", "--quiet")
    cv2.imwrite(str(folder / "digit.png"), np.full((8, 8), 99, np.uint8))
    rows = [f"{row * 7 % 41},{('red', 'blue')[row % 2]},{row}.5" for row in range(100)]
    (folder / "table.csv").write_text("\n".join(["size,colour,price", *rows]), encoding="utf-8")
    (folder / "row.csv").write_text("size,colour\n3,red\n", encoding="utf-8")
    for name, (bad, good) in TEXTS.items():
        lines = [f"{('bad', 'good')[row % 2]},{(bad, good)[row % 2]} {row}" for row in range(100)]
        (folder / f"{name}.csv").write_text("\n".join(["label,review", *lines]), encoding="utf-8")
        words = ("--tokenizer", "whitespace") if name == "words" else ()
        dl(folder, "prepare", "text-csv", f"{name}.csv", "--min-count", "1", *words, "--out", f"data/{name}")
    dl(folder, "prepare", "table", "table.csv", "--target", "price", "--out", "data/table")
    inputs = {"words": TEXTS["words"][1], "chinese": TEXTS["chinese"][1], "table": "row.csv", "digits": "digit.png"}
    found = {}
    for name, given in inputs.items():
        dl(folder, "train", name if name == "digits" else f"./data/{name}", *quick, "--name", name)
        dl(folder, "export", name, "--out", f"{name}.onnx")
        found[f"dl predict {name}.onnx"] = dl(folder, "predict", str(folder / f"{name}.onnx"), str_of(folder, given))
    return found


def str_of(folder: Path, given: str) -> str:
    """Return an input as a whole path if it is a file."""
    return str(folder / given) if (folder / given).is_file() else given


def cpu_seconds(command: Sequence[str]) -> float:
    """Return the user plus system time of one run in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Time the interleaved commands and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--predict", action="store_true", help="measure `dl predict FILE` too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = {**COMMANDS, **(predicting(Path(folder)) if options.predict else {})}
        measure(commands, options.rounds)


def measure(commands: dict[str, list[str]], rounds: int) -> None:
    """Time the commands and print medians."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        cpu_seconds(command)  # the first run writes the bytecode
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(cpu_seconds(command))
    print(
        f"# {platform.processor() or platform.machine()}, Python {platform.python_version()}, typer {version('typer')}"
    )
    print(f"# CPU milliseconds of a whole process, median of {rounds} (min-max), interleaved")
    for name, values in times.items():
        print(f"{name:26} {statistics.median(values) * 1e3:7.0f} ({min(values) * 1e3:.0f}-{max(values) * 1e3:.0f})")


if __name__ == "__main__":
    main()
